internal import Host
public import Model

extension RunJournal {
  /// Opens the journal for a quick look: it waits for nobody, and no file is made beside it. Nil where there is none that this kguard
  /// knows. What another process is writing right now may be missed.
  public static func glance(in directory: String) throws(Failure) -> RunJournal? {
    let path = directory + "/kguard.db"
    guard let info = try Files.info(path), info.kind == .file, info.size > 0 else { return nil }
    // Only where the write-ahead log holds something must SQLite look into it; it is shared with whoever writes.
    let isInUse = try Files.info(path + "-wal").map { $0.size > 0 } ?? false
    let journal = try RunJournal(path, isInUse ? .read : .readAlone)
    journal.database.waitAtMost(milliseconds: 50)
    return try journal.checkHeader() == Schema.version ? journal : nil
  }
}
