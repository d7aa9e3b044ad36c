internal import Glibc
internal import Host
internal import Model

/// A program of etcd's that kguard started in a group of its own, with its output in a log file.
struct OwnProcess {
  let identity: ProcessIdentity
  let log: String

  /// Starts `argv` with a bare environment.
  static func start(_ argv: [String], directory: String, log: String) throws(Failure) -> OwnProcess {
    let output = try OpenFile(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, mode: 0o600)
    let pid = try Spawn.start(
      argv.first ?? "", EtcdTool.bare(argv, directory: directory), output: .descriptor(output.descriptor),
      error: .descriptor(output.descriptor), leads: .group)
    // One that ended at once has no identity any more; its zombie keeps the pid until it is waited for.
    let identity = ProcessIdentity.of(pid) ?? ProcessIdentity(pid: pid, start: 0, boot: "")
    return OwnProcess(identity: identity, log: log)
  }

  var isAlive: Bool { identity.isAlive }

  /// Waits for its end; after `limit`, or where a stop is asked for, it is stopped.
  func finish(within limit: Duration, stop: StopSignal?) -> (end: ProcessEnd, wasCut: Bool) {
    let ended = identity.waitForEnd(limit, stop: stop)
    if !ended { return (self.stop(), true) }
    return (Spawn.wait(identity.pid), false)
  }

  /// SIGTERM, ten seconds, SIGKILL.
  @discardableResult
  func stop() -> ProcessEnd {
    identity.signal(SIGTERM)
    if !identity.waitForEnd(.seconds(10)) { identity.signal(SIGKILL) }
    return Spawn.wait(identity.pid)
  }

  /// The last line of its log that says something.
  var lastWords: String {
    let text = (try? Files.textIfPresent(log, limit: 8 << 20)) ?? nil
    let lines = (text ?? "").split(whereSeparator: \.isNewline)
    return lines.last { !$0.allSatisfy(\.isWhitespace) }.map { String($0.prefix(500)) } ?? "it said nothing"
  }

  /// Ends what a kguard that died has left running: programs of etcd's that were given one of these directories as an argument. Their
  /// names hold the id of a run, so that nobody else uses them.
  static func endAll(using directories: [String]) throws(Failure) {
    for identity in try running(using: directories) {
      identity.signal(SIGTERM)
      if !identity.waitForEnd(.seconds(5)) { identity.signal(SIGKILL) }
      guard identity.waitForEnd(.seconds(10)) else {
        throw Failure(
          what: "cannot clean up after an earlier drill", why: "process \(identity.pid) does not end, even by SIGKILL",
          next: "look at what it waits for (cat /proc/\(identity.pid)/stack), then try again")
      }
    }
  }

  private static func running(using directories: [String]) throws(Failure) -> [ProcessIdentity] {
    let wanted = directories.flatMap { ["--data-dir=" + $0, "--data-dir=" + $0 + "/data"] }
    return try Files.list("/proc").compactMap { Int32($0) }.compactMap { pid in
      guard let bytes = try? Files.read("/proc/\(pid)/cmdline", limit: 1 << 20) else { return nil }
      let words = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      return words.contains(where: wanted.contains) ? ProcessIdentity.of(pid) : nil
    }
  }
}
