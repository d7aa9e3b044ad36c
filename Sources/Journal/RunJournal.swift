internal import CSQLite
internal import Glibc
public import Host
public import Model

/// The record of everything: runs, steps, attempts, artifacts and events, in one SQLite file. For one thread.
///
/// Every method that writes is one durable transaction: when it returns, a power cut does not undo it.
public final class RunJournal {
  public enum Access: Sendable { case read, write }

  let database: Connection
  public let path: String
  /// Raised by every kguard that takes the node; a write under an older one is refused.
  var epoch: Int64?

  /// Opens `DIRECTORY/kguard.db`. Nil: there is none, and `access` is only to read.
  public static func open(in directory: String, _ access: Access) throws(Failure) -> RunJournal? {
    let path = directory + "/kguard.db"
    if access == .write {
      try prepareDirectory(directory)
      try createEmpty(path)
    }
    guard let info = try Files.info(path) else { return nil }
    guard info.kind == .file else {
      throw Failure(
        .needsOperator, what: "cannot use \(path) as the journal", why: "it is no file",
        next: "kguard leaves it as it is; choose another directory with --state, or move it away")
    }
    if info.size == 0 && access == .read { return nil }
    if access == .write, Glibc.access(path, W_OK) != 0 {
      throw journalFailure(SQLITE_READONLY, "cannot use", path: path, detail: String(cString: strerror(errno)))
    }
    // The header is looked at before anything is written: a foreign or newer file stays as it is.
    let (journal, version) = try checked(path, access)
    if access == .read {
      // A kguard that died while it made the journal leaves one without tables: no run was written down.
      if version == 0 { return nil }
      guard version == Schema.version else {
        throw Failure(
          what: "cannot read the journal \(path)", why: "an older kguard wrote it (format \(version))",
          next: "run any command that writes, for example `kguard resume`; it brings the journal up to date")
      }
    } else {
      try journal.prepareForWriting()
      if version < Schema.version { try journal.migrate(from: version, in: directory) }
    }
    return journal
  }

  /// Who holds this file's lock owns the node.
  public static func nodeLock(in directory: String) -> String { directory + "/lock" }

  init(_ path: String, _ access: Connection.Access) throws(Failure) {
    self.path = path
    database = try Connection(path, access)
  }

  /// The journal in the file, its format looked at.
  private static func checked(_ path: String, _ access: Access) throws(Failure) -> (RunJournal, version: Int64) {
    do throws(Failure) {
      let journal = try RunJournal(path, access == .write ? .create : .read)
      return (journal, try journal.checkHeader())
    } catch {
      // Even to read, SQLite makes a file beside the journal. Where none can be made (read-only, full) and nothing waits in the
      // write-ahead log, the journal is whole by itself and nobody writes.
      guard access == .read, error.exit == .failed, (try Files.info(path + "-wal")?.size ?? 0) == 0 else { throw error }
      let journal = try RunJournal(path, .readAlone)
      return (journal, try journal.checkHeader())
    }
  }

  private static func prepareDirectory(_ directory: String) throws(Failure) {
    try Files.makeDirectory(directory, mode: 0o700)
    // kubelet makes the directory of a CronJob's volume for everybody to read: while nothing is in it, nothing has been seen.
    if let made = try Files.info(directory), made.mode & 0o077 != 0, made.mode & 0o1022 == 0, made.owner == geteuid(),
      try Files.list(directory).isEmpty
    {
      try Files.setMode(directory, 0o700)
    }
    guard let info = try Files.info(directory), info.mode & 0o077 == 0 else {
      throw Failure(
        .usage, what: "cannot keep the journal in \(directory)", why: "other users can look into it",
        next: "run `chmod 700 \(directory)`, or choose another directory with --state")
    }
  }

  /// SQLite would make the file with the umask's mode.
  private static func createEmpty(_ path: String) throws(Failure) {
    if try Files.exists(path) { return }
    let file = try OpenFile(path, O_RDWR | O_CREAT, mode: 0o600)
    try file.close()
    try Files.syncDirectory(Files.directory(of: path))
  }

