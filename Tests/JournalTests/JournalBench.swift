import Glibc
import Host
import Journal
import Model
import Testing

/// A state directory of a test's own, and Debian's `sqlite3` to look at its journal and to spoil it.
final class JournalBench {
  let path: String
  var state: String { path + "/state" }
  var file: String { state + "/kguard.db" }
  private var mounted = false

  init() {
    var template = Array("/tmp/kguard-journal-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
  }

  deinit {
    if mounted { _ = try? runCaptured("/bin/umount", Command(["umount", "-l", state])) }
    _ = try? runCaptured("/bin/rm", Command(["rm", "-rf", path]))
  }

  static let start = Timestamp(milliseconds: 1_700_000_000_000)
  static let mayMount = getuid() == 0

  /// An open journal; where it is to be written, this process owns the node.
  func open(_ access: RunJournal.Access = .write) throws -> RunJournal {
    let journal = try #require(try RunJournal.open(in: state, access))
    if access == .write { try journal.takeOwnership(ProcessIdentity.current(), at: Self.start) }
    return journal
  }

  /// A journal with runs of three steps each, the same bytes every time.
  @discardableResult
  func fill(runs: Int = 1) throws -> [RunID] {
    let journal = try #require(try RunJournal.open(in: state, .write))
    try journal.takeOwnership(ProcessIdentity(pid: 1, start: 2, boot: "boot"), at: Self.start)
    return try (0..<runs).map { number in
      let at = Timestamp(milliseconds: Self.start.milliseconds + Int64(number) * 60_000)
      let id = try journal.createRun(Self.newRun, playbookDigest: .zero, kguard: "0.1.0", salt: 7, at: at)
      try journal.record(id, .start, at: at)
      for position in 0..<3 {
        try journal.stepStarted(id, position, attempt: 1, at: at)
        try journal.attemptEnded(
          id, position, attempt: 1, .succeeded, evidence: ["exit": 0], duration: .milliseconds(3), settles: .succeed, at: at)
      }
      try journal.artifact(id, step: "one", kind: "file", path: "/tmp/\(id)", .present, at: at)
      try journal.record(id, .succeed, at: at)
      return id
    }
  }

  static var newRun: NewRun {
    NewRun(
      playbook: "three", playbookFile: "three.yaml", playbookText: String(repeating: "# three steps\n", count: 40),
      inputs: ["word": "hello"],
      config: [:], root: "/", parent: nil, steps: [("one", "run"), ("two", "shell"), ("three", "run")])
  }

  @discardableResult
  func sqlite(_ sql: String) throws -> String {
    let result = try runCaptured("/usr/bin/sqlite3", Command(["sqlite3", "-bail", file, sql]))
    guard result.end.isSuccess else { throw Failure(what: "sqlite3", why: result.lastWords, next: "") }
    return result.text
  }

  /// Changes the journal's bytes where they lie.
  func spoil(_ change: (inout [UInt8]) -> Void) throws {
    var bytes = try Files.read(file)
    change(&bytes)
    try Files.replace(file, with: bytes)
  }

  /// A small filesystem of its own in place of the state directory, until the test ends.
  func mount(_ options: String) throws {
    mkdir(state, 0o700)
    let result = try runCaptured("/bin/mount", Command(["mount", "-t", "tmpfs", "-o", options, "tmpfs", state]))
    try #require(result.end.isSuccess, "\(result.errorText)")
    mounted = true
  }

  func remount(_ options: String) throws {
    // A child that another test has just forked holds every descriptor until it becomes its program: busy for that long.
    let end = monotonicNow() + .seconds(10)
    var result: CommandResult
    repeat {
      result = try runCaptured("/bin/mount", Command(["mount", "-o", "remount,\(options)", state]))
    } while result.errorText.contains("busy") && monotonicNow() < end
    try #require(result.end.isSuccess, "\(result.errorText)")
  }

  /// Digest of the journal's bytes; nil where there is no file.
  func digest() throws -> Digest? { try Files.info(file)?.kind == .file ? sha256(try Files.read(file)) : nil }

  /// What opening says, whole, with the state directory as `STATE`; nil where it opens, `none` where there is no journal.
  func answer(_ access: RunJournal.Access) -> String? {
    do throws(Failure) {
      return try RunJournal.open(in: state, access) == nil ? "none" : nil
    } catch {
      return "\(error.exit.rawValue) \(error.what): \(error.why)\n\(error.next)".replacing(state, with: "STATE")
    }
  }
}

extension String {
  func replacing(_ part: String, with other: String) -> String {
    var out = "", rest = self[...]
    while let range = rest.firstRange(of: part) {
      out += rest[..<range.lowerBound] + other
      rest = rest[range.upperBound...]
    }
    return out + rest
  }
}
