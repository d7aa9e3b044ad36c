internal import Host
internal import Model
internal import Playbooks

/// Who installs kubeadm and kubelet on this node.
protocol PackageManager: Sendable {
  /// `apt`, `dnf`, `none`
  var name: String { get }
  /// The exact version that is installed (`1.28.0-1.1`); nil where this manager has not installed the package.
  func installed(_ package: String) throws(Failure) -> String?
  /// The exact version that is that release of Kubernetes; nil where none is on offer.
  func available(_ package: String, _ version: KubernetesVersion) throws(Failure) -> String?
  /// Reads the lists of what is on offer anew.
  func refresh() throws(Failure)
  /// Finishes what a power cut left half installed.
  func repair() throws(Failure)
  /// The command that installs exactly these, older ones too.
  func install(_ packages: [(name: String, version: String)]) -> (argv: [String], environment: [String: String])
  /// Held packages are not touched by an upgrade of the system.
  func isHeld(_ package: String) throws(Failure) -> Bool
  func hold(_ package: String) throws(Failure)
}

enum PackageManagers {
  /// What the configuration names, or the one that has installed kubeadm here.
  static func find(_ machine: any Machine, _ wanted: Configuration.Packages) throws(Failure) -> any PackageManager {
    switch wanted {
    case .none: return NoPackages()
    case .apt: return try require(Apt(machine), "apt")
    case .dnf: return try require(Dnf(machine), "dnf")
    case .auto:
      if let apt = Apt(machine), try apt.installed("kubeadm") != nil { return apt }
      if let dnf = Dnf(machine), try dnf.installed("kubeadm") != nil { return dnf }
      return NoPackages()
    }
  }

  private static func require(_ manager: (any PackageManager)?, _ name: String) throws(Failure) -> any PackageManager {
    if let manager { return manager }
    throw Failure(
      .usage, what: "cannot install packages with \(name)", why: "this node does not have it",
      next: "say `packages: auto` or `packages: none` in the configuration")
  }

  /// A program of the node itself: with another root, those of the machine that kguard runs on are none of its business.
  static func program(_ name: String, _ machine: any Machine) -> String? {
    guard let path = machine.find(program: name) else { return nil }
    return machine.root == "/" || path.hasPrefix(machine.root + "/") ? path : nil
  }

  /// The release of Kubernetes that a package's version stands for: `1.28.0-1.1`, `1.21.0-00`.
  static func release(_ version: some StringProtocol) -> KubernetesVersion? {
    let afterEpoch = version.split(separator: ":").last.map { String($0) } ?? ""
    return KubernetesVersion(afterEpoch.prefix { $0 != "-" && $0 != "~" })
  }
}

extension PackageManager {
  func repair() throws(Failure) {}
}

/// Nobody: programs come by other ways.
struct NoPackages: PackageManager {
  let name = "none"
  func installed(_ package: String) throws(Failure) -> String? { nil }
  func available(_ package: String, _ version: KubernetesVersion) throws(Failure) -> String? { nil }
  func refresh() throws(Failure) {}
  func install(_ packages: [(name: String, version: String)]) -> (argv: [String], environment: [String: String]) { (["true"], [:]) }
  func isHeld(_ package: String) throws(Failure) -> Bool { false }
  func hold(_ package: String) throws(Failure) {}
}
