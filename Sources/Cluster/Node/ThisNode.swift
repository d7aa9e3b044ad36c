internal import Host
internal import Model

/// Which node of the cluster this machine is, and how its API server is asked.
enum ThisNode {
  static let kubeletConfig = "/etc/kubernetes/kubelet.conf"

  /// Its name in the cluster: kubelet's certificate says it.
  static func name(_ machine: any Machine) throws(Failure) -> String {
    if let config = try? KubeConfig.read(machine, kubeletConfig), let pem = config.tls.certificate,
      let subject = try? Certificate.first(of: pem).subject, let name = name(ofSubject: subject)
    {
      return name
    }
    if let etcd = try? EtcdManifest.read(machine), etcd.name != "default" { return etcd.name }
    throw Failure(
      what: "cannot tell this node's name", why: "neither \(kubeletConfig) nor etcd's manifest says it",
      next: "check that this is a control-plane node made by kubeadm")
  }

  /// `CN=system:node:NAME,O=system:nodes`
  static func name(ofSubject subject: String) -> String? {
    let prefix = "CN=system:node:"
    let part = subject.split(separator: ",").first { $0.hasPrefix(prefix) }
    return part.map { String($0.dropFirst(prefix.count)) }
  }

  /// A client of the API server with kubeadm's admin.conf, read anew: kubeadm renews it.
  static func api(_ machine: any Machine, timeout: Duration = .seconds(5), stop: StopSignal? = nil) throws(Failure) -> KubernetesAPI {
    try KubernetesAPI(KubeConfig.read(machine), timeout: timeout, stop: stop)
  }

  /// What a program says of its own version: `kubeadm version -o short`, `kubelet --version`.
  static func version(of program: String, _ machine: any Machine) throws(Failure) -> KubernetesVersion {
    let arguments = program == "kubeadm" ? ["version", "-o", "short"] : program == "kubectl" ? ["version", "--client"] : ["--version"]
    let result = try machine.run([program] + arguments, timeout: .seconds(20))
    let words = result.text.split(whereSeparator: { $0.isWhitespace || $0 == "\"" || $0 == "," }).filter { $0.hasPrefix("v") }
    guard result.end.isSuccess, let version = words.lazy.compactMap({ KubernetesVersion($0) }).first else {
      throw Failure(
        what: "cannot tell the version of \(program)", why: result.lastWords,
        next: "run `\(program) \(arguments.joined(separator: " "))` and see")
    }
    return version
  }
}
