import Glibc
import Host
import Journal
import Model
import Testing

@Suite struct `The journal` {
  let bench = JournalBench()
  private var now: Timestamp { JournalBench.start }

  @Test func `is a private file in a private directory`() throws {
    try bench.fill()
    #expect(try Files.info(bench.state)?.mode == 0o700)
    #expect(try Files.info(bench.file)?.mode == 0o600)
    let journal = try bench.open()
    _ = try journal.createRun(JournalBench.newRun, playbookDigest: .zero, kguard: "0.1.0", salt: 1, at: now)
    for name in try Files.list(bench.state) { #expect(try Files.info(bench.state + "/" + name)?.mode == 0o600, "\(name)") }
    #expect(try bench.sqlite("PRAGMA journal_mode") == "wal\n")
  }

  @Test func `closes an empty directory that others can read, and refuses one that holds something`() throws {
    try Files.makeDirectory(bench.state)
    try Files.setMode(bench.state, 0o755)
    _ = try bench.open()
    #expect(try Files.info(bench.state)?.mode == 0o700)
    let other = bench.state + "/other"
    try Files.makeDirectory(other)
    try Files.setMode(other, 0o755)
    try Files.replace(other + "/file", with: [])
    #expect(throws: Failure.self) { try RunJournal.open(in: other, .write) }
    #expect(try Files.info(other)?.mode == 0o755)
  }

  @Test func `is copied whole while others write, into one private file`() throws {
    let runs = try bench.fill(runs: 3)
    let writer = try bench.open()
    let copy = bench.state + "/copy.db"
    for round in 0..<5 {
      _ = try writer.createRun(JournalBench.newRun, playbookDigest: .zero, kguard: "0.1.0", salt: UInt16(round), at: now)
      // What an earlier one left is replaced.
      try bench.open(.read).copy(to: copy)
      #expect(try Files.info(copy)?.mode == 0o600)
      let directory = bench.state + "/copy-\(round)"
      try Files.makeDirectory(directory, mode: 0o700)
      try Files.move(copy, to: directory + "/kguard.db")
      try Files.replace(copy, with: Array("left".utf8))
      let journal = try #require(try RunJournal.open(in: directory, .read))
      #expect(try journal.history(limit: 100).count == runs.count + round + 1)
      #expect(try Files.list(directory) == ["kguard.db"])
    }
  }

  @Test func `that is not there yet reads as none, an empty file too, and is made by writing`() throws {
    #expect(bench.answer(.read) == "none")
    mkdir(bench.state, 0o700)
    try Files.replace(bench.file, with: [])
    #expect(bench.answer(.read) == "none")
    #expect(bench.answer(.write) == nil)
    #expect(bench.answer(.read) == nil)
  }

  @Test func `of an older format is brought up to date by the first that writes`() throws {
    let runs = try bench.fill(runs: 2)
    try bench.makeOld()
    #expect(
      bench.answer(.read) == "1 cannot read the journal STATE/kguard.db: an older kguard wrote it (format 1)\n"
        + "run any command that writes, for example `kguard resume`; it brings the journal up to date")
    #expect(bench.answer(.write) == nil)
    #expect(try bench.sqlite("PRAGMA user_version; SELECT count(*) FROM bundles") == "3\n0\n")
    #expect(try bench.open(.read).history(limit: 10).map(\.id) == runs.reversed())
  }

