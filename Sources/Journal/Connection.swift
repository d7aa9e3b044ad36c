internal import CSQLite
internal import Glibc
internal import Host
internal import Model

/// A connection to one SQLite file. For one thread. Statements are prepared once and kept.
final class Connection {
  private let handle: OpaquePointer
  private var prepared: [String: Statement] = [:]
  let path: String

  enum Access {
    case read
    /// Only read, a file that nobody else changes: no lock is taken, and no file made beside it.
    case readAlone
    /// Write, and make the file where it is missing.
    case create
  }

  init(_ path: String, _ access: Access) throws(Failure) {
    var opened: OpaquePointer?
    let code =
      switch access {
      case .read: sqlite3_open_v2(path, &opened, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nil)
      case .readAlone: sqlite3_open_v2(Self.immutable(path), &opened, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, nil)
      case .create: sqlite3_open_v2(path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nil)
      }
    guard code == SQLITE_OK, let opened else {
      let failure = journalFailure(code, "cannot open", path: path, detail: opened.map { String(cString: sqlite3_errmsg($0)) })
      sqlite3_close_v2(opened)
      throw failure
    }
    handle = opened
    self.path = path
    sqlite3_extended_result_codes(handle, 1)
    // A second kguard's short transaction is waited for.
    waitAtMost(milliseconds: 5000)
  }

  func waitAtMost(milliseconds: Int32) { sqlite3_busy_timeout(handle, milliseconds) }

  deinit {
    prepared.removeAll()
    sqlite3_close_v2(handle)
  }

  private static func immutable(_ path: String) -> String {
    let escaped = path.map { ["%": "%25", "?": "%3f", "#": "%23"][$0] ?? String($0) }.joined()
    return "file:\(escaped)?immutable=1"
  }

  /// Runs SQL that gives no rows and takes no values.
  func execute(_ sql: String) throws(Failure) {
    let code = sqlite3_exec(handle, sql, nil, nil, nil)
    guard code == SQLITE_OK else { throw failure(code, sql) }
  }

  func run(_ sql: String, _ values: SQLValue...) throws(Failure) {
    try query(sql, values) { _ in }
  }

  func rows<T>(_ sql: String, _ values: SQLValue..., read: (Row) throws(Failure) -> T) throws(Failure) -> [T] {
    var out: [T] = []
    try query(sql, values) { (row) throws(Failure) in out.append(try read(row)) }
    return out
  }

  func row<T>(_ sql: String, _ values: SQLValue..., read: (Row) throws(Failure) -> T) throws(Failure) -> T? {
    var out: T?
    try query(sql, values) { (row) throws(Failure) in out = try read(row) }
    return out
  }

  /// One transaction: all of it is on disk when this returns, or nothing happened.
  func transaction<T>(_ body: () throws(Failure) -> T) throws(Failure) -> T {
    try execute("BEGIN IMMEDIATE")
    do throws(Failure) {
      let result = try body()
      try execute("COMMIT")
      return result
    } catch {
      // Where COMMIT itself failed SQLite may have rolled back already.
      if sqlite3_get_autocommit(handle) == 0 { try? execute("ROLLBACK") }
      throw error
    }
  }

  /// Reads that see the file as it is at one moment.
  func snapshot<T>(_ body: () throws(Failure) -> T) throws(Failure) -> T {
    try execute("BEGIN")
    defer { if sqlite3_get_autocommit(handle) == 0 { try? execute("ROLLBACK") } }
    return try body()
  }

  private func query(_ sql: String, _ values: [SQLValue], each: (Row) throws(Failure) -> Void) throws(Failure) {
    let statement = try prepare(sql)
    defer { statement.reset() }
    statement.bind(values)
    while true {
      let code = sqlite3_step(statement.handle)
      if code == SQLITE_DONE { return }
      guard code == SQLITE_ROW else { throw failure(code, sql) }
      try each(Row(statement: statement.handle))
    }
  }

  private func prepare(_ sql: String) throws(Failure) -> Statement {
    if let statement = prepared[sql] { return statement }
    var handle: OpaquePointer?
    let code = sqlite3_prepare_v3(self.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
    guard code == SQLITE_OK, let handle else { throw failure(code, sql) }
    let statement = Statement(handle)
    prepared[sql] = statement
    return statement
  }

  private func failure(_ code: Int32, _ sql: String) -> Failure {
    // SQLite calls a file that cannot be made larger an I/O error; only the system's own code says why.
    let isFull = [ENOSPC, EDQUOT].contains(sqlite3_system_errno(handle)) && [SQLITE_IOERR, SQLITE_CANTOPEN].contains(code & 0xff)
    return isFull
      ? journalFailure(SQLITE_FULL, "cannot use", path: path, detail: nil)
      : journalFailure(code, "cannot use", path: path, detail: String(cString: sqlite3_errmsg(handle)))
  }
}

enum SQLValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
  case null
  case int(Int64)
  case text(String)

