import Glibc
import Host
import Model

/// A state directory of a test's own, and the built kguard run in it as a person would.
final class Bench: Sendable {
  let path: String
  var state: String { path + "/state" }

  init() {
    var template = Array("/tmp/kguard-cli-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
  }

  deinit {
    // Whatever a test left running is told apart by its directory in the environment.
    _ = try? runCaptured("/bin/rm", Command(["rm", "-rf", path]))
  }

  /// The binary that was built beside the tests.
  static let binary: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    let own = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    for start in [own, CommandLine.arguments[0]] + CommandLine.arguments.dropFirst() {
      let candidate = Files.directory(of: start) + "/kguard"
      if (try? Files.exists(candidate)) == true { return candidate }
    }
    return ".build/debug/kguard"
  }()

  struct Outcome {
    let end: ProcessEnd
    let output: String
    let errors: String
    var exit: Int32 { if case .exited(let code) = end { code } else { -1 } }
    var wasKilled: Bool { end == .signalled(SIGKILL) }
  }

  func write(_ name: String, _ text: String) throws -> String {
    let file = path + "/" + name
    try Files.replace(file, with: Array(text.utf8), mode: 0o644)
    return file
  }

  func command(_ arguments: [String], environment: [String: String] = [:]) -> Command {
    var all = [
      "LC_ALL": "C.UTF-8", "KGUARD_ROOT": "", "KGUARD_STATE": "", "KGUARD_CONFIG": "", "KGUARD_OUTPUT": "", "BENCH": path, "TZ": "UTC",
    ]
    all.merge(environment) { $1 }
    return Command(["kguard"] + arguments + ["--state", state], environment: all, directory: path)
  }

  @discardableResult
  func kguard(_ arguments: String..., environment: [String: String] = [:], timeout: Duration = .seconds(60)) throws -> Outcome {
    let result = try runCaptured(Self.binary, command(arguments, environment: environment), timeout: timeout)
    return Outcome(end: result.end, output: result.text, errors: result.errorText)
  }

  /// Starts kguard and does not wait for it.
  func start(_ arguments: String..., environment: [String: String] = [:]) throws -> Int32 {
    let log = try OpenFile(path + "/background.log", O_WRONLY | O_CREAT | O_APPEND)
    return try Spawn.start(
      Self.binary, command(arguments, environment: environment), output: .descriptor(log.descriptor), error: .descriptor(log.descriptor),
      leads: .session)
  }

  func status() throws -> JSON { try JSON(parsing: try kguard("status", "-o", "json").output) }

  /// Waits for a condition of the world, not for time to pass.
  func wait(_ what: String, _ limit: Duration = .seconds(20), until condition: () throws -> Bool) throws {
    let end = monotonicNow() + limit
    let never = StopSignal()
    while try !condition() {
      if monotonicNow() > end { throw Failure(what: "waited for \(what)", why: "it did not come within \(limit.forPeople)", next: "") }
      _ = never.sleep(.milliseconds(10))
    }
  }
}
