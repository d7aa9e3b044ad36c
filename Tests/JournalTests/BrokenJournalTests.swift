import Glibc
import Host
import Journal
import Model
import Testing

/// A file that is no good journal, and the whole of what a command that reads and one that writes say about it.
struct BrokenJournal: Sendable, CustomTestStringConvertible {
  let title: String
  let make: @Sendable (JournalBench) throws -> Void
  let read: String?
  let write: String?
  var testDescription: String { title }

  init(_ title: String, read: String?, write: String?, make: @escaping @Sendable (JournalBench) throws -> Void) {
    self.title = title
    self.make = make
    self.read = read
    self.write = write
  }

  /// Reading and writing say the same.
  init(_ title: String, _ both: String, make: @escaping @Sendable (JournalBench) throws -> Void) {
    self.init(title, read: both, write: both, make: make)
  }

  static let left = "kguard leaves it as it is; "
  static let bringBack = left + "copy it away, then move STATE/kguard.db* aside to start a new journal, or bring back the off-site copy"
  static let foreign =
    "5 cannot use STATE/kguard.db as the journal: it is a SQLite file of another program\n" + left
    + "choose another directory with --state, or move the file away"
  static let noFile =
    "5 cannot use STATE/kguard.db as the journal: it is no file\n" + left + "choose another directory with --state, or move it away"
  static func damaged(_ why: String) -> String { "5 cannot use the journal STATE/kguard.db: it is damaged: \(why)\n\(bringBack)" }
  static func newer(_ format: String) -> String {
    "5 cannot use the journal STATE/kguard.db: a newer kguard wrote it (format \(format); this one knows 3)\n"
      + "install that kguard again; the journal is left as it is"
  }
}

private func flip(_ bench: JournalBench, at offset: Int, _ mask: UInt8) throws {
  try bench.fill(runs: 40)
  try bench.spoil { $0[offset] ^= mask }
}