  init(stringLiteral value: String) { self = .text(value) }
  init(integerLiteral value: Int64) { self = .int(value) }
  init(_ value: String?) { self = value.map(SQLValue.text) ?? .null }
  init(_ value: Int64?) { self = value.map(SQLValue.int) ?? .null }
  init(_ value: Timestamp?) { self = value.map { .int($0.milliseconds) } ?? .null }
  init(_ value: JSON?) { self = value.map { .text($0.text()) } ?? .null }
}

/// The present row of a running query; valid only inside the closure that receives it.
struct Row {
  fileprivate let statement: OpaquePointer

  fileprivate init(statement: OpaquePointer) { self.statement = statement }

  func int(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }
  func isNull(_ column: Int32) -> Bool { sqlite3_column_type(statement, column) == SQLITE_NULL }

  func text(_ column: Int32) -> String {
    let count = Int(sqlite3_column_bytes(statement, column))
    let bytes = UnsafeBufferPointer(start: sqlite3_column_text(statement, column), count: count)
    return String(decoding: bytes, as: UTF8.self)
  }

  func textIfAny(_ column: Int32) -> String? { isNull(column) ? nil : text(column) }
  func intIfAny(_ column: Int32) -> Int64? { isNull(column) ? nil : int(column) }
  /// A time between 1970 and 9999: a damaged row must not overflow what is computed from it.
  func time(_ column: Int32) -> Timestamp? { intIfAny(column).map { Timestamp(milliseconds: min(max($0, 0), 253_402_300_799_999)) } }
  func json(_ column: Int32) throws(Failure) -> JSON? {
    guard let text = textIfAny(column) else { return nil }
    return try JSON(parsing: text)
  }
}

private final class Statement {
  let handle: OpaquePointer

  init(_ handle: OpaquePointer) { self.handle = handle }
  deinit { sqlite3_finalize(handle) }

  func reset() {
    sqlite3_reset(handle)
    sqlite3_clear_bindings(handle)
  }

  func bind(_ values: [SQLValue]) {
    for (index, value) in values.enumerated() {
      let at = Int32(index + 1)
      switch value {
      case .null: sqlite3_bind_null(handle, at)
      case .int(let int): sqlite3_bind_int64(handle, at, int)
      case .text(let text): kg_bind_text(handle, at, text, Int32(clamping: text.utf8.count))
      }
    }
  }
}

/// The one place that turns SQLite's codes into words. Bound values never appear in them.
func journalFailure(_ code: Int32, _ doing: String, path: String, detail: String?) -> Failure {
  let what = "\(doing) the journal \(path)"
  let why = detail ?? String(cString: sqlite3_errstr(code))
  let again = "run `kguard resume`, or the same command again where no run had begun"
  switch code & 0xff {
  case SQLITE_FULL:
    return Failure(
      what: what, why: "the disk is full", next: "free space on the filesystem of \(Files.directory(of: path)), then " + again,
      isTransient: true)
  case SQLITE_NOTADB, SQLITE_CORRUPT:
    return Failure(
      .needsOperator, what: what, why: "it is damaged: \(why)",
      next: "kguard leaves it as it is; copy it away, then move \(path)* aside to start a new journal, or bring back the off-site copy")
  case SQLITE_BUSY, SQLITE_LOCKED:
    return Failure(
      .held, what: what, why: "another process keeps it locked", next: "wait for the other kguard (`kguard status`), then try again")
  case SQLITE_READONLY:
    return Failure(what: what, why: "it cannot be written: \(why)", next: "run as root, and check that the filesystem is mounted writable")
  case SQLITE_CANTOPEN:
    return Failure(what: what, why: why, next: "check that the directory exists and that you may read it (run as root)")
  case SQLITE_IOERR:
    return Failure(what: what, why: "the disk reports an error: \(why)", next: "look at dmesg, then " + again)
  default:
    return Failure(what: what, why: "\(why) (code \(code))", next: "report this as a bug, with the output of `kguard version`")
  }
}
