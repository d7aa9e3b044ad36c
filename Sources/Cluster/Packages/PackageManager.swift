internal import Host
internal import Model
internal import Playbooks

/// A program of the host with what it needs in its environment.
typealias PackageCommand = (argv: [String], environment: [String: String])

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
  func install(_ packages: [(name: String, version: String)]) -> PackageCommand
  /// The command that fetches them, and all that they need, into the manager's own cache. Nothing is installed.
  func fetch(_ packages: [(name: String, version: String)]) -> PackageCommand
  /// Makes a package file of what is installed now, in a directory of our own.
  func keep(_ package: String, _ version: String, in directory: String) throws(Failure) -> (file: String, how: String)
  /// The command that installs these files, older ones too: it asks no repository and no network.
  func install(files: [String]) -> PackageCommand
  /// Held packages are not touched by an upgrade of the system. These are all there are, Kubernetes' or not.
  func holds() throws(Failure) -> [String]
  func hold(_ package: String) throws(Failure)
  /// For a person to type.
  func holdCommand(_ packages: [String]) -> String
}

enum PackageManagers {
  /// What the configuration names, or the one that has installed kubeadm here. `recorded`: the one that this run has met before; in the
  /// middle of an installation that was cut, kubeadm is nobody's.
  static func find(
    _ machine: any Machine, _ wanted: Configuration.Packages, recorded: String? = nil
  ) throws(Failure) -> any PackageManager {
    switch wanted {
    case .none: return NoPackages()
    case .apt: return try require(Apt(machine), "apt")
    case .dnf: return try require(Dnf(machine), "dnf")
    case .auto:
      if let recorded, let same = Configuration.Packages(rawValue: recorded), same != .auto { return try find(machine, same) }
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
  func isHeld(_ package: String) throws(Failure) -> Bool { try holds().contains(package) }
}

/// Nobody: programs come by other ways.
struct NoPackages: PackageManager {
  let name = "none"
  func installed(_ package: String) throws(Failure) -> String? { nil }
  func available(_ package: String, _ version: KubernetesVersion) throws(Failure) -> String? { nil }
  func refresh() throws(Failure) {}
  func install(_ packages: [(name: String, version: String)]) -> PackageCommand { (["true"], [:]) }
  func fetch(_ packages: [(name: String, version: String)]) -> PackageCommand { (["true"], [:]) }
  func install(files: [String]) -> PackageCommand { (["true"], [:]) }
  func holds() throws(Failure) -> [String] { [] }
  func hold(_ package: String) throws(Failure) {}
  func holdCommand(_ packages: [String]) -> String { "true" }
  func keep(_ package: String, _ version: String, in directory: String) throws(Failure) -> (file: String, how: String) {
    throw Failure(
      .usage, what: "cannot keep the package \(package)", why: "kguard does not install packages here",
      next: "say `packages: auto` in the configuration")
  }
}

extension Machine {
  /// A short program that works in a directory, with messages in English.
  func run(_ argv: [String], in directory: String, timeout: Duration) throws(Failure) -> CommandResult {
    let executable = try require(program: argv.first ?? "")
    let environment = childEnvironment.merging(["LC_ALL": "C.UTF-8"]) { $1 }
    return try runCaptured(executable, Command(argv, environment: environment, directory: directory), timeout: timeout)
  }
}