  /// The format of the journal; 0 where the file holds nothing yet.
  func checkHeader() throws(Failure) -> Int64 {
    // At one moment: another kguard may be making the journal just now.
    let (application, version, tables) = try database.snapshot { () throws(Failure) -> (Int64, Int64, Int64) in
      (
        try database.row("PRAGMA application_id") { $0.int(0) } ?? 0, try format(),
        try database.row("SELECT count(*) FROM sqlite_schema") { $0.int(0) } ?? 0
      )
    }
    if application == 0 && version == 0 && tables == 0 { return 0 }
    guard application == Schema.applicationID else {
      throw Failure(
        .needsOperator, what: "cannot use \(path) as the journal", why: "it is a SQLite file of another program",
        next: "kguard leaves it as it is; choose another directory with --state, or move the file away")
    }
    guard version > 0 else { throw journalFailure(SQLITE_CORRUPT, "cannot use", path: path, detail: "its format is \(version)") }
    guard version <= Schema.version else {
      throw Failure(
        .needsOperator, what: "cannot use the journal \(path)",
        why: "a newer kguard wrote it (format \(version); this one knows \(Schema.version))",
        next: "install that kguard again; the journal is left as it is")
    }
    return version
  }

  private func prepareForWriting() throws(Failure) {
    let problems = try database.rows("PRAGMA integrity_check(3)") { $0.text(0) }
      .flatMap { $0.split(separator: "\n").filter { !$0.hasPrefix("***") } }
    guard problems == ["ok"] else {
      throw journalFailure(SQLITE_CORRUPT, "cannot use", path: path, detail: problems.joined(separator: "; "))
    }
    try database.execute("PRAGMA journal_mode = WAL")
    try database.execute("PRAGMA synchronous = FULL")
    try database.execute("PRAGMA foreign_keys = ON")
  }

  /// Which migrations it has.
  private func format() throws(Failure) -> Int64 { try database.row("PRAGMA user_version") { $0.int(0) } ?? 0 }

  /// Brings the journal up to date. An older kguard that is at work would not understand it any more: the node is held meanwhile.
  private func migrate(from version: Int64, in directory: String) throws(Failure) {
    if version == 0 { return try migrate() }
    guard let lock = try FileLock.take(Self.nodeLock(in: directory)) else {
      let who = try owner().process.map { "process \($0.pid)" } ?? "another process"
      throw Failure(
        .held, what: "cannot bring the journal \(path) up to date", why: "an older kguard works with it (\(who))",
        next: "wait for its end, or end it, then run the same command again")
    }
    try migrate()
    _ = consume lock
  }

  private func migrate() throws(Failure) {
    while true {
      let isDone = try database.transaction { () throws(Failure) -> Bool in
        // Looked at again: another kguard may have done it since.
        let done = Int(try format())
        guard Schema.migrations.indices.contains(done) else { return true }
        try database.execute(Schema.migrations[done])
        try database.execute("PRAGMA application_id = \(Schema.applicationID)")
        try database.execute("PRAGMA user_version = \(done + 1)")
        try failpoint("journal/migrate.before")
        return false
      }
      if isDone { return }
      try failpoint("journal/migrate.after")
    }
  }
}

// MARK: - Ownership

extension RunJournal {
  public func owner() throws(Failure) -> OwnerRecord {
    let owner = try database.row("SELECT epoch, run, process, since FROM owner") { (row) throws(Failure) in
      OwnerRecord(
        epoch: row.int(0), run: row.textIfAny(1).flatMap { RunID($0) }, process: ProcessIdentity(json: try row.json(2)), since: row.time(3))
    }
    return owner ?? OwnerRecord(epoch: 0, run: nil, process: nil, since: nil)
  }

  /// This process owns the node from now on: whoever owned it before can write no checkpoint any more.
  public func takeOwnership(_ process: ProcessIdentity, at now: Timestamp) throws(Failure) {
    epoch = try database.transaction { () throws(Failure) in
      try database.run("UPDATE owner SET epoch = epoch + 1, run = NULL, process = ?, since = ?", SQLValue(process.json), SQLValue(now))
      return try owner().epoch
    }
  }

  /// Whether this process still owns the node; a failure where another took over.
  public func checkOwnership() throws(Failure) {
    let now = try owner()
    guard let epoch, now.epoch == epoch else {
      let who = now.process.map { "process \($0.pid)" } ?? "another process"
      throw Failure(
        .held, what: "this kguard stops", why: "\(who) took over the node" + (now.run.map { " with run \($0)" } ?? ""),
        next: "follow it with `kguard status -w`")
    }
  }

  /// One durable transaction of the owner.
  func checkpoint<T>(_ body: () throws(Failure) -> T) throws(Failure) -> T {
    try database.transaction { () throws(Failure) in
      try checkOwnership()
      return try body()
    }
  }
}
