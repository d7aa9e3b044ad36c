internal import Host
internal import Model

/// Every certificate on the node, those inside kubeconfigs too.
enum CertificateChecks {
  static let directory = "/etc/kubernetes/pki"
  static let kubeconfigs = ["admin", "super-admin", "controller-manager", "scheduler", "kubelet"].map { "/etc/kubernetes/\($0).conf" }
  /// kubeadm renews its own certificates when it upgrades; it must get that far first.
  static let soon = Duration.seconds(7 * 86_400)

  static func all(_ scene: PreflightScene) -> [Check] { [Check("certificates") { () throws(Failure) in try look(scene) }] }

  private static func look(_ scene: PreflightScene) throws(Failure) -> Check.Verdict {
    let now = scene.machine.now()
    var (expired, soonOver, first): ([String], [String], (Timestamp, String)?) = ([], [], nil)
    var count = 0
    for (name, certificates) in try certificates(scene.machine) {
      if certificates.isEmpty { expired.append("\(name) holds no certificate") }
      for certificate in certificates {
        count += 1
        if certificate.notAfter < now {
          expired.append("\(name) expired \((now - certificate.notAfter).forPeople) ago")
        } else if certificate.notBefore > now {
          expired.append("\(name) is not valid for another \((certificate.notBefore - now).forPeople)")
        } else if certificate.notAfter - now < soon {
          soonOver.append("\(name) expires in \((certificate.notAfter - now).forPeople)")
        }
        if first.map({ certificate.notAfter < $0.0 }) ?? true { first = (certificate.notAfter, name) }
      }
    }
    if !expired.isEmpty {
      return .fail(
        expired.joined(separator: "; "),
        remedy: "kubeadm certs renew all, then restart the control plane; kubelet.conf: see kubeadm's guide on kubelet client certificates")
    }
    if !soonOver.isEmpty { return .warn(soonOver.joined(separator: "; "), remedy: "kubeadm certs renew all") }
    guard let first else {
      return .fail("no certificate was found in \(directory)", remedy: "check that kubeadm keeps its certificates there")
    }
    return .pass("\(count) certificates are valid; the first to expire is \(first.1), in \((first.0 - now).forPeople)")
  }

  private static func certificates(_ machine: any Machine) throws(Failure) -> [(String, [Certificate])] {
    var found: [(String, [Certificate])] = []
    for path in try files(machine, directory) {
      found.append((path, Certificate.all(inPEM: try machine.read(path, limit: 1 << 20))))
    }
    for path in kubeconfigs where try machine.info(path) != nil {
      switch try KubeConfig.read(machine, path).tls.certificate {
      case .bytes(let bytes): found.append((path, Certificate.all(inPEM: bytes)))
      case .file(let file): found.append((path, Certificate.all(inPEM: try Files.read(file, limit: 1 << 20))))
      case nil: continue
      }
    }
    return found
  }

  private static func files(_ machine: any Machine, _ directory: String) throws(Failure) -> [String] {
    guard try machine.info(directory)?.kind == .directory else { return [] }
    var found: [String] = []
    for name in try machine.list(directory) {
      let path = directory + "/" + name
      switch try machine.info(path)?.kind {
      case .directory: found += try files(machine, path)
      case .file where name.hasSuffix(".crt"): found.append(path)
      default: break
      }
    }
    return found
  }
}
