internal import Glibc
public import Model

/// The machine that is guarded: the one way to its files, programs and clock. Paths are the host's own (`/etc/kubernetes`);
/// an implementation knows where they really are.
public protocol Machine: Sendable {
  /// `/`, or the directory that `--root` names.
  var root: String { get }
  func now() -> Timestamp
  func random(_ count: Int) -> [UInt8]

  /// Where a path of the host really is on this machine.
  func locate(_ path: String) -> String
  /// The program that a name stands for; nil where there is none.
  func find(program: String) -> String?
}

/// This machine, or a directory laid out as one.
public struct LocalMachine: Machine {
  public let root: String

  public init(root: String = "/") throws(Failure) {
    guard let real = realpath(root, nil) else {
      throw Failure(
        .usage, what: "cannot use --root \(root)", why: errorText(errno), next: "name a directory that is laid out as a host's root")
    }
    defer { free(real) }
    self.root = String(cString: real)
  }

  public func now() -> Timestamp { wallClock() }
  public func random(_ count: Int) -> [UInt8] { randomBytes(count) }

  public func locate(_ path: String) -> String {
    if root == "/" { return path }
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
      if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return root + "/" + parts.joined(separator: "/")
  }

  public func find(program: String) -> String? {
    if program.contains("/") {
      let inside = locate(program)
      return isExecutable(inside) ? inside : nil
    }
    let inside = root == "/" ? [] : Self.usualDirectories.map(locate)
    let path = (environment("PATH") ?? "").split(separator: ":").map(String.init)
    return (inside + path + Self.usualDirectories).map { $0 + "/" + program }.first(where: isExecutable)
  }

  private static let usualDirectories = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/opt/bin"]

  private func isExecutable(_ path: String) -> Bool {
    guard let info = try? Files.info(path), info.kind == .file else { return false }
    return access(path, X_OK) == 0
  }
}

extension Machine {
  public func require(program: String) throws(Failure) -> String {
    if let found = find(program: program) { return found }
    throw Failure(
      what: "cannot find the program `\(program)`", why: "it is not in PATH" + (root == "/" ? "" : " nor under \(root)"),
      next: "install it, or correct the playbook")
  }

  /// What a child needs in its environment so that it finds the same programs as kguard does.
  public var childEnvironment: [String: String] {
    guard root != "/" else { return [:] }
    let inside = ["/usr/local/bin", "/usr/bin"].map(locate).joined(separator: ":")
    return ["PATH": inside + ":" + (environment("PATH") ?? "/usr/bin:/bin"), "KGUARD_ROOT": root]
  }

  /// Runs a short program of the host; see `runCaptured`.
  public func run(_ argv: [String], timeout: Duration = .seconds(60), limit: Int = 16 << 20) throws(Failure) -> CommandResult {
    let executable = try require(program: argv.first ?? "")
    return try runCaptured(executable, Command(argv, environment: childEnvironment), timeout: timeout, limit: limit)
  }

  public func read(_ path: String, limit: Int = 64 << 20) throws(Failure) -> [UInt8] { try Files.read(locate(path), limit: limit) }
  public func info(_ path: String, followLinks: Bool = true) throws(Failure) -> FileInfo? {
    try Files.info(locate(path), followLinks: followLinks)
  }
  public func list(_ path: String) throws(Failure) -> [String] { try Files.list(locate(path)) }
  public func replace(_ path: String, with bytes: [UInt8], mode: UInt32) throws(Failure) {
    try Files.replace(locate(path), with: bytes, mode: mode)
  }
}
