internal import Host
internal import Model

/// Debian's and Ubuntu's.
struct Apt: PackageManager {
  let name = "apt"
  private let machine: any Machine

  /// Nil where the node does not have it.
  init?(_ machine: any Machine) {
    for program in ["apt-get", "apt-cache", "apt-mark", "dpkg-query"] where PackageManagers.program(program, machine) == nil { return nil }
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
    guard PackageManagers.program("dpkg", machine) != nil else { return }
    let audit = try machine.run(["dpkg", "--audit"], timeout: .seconds(120))
    if audit.text.allSatisfy(\.isWhitespace) { return }
    let result = try machine.run(["dpkg", "--configure", "-a", "--force-confold"], timeout: .seconds(300))
    guard result.end.isSuccess else {
      throw Failure(
        what: "cannot finish an installation that was cut", why: "dpkg --configure -a: \(result.lastWords)",
        next: "run `dpkg --configure -a`, then `kguard resume`")
    }
  }

  func install(_ packages: [(name: String, version: String)]) -> (argv: [String], environment: [String: String]) {
    let argv = [
      "apt-get", "install", "-y", "-q", "--allow-change-held-packages", "--allow-downgrades", "-o", "Dpkg::Options::=--force-confold", "-o",
      "DPkg::Lock::Timeout=120",
    ]
    return (argv + packages.map { "\($0.name)=\($0.version)" }, ["DEBIAN_FRONTEND": "noninteractive"])
  }

  func isHeld(_ package: String) throws(Failure) -> Bool {
    let result = try machine.run(["apt-mark", "showhold"])
    return result.text.split(whereSeparator: \.isWhitespace).contains { $0 == package }
  }

  func hold(_ package: String) throws(Failure) {
    let result = try machine.run(["apt-mark", "hold", package])
    guard result.end.isSuccess else {
      throw Failure(what: "cannot hold the package \(package)", why: result.lastWords, next: "run `apt-mark hold \(package)`")
    }
  }
}
