internal import Host
internal import Model

/// Debian's and Ubuntu's.
struct Apt: PackageManager {
  let name = "apt"
  private let machine: any Machine

  /// Nil where the node does not have it.
  init?(_ machine: any Machine) {
    for program in ["apt-get", "apt-cache", "apt-mark", "dpkg", "dpkg-query"] where PackageManagers.program(program, machine) == nil {
      return nil
    }
    self.machine = machine
  }

  func installed(_ package: String) throws(Failure) -> String? {
    let result = try machine.run(["dpkg-query", "-W", "-f=${db:Status-Status} ${Version}\\n", package])
    guard result.end.isSuccess else { return nil }
    let words = result.text.split(whereSeparator: \.isWhitespace)
    return words.count == 2 && words[0] == "installed" ? String(words[1]) : nil
  }

  func available(_ package: String, _ version: KubernetesVersion) throws(Failure) -> String? {
    Self.match(try machine.run(["apt-cache", "madison", package]).text, package, version)
  }

  /// ` kubeadm | 1.28.0-1.1 | https://pkgs.k8s.io/… Packages`, the best one first.
  static func match(_ madison: String, _ package: String, _ version: KubernetesVersion) -> String? {
    for line in madison.split(whereSeparator: \.isNewline) {
      let fields = line.split(separator: "|").map { $0.trimmed }
      if fields.count >= 2, fields[0] == package, PackageManagers.release(fields[1]) == version { return fields[1] }
    }
    return nil
  }

  func refresh() throws(Failure) {
    let result = try machine.run(["apt-get", "update", "-q"], timeout: .seconds(180))
    guard result.end.isSuccess else {
      throw Failure(
        what: "cannot read the lists of packages", why: "apt-get update: \(result.lastWords)",
        next: "check the sources of apt and the network",
        isTransient: true)
    }
  }

  func repair() throws(Failure) {
    let audit = try machine.run(["dpkg", "--audit"], timeout: .seconds(120))
    if audit.text.allSatisfy(\.isWhitespace) { return }
    let result = try machine.run(["dpkg", "--configure", "-a", "--force-confold"], timeout: .seconds(300))
    guard result.end.isSuccess else {
      throw Failure(
        what: "cannot finish an installation that was cut", why: "dpkg --configure -a: \(result.lastWords)",
        next: "run `dpkg --configure -a`, then `kguard resume`")
    }
  }

  private static let environment = ["DEBIAN_FRONTEND": "noninteractive"]

  func install(_ packages: [(name: String, version: String)]) -> PackageCommand {
    let argv = [
      "apt-get", "install", "-y", "-q", "--allow-change-held-packages", "--allow-downgrades", "-o", "Dpkg::Options::=--force-confold", "-o",
      "DPkg::Lock::Timeout=120",
    ]
    return (argv + packages.map { "\($0.name)=\($0.version)" }, Self.environment)
  }

  func fetch(_ packages: [(name: String, version: String)]) -> PackageCommand {
    let (argv, environment) = install(packages)
    return (argv + ["--download-only", "-o", "Acquire::Retries=3"], environment)
  }

  /// apt would look the same version up in its lists, and may want it from there.
  func install(files: [String]) -> PackageCommand { (["dpkg", "--force-confold", "-i"] + files, Self.environment) }

  func holds() throws(Failure) -> [String] {
    let result = try machine.run(["apt-mark", "showhold"])
    guard result.end.isSuccess else {
      throw Failure(what: "cannot tell which packages are held", why: result.lastWords, next: "run `apt-mark showhold` and see")
    }
    return result.text.split(whereSeparator: \.isWhitespace).map(String.init)
  }

  func hold(_ package: String) throws(Failure) {
    let result = try machine.run(["apt-mark", "hold", package])
    guard result.end.isSuccess else {
      throw Failure(what: "cannot hold the package \(package)", why: result.lastWords, next: "run `apt-mark hold \(package)`")
    }
  }

  func holdCommand(_ packages: [String]) -> String { "apt-mark hold " + packages.joined(separator: " ") }

  // MARK: - A file of what is installed

  /// From apt's cache, from the repository, or packed again from what is installed: that always works.
  func keep(_ package: String, _ version: String, in directory: String) throws(Failure) -> (file: String, how: String) {
    let architecture = try machine.run(["dpkg-query", "-W", "-f=${Architecture}", package]).text[...].trimmed
    let name = "\(package)_\(version.split(separator: ":", omittingEmptySubsequences: false).joined(separator: "%3a"))_\(architecture).deb"
    let wanted = "\(package) \(version) \(architecture)"
    let file = directory + "/" + name
    let part = directory + "/part"
    try Files.removeOwnTree(part)
    try Files.makeDirectory(part, mode: 0o700)
    defer { try? Files.removeOwnTree(part) }

    let cached = archives() + name
    if try Files.exists(cached) {
      try Files.copyFile(cached, to: part + "/" + name, mode: 0o600)
      if try settle(part + "/" + name, wanted, file) { return (file, "apt's cache") }
      try Files.removeOwn(part + "/" + name)
    }
    if let result = try? machine.run(
      [
        "apt-get", "download", "-q", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20",
        "\(package)=\(version)",
      ],
      in: part, timeout: .seconds(180)), result.end.isSuccess
    {
      for found in try Files.list(part) where found.hasSuffix(".deb") {
        if try settle(part + "/" + found, wanted, file) { return (file, "the repository") }
      }
    }
    let packed = part + "/packed.deb"
    try Repacking(machine, package).pack(in: part + "/tree", to: packed)
    if try settle(packed, wanted, file) { return (file, "packed again") }
    throw Failure(
      what: "cannot keep the package \(package) \(version)", why: "what was packed from the installed files is not a whole package",
      next: "put \(name) into \(archives()), then run the upgrade again")
  }

  /// True where it is a whole package of that name and version; then it has its last name, and outlasts a power cut.
  private func settle(_ path: String, _ wanted: String, _ file: String) throws(Failure) -> Bool {
    let said = try machine.run(["dpkg-deb", "-W", "--showformat=${Package} ${Version} ${Architecture}\\n", path])
    guard said.end.isSuccess, said.text[...].trimmed == wanted else { return false }
    // Reads all of the content, which the fields do not need.
    guard try machine.run(["dpkg-deb", "--contents", path], timeout: .seconds(300)).end.isSuccess else { return false }
    try Files.setMode(path, 0o600)
    try Files.syncTree(path)
    try Files.removeOwn(file)
    try Files.move(path, to: file)
    return true
  }

  /// Where apt keeps what it has downloaded, with a slash at the end.
  private func archives() -> String {
    let usual = machine.locate("/var/cache/apt/archives") + "/"
    guard PackageManagers.program("apt-config", machine) != nil,
      let told = try? machine.run(["apt-config", "shell", "D", "Dir::Cache::archives/d"]), told.end.isSuccess
    else { return usual }
    // D='/var/cache/apt/archives/'
    let path = told.text.split(separator: "'", omittingEmptySubsequences: false).dropFirst().first.map(String.init) ?? ""
    return path.hasPrefix("/") ? path : usual
  }
}