  @Test func `of an older format is left to the older kguard that works with it`() throws {
    try bench.fill()
    try bench.makeOld()
    guard let lock = try FileLock.take(bench.state + "/lock") else { throw Failure(what: "no lock", why: "", next: "") }
    #expect(
      bench.answer(.write) == "6 cannot bring the journal STATE/kguard.db up to date: an older kguard works with it (process 1)\n"
        + "wait for its end, or end it, then run the same command again")
    #expect(try bench.sqlite("PRAGMA user_version") == "1\n")
    _ = consume lock
    #expect(bench.answer(.write) == nil)
  }

  @Test func `keeps a run as it was written down`() throws {
    let id = try #require(try bench.fill().first)
    let journal = try bench.open(.read)
    let run = try #require(try journal.run(id))
    #expect(run.playbookText == JournalBench.newRun.playbookText)
    #expect(run.inputs == ["word": "hello"])
    #expect(run.state == .succeeded)
    #expect(run.ended == now)
    let steps = try journal.steps(id)
    #expect(steps.map(\.id) == ["one", "two", "three"])
    #expect(steps.map(\.action) == ["run", "shell", "run"])
    #expect(steps.allSatisfy { $0.state == .succeeded && $0.evidence == ["exit": 0] && $0.attempts.count == 1 })
    #expect(try journal.artifacts(id).map(\.path) == ["/tmp/\(id)"])
    let events = try journal.events(id)
    #expect(events.map(\.sequence) == events.map(\.sequence).sorted())
    #expect(
      events.map(\.type) == ["run-created", "run-running"] + [["attempt-started", "attempt-succeeded"]].cycled(3).flatMap { $0 } + [
        "run-succeeded"
      ])
  }

  @Test func `names states as the program does`() throws {
    try bench.fill()
    let schema = try bench.sqlite(".schema")
    for state in RunState.allCases { #expect(schema.contains("'\(state.rawValue)'")) }
    for state in StepState.allCases { #expect(schema.contains("'\(state.rawValue)'")) }
    for (table, column) in [("runs", "state"), ("steps", "state"), ("attempts", "outcome"), ("artifacts", "state")] {
      #expect(throws: Failure.self) { try bench.sqlite("UPDATE \(table) SET \(column) = 'unheard-of'") }
    }
  }

  @Test(arguments: ["UPDATE events SET type = 'other'", "DELETE FROM events", "REPLACE INTO events SELECT * FROM events"])
  func `lets nobody change or remove an event`(sql: String) throws {
    try bench.fill()
    let before = try bench.sqlite("SELECT * FROM events")
    if sql.hasPrefix("REPLACE") {
      // SQLite fires no trigger for the row that REPLACE removes unless it is told to; the row stays the same here.
      _ = try? bench.sqlite(sql)
    } else {
      #expect(throws: Failure.self) { try bench.sqlite(sql) }
    }
    #expect(try bench.sqlite("SELECT * FROM events") == before)
  }

  @Test func `is written by its owner only`() throws {
    let first = try bench.open()
    let id = try first.createRun(JournalBench.newRun, playbookDigest: .zero, kguard: "0.1.0", salt: 1, at: now)
    let epoch = try first.owner().epoch
    let second = try bench.open()
    #expect(try second.owner().epoch == epoch + 1)
    let before = try bench.sqlite("SELECT * FROM runs; SELECT * FROM steps; SELECT * FROM events; SELECT * FROM owner")
    let refusals: [() throws -> Void] = [
      { try first.record(id, .start, at: now) },
      { try first.stepStarted(id, 0, attempt: 1, at: now) },
      { try first.note(id, step: nil, "note", [:], at: now) },
      { try first.artifact(id, step: "one", kind: "file", path: "/", .planned, at: now) },
      { _ = try first.createRun(JournalBench.newRun, playbookDigest: .zero, kguard: "0.1.0", salt: 1, at: now) },
    ]
    for refusal in refusals {
      let failure = #expect(throws: Failure.self) { try refusal() }
      #expect(failure?.exit == .held)
      #expect(failure?.what == "this kguard stops")
      #expect(failure?.why == "process \(getpid()) took over the node")
    }
    #expect(try bench.sqlite("SELECT * FROM runs; SELECT * FROM steps; SELECT * FROM events; SELECT * FROM owner") == before)
    try second.record(id, .start, at: now)
  }

  @Test func `is written by nobody who does not own it`() throws {
    try bench.fill()
    let journal = try #require(try RunJournal.open(in: bench.state, .write))
    #expect(throws: Failure.self) { try journal.createRun(JournalBench.newRun, playbookDigest: .zero, kguard: "0.1.0", salt: 1, at: now) }
  }

  @Test func `keeps two writers apart`() throws {
    let id = try #require(try bench.fill().first)
    let other = try Spawn.start(
      "/usr/bin/sqlite3", Command(["sqlite3", bench.file]), input: .descriptor(try holdingLock()), output: .null, error: .null)
    defer {
      kill(other, SIGKILL)
      _ = Spawn.wait(other)
    }
    try waitUntilLocked()
    // The other never ends its transaction: after five seconds this one gives up, and says who is in the way.
    let journal = try #require(try RunJournal.open(in: bench.state, .read))
    #expect(try journal.run(id) != nil)
    #expect(
      bench.answerToOwnership()
        == "6 cannot use the journal STATE/kguard.db: another process keeps it locked\nwait for the other kguard (`kguard status`), then try again"
    )
  }

  /// The reading end of a pipe with the words of a transaction that does not end.
  private func holdingLock() throws -> Int32 {
    var ends: [Int32] = [-1, -1]
    pipe(&ends)
    _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
    let words = ".timeout 10000\nBEGIN IMMEDIATE;\n"
    _ = words.withCString { write(ends[1], $0, strlen($0)) }
    return ends[0]
  }

  private func waitUntilLocked() throws {
    let end = monotonicNow() + .seconds(20)
    while (try? bench.sqlite("PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; ROLLBACK")) != nil {
      try #require(monotonicNow() < end, "sqlite3 never took the lock")
      poll(nil, 0, 10)
    }
  }

  @Test func `finds runs by a part of their id, and by nothing else`() throws {
    let runs = try bench.fill(runs: 3)
    let journal = try bench.open(.read)
    #expect(try journal.runs(matching: runs[1].text) == [runs[1]])
    #expect(try journal.runs(matching: String(runs[0].text.prefix(4))).count == 3)
    for text in ["", "%", "_", "' OR 1 = 1 --", "00%", "é"] { #expect(try journal.runs(matching: text).isEmpty, "\(text)") }
  }

  @Test func `gives ids that sort by time, even when the clock jumps back`() throws {
    let journal = try bench.open()
    let times: [Int64] = [0, 1000, -86_400_000, 500, 2000]
    let runs = try times.map {
      try journal.createRun(
        JournalBench.newRun, playbookDigest: .zero, kguard: "0.1.0", salt: 1, at: Timestamp(milliseconds: now.milliseconds + $0))
    }
    #expect(runs == runs.sorted())
    #expect(Set(runs).count == runs.count)
  }
}

extension JournalBench {
  /// What taking the node says, whole.
  func answerToOwnership() -> String? {
    do throws(Failure) {
      guard let journal = try RunJournal.open(in: state, .write) else { return "none" }
      try journal.takeOwnership(ProcessIdentity.current(), at: Self.start)
      return nil
    } catch {
      return "\(error.exit.rawValue) \(error.what): \(error.why)\n\(error.next)".replacing(state, with: "STATE")
    }
  }
}

extension Array {
  func cycled(_ times: Int) -> [Element] { (0..<times).flatMap { _ in self } }
}
