internal import Host
internal import Model

/// Fedora's and Red Hat's. A hold is a lock of the plugin `versionlock`; the excludes of Kubernetes' own repository are passed over.
struct Dnf: PackageManager {
  let name = "dnf"
  private let machine: any Machine

  /// Nil where the node does not have it.
  init?(_ machine: any Machine) {
    for program in ["dnf", "rpm"] where PackageManagers.program(program, machine) == nil { return nil }
    self.machine = machine
  }

  func installed(_ package: String) throws(Failure) -> String? {
    let result = try machine.run(["rpm", "-q", "--qf", "%{VERSION}-%{RELEASE}\\n", package])
    return result.end.isSuccess ? result.text.split(whereSeparator: \.isWhitespace).first.map(String.init) : nil
  }

  func available(_ package: String, _ version: KubernetesVersion) throws(Failure) -> String? {
    let result = try machine.run(
      ["dnf", "list", "-q", "--showduplicates", "--disableexcludes=all", package], timeout: .seconds(180))
    return Self.match(result.text, package, version)
  }

  /// `kubeadm.x86_64    1.28.0-150500.1.1    kubernetes`, the newest last.
  static func match(_ list: String, _ package: String, _ version: KubernetesVersion) -> String? {
    var found: String?
    for line in list.split(whereSeparator: \.isNewline) {
      let words = line.split(whereSeparator: \.isWhitespace)
      guard words.count >= 2, words[0].prefix(while: { $0 != "." }) == package, PackageManagers.release(words[1]) == version else {
        continue
      }
      found = words[1].split(separator: ":").last.map(String.init)
    }
    return found
  }

  func refresh() throws(Failure) {
    let result = try machine.run(["dnf", "makecache", "-q"], timeout: .seconds(180))
    guard result.end.isSuccess else {
      throw Failure(
        what: "cannot read the lists of packages", why: "dnf makecache: \(result.lastWords)",
        next: "check dnf's repositories and the network",
        isTransient: true)
    }
  }

  /// `dnf install` goes to an older version too, where it is named exactly. What was fetched before stays in the cache.
  func install(_ packages: [(name: String, version: String)]) -> PackageCommand {
    let names = packages.map { "\($0.name)-\($0.version)" }
    let options = ["-y", "-q", "--disableexcludes=all", "--disableplugin=versionlock", "--allowerasing", "--setopt=keepcache=1"]
    return (["dnf", "install"] + options + names, [:])
  }

  func fetch(_ packages: [(name: String, version: String)]) -> PackageCommand {
    let (argv, environment) = install(packages)
    return (argv + ["--downloadonly"], environment)
  }

  func install(files: [String]) -> PackageCommand { (["rpm", "-U", "--oldpackage", "--replacepkgs"] + files, [:]) }

  func keep(_ package: String, _ version: String, in directory: String) throws(Failure) -> (file: String, how: String) {
    let part = directory + "/part"
    try Files.removeOwnTree(part)
    try Files.makeDirectory(part, mode: 0o700)
    defer { try? Files.removeOwnTree(part) }
    let form = "%{NAME} %{VERSION}-%{RELEASE} %{ARCH}\\n"
    let wanted = try machine.run(["rpm", "-q", "--qf", form, package]).text[...].trimmed
    let architecture = wanted.split(separator: " ").last.map(String.init) ?? ""
    let result = try machine.run(
      [
        "dnf", "download", "-q", "--disableexcludes=all", "--disableplugin=versionlock", "--destdir", part,
        "\(package)-\(version).\(architecture)",
      ], timeout: .seconds(300))
    for name in try Files.list(part) where name.hasSuffix(".rpm") {
      let path = part + "/" + name
      guard try machine.run(["rpm", "-qp", "--nosignature", "--qf", form, path]).text[...].trimmed == wanted,
        try machine.run(["rpm", "-K", "--nosignature", path]).end.isSuccess
      else { continue }
      let file = directory + "/" + name
      try Files.setMode(path, 0o600)
      try Files.syncTree(path)
      try Files.removeOwn(file)
      try Files.move(path, to: file)
      return (file, "the repository")
    }
    throw Failure(
      what: "cannot keep the installed package \(package) \(version) for a way back",
      why: result.end.isSuccess
        ? "what `dnf download` fetched is not what is installed, or is damaged" : "dnf download: \(result.lastWords)",
      next:
        "let dnf reach the repository that has it (`dnf download \(package)-\(version)` must work; it needs dnf-plugins-core), then try again; "
        + "or say `packages: none` in the configuration, and install packages by your own way")
  }

  func holds() throws(Failure) -> [String] {
    let result = try machine.run(["dnf", "versionlock", "list", "-q"])
    // Without the plugin nothing is locked.
    guard result.end.isSuccess else { return [] }
    return result.text.split(whereSeparator: \.isWhitespace).map(Self.name(ofLock:)).filter { !$0.isEmpty }
  }

  func holdCommand(_ packages: [String]) -> String { "dnf versionlock add " + packages.joined(separator: " ") }

  /// `kubeadm-0:1.28.0-150500.1.1.*`
  static func name(ofLock lock: Substring) -> String {
    let parts = lock.split(separator: "-")
    return parts.prefix { !($0.first?.isNumber ?? true) }.joined(separator: "-")
  }

  /// The old lock names the old version.
  func hold(_ package: String) throws(Failure) {
    _ = try machine.run(["dnf", "versionlock", "delete", "-q", package])
    let result = try machine.run(["dnf", "versionlock", "add", "-q", package])
    guard result.end.isSuccess else {
      throw Failure(what: "cannot lock the package \(package)", why: result.lastWords, next: "run `dnf versionlock add \(package)`")
    }
  }
}