private let brokenJournals: [BrokenJournal] = [
  BrokenJournal("text", BrokenJournal.damaged("file is not a database")) { bench in
    mkdir(bench.state, 0o700)
    try Files.replace(bench.file, with: Array(String(repeating: "this is no journal\n", count: 100).utf8))
  },
  BrokenJournal("a few bytes", BrokenJournal.damaged("file is not a database")) { bench in
    mkdir(bench.state, 0o700)
    try Files.replace(bench.file, with: [1, 2, 3])
  },
  BrokenJournal("zeros", BrokenJournal.damaged("file is not a database")) { bench in
    mkdir(bench.state, 0o700)
    try Files.replace(bench.file, with: [UInt8](repeating: 0, count: 8192))
  },
  BrokenJournal("half a header", BrokenJournal.damaged("database disk image is malformed")) { bench in
    try bench.fill()
    try bench.spoil { $0.removeLast($0.count - 50) }
  },
  BrokenJournal("only its first page", BrokenJournal.damaged("database disk image is malformed")) { bench in
    try bench.fill()
    try bench.spoil { $0.removeLast($0.count - 4096) }
  },
  BrokenJournal("cut in the middle", BrokenJournal.damaged("database disk image is malformed")) { bench in
    try bench.fill(runs: 40)
    try bench.spoil { $0.removeLast($0.count / 2) }
  },
  BrokenJournal("a bit of its magic", BrokenJournal.damaged("file is not a database")) { try flip($0, at: 3, 1) },
  BrokenJournal("a bit of its page size", BrokenJournal.damaged("file is not a database")) { try flip($0, at: 17, 1) },
  BrokenJournal("a bit of its schema's page", BrokenJournal.damaged("database disk image is malformed")) { try flip($0, at: 100, 0x80) },
  BrokenJournal(
    "a bit of a table's page", read: nil,
    write: BrokenJournal.damaged("Page 2: btreeInitPage() returns error code 11; Page 20 is never used; Page 21 is never used")
  ) {
    try flip($0, at: 4096, 0x80)
  },
  BrokenJournal(
    "a bit of a pointer", read: nil,
    write: BrokenJournal.damaged("On tree page 3 cell 0: Extends off end of page; row 1 missing from index sqlite_autoindex_runs_1")
  ) {
    try flip($0, at: 2 * 4096 + 9, 0x20)
  },
  BrokenJournal("a bit of its application id", BrokenJournal.foreign) { try flip($0, at: 68, 1) },
  BrokenJournal("a newer format", BrokenJournal.newer("4")) { bench in
    try bench.fill()
    try bench.sqlite("PRAGMA user_version = 4")
  },
  BrokenJournal("a much newer format", BrokenJournal.newer("2147483647")) { bench in
    try bench.fill()
    try bench.sqlite("PRAGMA user_version = 2147483647")
  },
  BrokenJournal("a format below zero", BrokenJournal.damaged("its format is -1")) { bench in
    try bench.fill()
    try bench.sqlite("PRAGMA user_version = -1")
  },
  BrokenJournal("no format", BrokenJournal.damaged("its format is 0")) { bench in
    try bench.fill()
    try bench.sqlite("PRAGMA user_version = 0")
  },
  BrokenJournal("another program's file", BrokenJournal.foreign) { bench in
    mkdir(bench.state, 0o700)
    try bench.sqlite("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
  },
  BrokenJournal("another program's file with an id of its own", BrokenJournal.foreign) { bench in
    mkdir(bench.state, 0o700)
    try bench.sqlite("PRAGMA application_id = 1; CREATE TABLE t (a)")
  },
  BrokenJournal("a directory", BrokenJournal.noFile) { bench in
    mkdir(bench.state, 0o700)
    mkdir(bench.file, 0o700)
  },
  BrokenJournal("a pipe", BrokenJournal.noFile) { bench in
    mkdir(bench.state, 0o700)
    mkfifo(bench.file, 0o600)
  },
  BrokenJournal(
    "a row that breaks its rules", read: nil, write: BrokenJournal.damaged("CHECK constraint failed in runs"),
    make: { bench in
      try bench.fill()
      try bench.sqlite("PRAGMA ignore_check_constraints = ON; UPDATE runs SET state = 'lost'")
    }),
  BrokenJournal(
    "an index that lost its row", read: nil,
    write: BrokenJournal.damaged("row 1 missing from index events_by_run; wrong # of entries in index events_by_run"),
    make: { bench in
      try bench.fill()
      try bench.sqlite(
        """
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = 'CREATE INDEX events_by_run ON events (run, sequence) WHERE sequence > 1' WHERE name = 'events_by_run';
        """)
      try bench.sqlite("REINDEX events_by_run")
      try bench.sqlite(
        """
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = 'CREATE INDEX events_by_run ON events (run, sequence)' WHERE name = 'events_by_run';
        """)
    }),
  BrokenJournal(
    "a state directory that others can look into", read: nil,
    write:
      "2 cannot keep the journal in STATE: other users can look into it\nrun `chmod 700 STATE`, or choose another directory with --state",
    make: { bench in
      try bench.fill()
      chmod(bench.state, 0o755)
    }),
  BrokenJournal(
    "a file in place of the state directory", read: "none",
    write: "1 cannot make the directory STATE: something else is there\nmove it away, or choose another path",
    make: { bench in try Files.replace(bench.state, with: [1]) }),
]

@Suite struct `A journal that cannot be used` {
  @Test(arguments: brokenJournals)
  func `is answered with what to do, and left as it is`(broken: BrokenJournal) throws {
    let bench = JournalBench()
    try broken.make(bench)
    let before = try bench.digest()
    #expect(bench.answer(.read) == broken.read)
    #expect(bench.answer(.write) == broken.write)
    #expect(try bench.digest() == before)
  }

  @Test(arguments: 0..<200)
  func `one flipped bit anywhere never traps, and is never written over where it is found`(seed: Int) throws {
    let bench = JournalBench()
    try bench.fill(runs: 8)
    try bench.spoil { bytes in
      // A fixed walk over the file: every page is met.
      let bit = (seed &* 2_654_435_761) % (bytes.count * 8)
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
    let before = try bench.digest()
    readEverything(bench)
    #expect(try bench.digest() == before)
    if bench.answer(.write) != nil { #expect(try bench.digest() == before) }
  }

  @Test func `times that no clock gives do not trap`() throws {
    let bench = JournalBench()
    try bench.fill()
    try bench.sqlite(
      "UPDATE runs SET created = -9223372036854775807, ended = 9223372036854775807; UPDATE attempts SET milliseconds = 9223372036854775807")
    let run = try #require(try bench.open(.read).history(limit: 1).first)
    #expect(try #require(run.ended) - run.created > .seconds(1))
    #expect(try bench.open(.read).steps(run.id).first?.attempts.first?.duration?.milliseconds == .max)
  }

  private func readEverything(_ bench: JournalBench) {
    do {
      guard let journal = try RunJournal.open(in: bench.state, .read) else { return }
      _ = try journal.owner()
      _ = try journal.currentRun()
      for run in try journal.history(limit: 100) {
        _ = "\(run.created) \(String(describing: run.ended.map { $0 - run.created }))"
        _ = try journal.run(run.id)
        _ = try journal.steps(run.id)
        _ = try journal.artifacts(run.id)
        _ = try journal.events(run.id)
      }
    } catch {
      // Refusing is as good as reading.
    }
  }
}

/// What the filesystem may refuse, for real: small and read-only filesystems.
@Suite(.enabled(if: JournalBench.mayMount, "mounting a tmpfs needs root")) struct `A filesystem that refuses` {
  @Test func `a journal on a read-only filesystem can be read and not be written`() throws {
    let bench = JournalBench()
    try bench.mount("size=8m,mode=700")
    let runs = try bench.fill(runs: 3)
    let before = try bench.digest()
    try bench.remount("ro")
    #expect(try bench.open(.read).history(limit: 10).map(\.id) == runs.reversed())
    #expect(
      bench.answer(.write)
        == "1 cannot use the journal STATE/kguard.db: it cannot be written: Read-only file system\n"
        + "run as root, and check that the filesystem is mounted writable")
    #expect(try bench.digest() == before)
  }

  @Test func `what a kguard that died left in the write-ahead log is read too`() throws {
    let bench = JournalBench()
    try bench.mount("size=8m,mode=700")
    try bench.fill()
    let journal = try bench.open()
    let late = try journal.createRun(JournalBench.newRun, playbookDigest: .zero, kguard: "0.1.0", salt: 1, at: JournalBench.start)
    #expect(try Files.info(bench.file + "-wal")?.size ?? 0 > 0)
    // The filesystem turns read-only under it, as after an error of the disk.
    let copy = JournalBench()
    try copy.mount("size=8m,mode=700")
    _ = try runCaptured("/bin/cp", Command(["cp", "-a", bench.state + "/.", copy.state]))
    try copy.remount("ro")
    #expect(try copy.open(.read).history(limit: 1).map(\.id) == [late])
    withExtendedLifetime(journal) {}
  }

  @Test func `there is no journal to be made on a read-only filesystem`() throws {
    let bench = JournalBench()
    try bench.mount("ro,size=8m,mode=700")
    #expect(bench.answer(.read) == "none")
    #expect(
      bench.answer(.write)
        == "1 cannot open STATE/kguard.db: Read-only file system\nthe filesystem is mounted read-only: find out why (dmesg), then mount it writable"
    )
  }

  @Test func `a full disk refuses a new journal and spoils none`() throws {
    let bench = JournalBench()
    try bench.mount("size=16k,mode=700")
    let refused =
      "1 cannot use the journal STATE/kguard.db: the disk is full\nfree space on the filesystem of STATE, then run `kguard resume`, "
      + "or the same command again where no run had begun"
    #expect(bench.answer(.write) == refused)
    // Nothing half-made is taken for a journal, and with room it is made.
    #expect(bench.answer(.read) == "none")
    try bench.remount("size=8m")
    #expect(bench.answer(.write) == nil)
    #expect(try bench.open(.read).history(limit: 1).isEmpty)
  }

  @Test func `a disk that fills up refuses a checkpoint whole`() throws {
    let bench = JournalBench()
    try bench.mount("size=400k,mode=700")
    let journal = try bench.open()
    var made = 0
    var refusal: Failure?
    while refusal == nil, made < 1000 {
      do throws(Failure) {
        _ = try journal.createRun(JournalBench.newRun, playbookDigest: .zero, kguard: "0.1.0", salt: 1, at: JournalBench.start)
        made += 1
      } catch {
        refusal = error
      }
    }
    #expect(refusal?.why == "the disk is full")
    #expect(refusal?.isTransient == true)
    #expect(try journal.history(limit: 1000).count == made)
    try bench.remount("size=8m")
    _ = try journal.createRun(JournalBench.newRun, playbookDigest: .zero, kguard: "0.1.0", salt: 1, at: JournalBench.start)
    #expect(try journal.history(limit: 1000).count == made + 1)
    #expect(try bench.sqlite("PRAGMA integrity_check; SELECT count(*) FROM steps") == "ok\n\((made + 1) * 3)\n")
  }
}
