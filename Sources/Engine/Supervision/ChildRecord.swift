internal import Glibc
public import Host
internal import Model

/// How a supervised command ended.
public struct ChildEnd: Sendable, Equatable {
  public let end: ProcessEnd
  /// The supervisor ended it: its time was up, or somebody asked for it.
  public let timedOut: Bool
  public let stopped: Bool

  public init(end: ProcessEnd, timedOut: Bool = false, stopped: Bool = false) {
    self.end = end
    self.timedOut = timedOut
    self.stopped = stopped
  }

  var json: JSON {
    var json = end.json
    json["timedOut"] = .bool(timedOut)
    json["stopped"] = .bool(stopped)
    return json
  }

  init?(json: JSON) {
    guard let end = ProcessEnd(json: json) else { return nil }
    self.init(end: end, timedOut: json["timedOut"]?.bool ?? false, stopped: json["stopped"]?.bool ?? false)
  }
}

/// The files by which a command is found again: `child.json` says which process it is, `exit.json` how it ended.
struct ChildFiles {
  let directory: String
  var child: String { directory + "/child.json" }
  var exit: String { directory + "/exit.json" }
  var log: String { directory + "/output.log" }

  /// `durable`: nobody else will write it down. A process's identity need not outlast a power cut, which ends the process.
  func write(_ json: JSON, to path: String, durable: Bool) throws(Failure) {
    let bytes = Array((json.text() + "\n").utf8)
    if durable { return try Files.replace(path, with: bytes) }
    let part = path + ".part"
    let file = try OpenFile(part, O_WRONLY | O_CREAT | O_TRUNC)
    try file.write(bytes)
    try file.close()
    guard rename(part, path) == 0 else { throw systemFailure(errno, "cannot rename \(part)") }
  }

  func childEnd() throws(Failure) -> ChildEnd? {
    // A torn file (power went while it was written) says nothing.
    guard let text = try Files.textIfPresent(exit), let json = try? JSON(parsing: text) else { return nil }
    return ChildEnd(json: json)
  }

  func childProcess() throws(Failure) -> ProcessIdentity? {
    guard let text = try Files.textIfPresent(child), let json = try? JSON(parsing: text) else { return nil }
    return ProcessIdentity(json: json["child"])
  }

  /// Nil where an older kguard began it, or there is none.
  func childArguments() throws(Failure) -> [String]? {
    guard let text = try Files.textIfPresent(child) else { return nil }
    return try JSON(parsing: text)["argv"]?.array?.compactMap(\.string)
  }
}

/// What kguard asks of its supervisor: one line of JSON.
public struct ChildRequest: Sendable, Equatable {
  public var executable: String
  public var command: Command
  public var attemptDirectory: String
  public var timeout: Duration?
  public var grace: Duration

  public init(executable: String, command: Command, attemptDirectory: String, timeout: Duration?, grace: Duration = .seconds(10)) {
    self.executable = executable
    self.command = command
    self.attemptDirectory = attemptDirectory
    self.timeout = timeout
    self.grace = grace
  }

  var json: JSON {
    var environment = JSON.Members()
    for (name, value) in command.environment.sorted(by: { $0.key < $1.key }) { environment[name] = .string(value) }
    return [
      "executable": .string(executable), "argv": JSON(command.argv), "environment": .object(environment),
      "directory": JSON(command.directory), "attempt": .string(attemptDirectory),
      "timeout": timeout.map { .int($0.milliseconds) } ?? .null, "grace": .int(grace.milliseconds),
    ]
  }

  init?(json: JSON) {
    guard let executable = json["executable"]?.string, let attempt = json["attempt"]?.string, let argv = json["argv"]?.array,
      let environment = json["environment"]?.object
    else { return nil }
    let pairs = environment.pairs.compactMap { pair in pair.value.string.map { (pair.key, $0) } }
    self.init(
      executable: executable,
      command: Command(argv.compactMap(\.string), environment: Dictionary(pairs) { $1 }, directory: json["directory"]?.string),
      attemptDirectory: attempt, timeout: json["timeout"]?.int.map { .milliseconds($0) },
      grace: .milliseconds(json["grace"]?.int ?? 10_000))
  }
}
