internal import Host
internal import Model

/// Sees only what the live view needs: keys, and where their records stand.
private struct KeyVisitor: BoltVisitor {
  let table: LiveTable
  var isKeys = false

  mutating func enter(bucket name: UnsafeRawBufferPointer) { isKeys = isEqual(name, "key") }

  mutating func see(_ element: BoltElement) throws(Damage) {
    guard isKeys else { return }
    _ = try Revision(element.key)
    let key = try KeyValue.key(of: element.value)
    if !key.isEmpty { try table.take(element.offset, key: key) }
  }
}

extension LiveTable {
  /// Fills the table with the present range of keys.
  func fill(_ bolt: BoltFile, _ order: Order, stop: StopSignal?) throws(Failure) {
    var visitor = KeyVisitor(table: self)
    var walk = BoltWalk(bolt, stop: stop)
    try walk.run(&visitor)
    finish(order)
  }
}

/// The record of a key that is not deleted.
struct LiveRecord {
  let revision: Revision
  let content: KeyValue
}

extension BoltFile {
  func record(at offset: Int) throws(Damage) -> LiveRecord {
    guard let element = element(at: offset) else { throw Damage("a record at byte \(offset) has vanished") }
    let record = LiveRecord(revision: try Revision(element.key), content: try KeyValue(element.value))
    try record.content.check(record.revision)
    return record
  }
}

/// The live records of a database in the order of their keys, one at a time; memory does not grow with the database.
final class LiveCursor {
  let bolt: BoltFile
  private let table: LiveTable
  private let stop: StopSignal?
  private var next = 0

  init(_ bolt: BoltFile, maximumSlots: Int = LiveTable.usualSlots, stop: StopSignal?) throws(Failure) {
    self.bolt = bolt
    self.stop = stop
    table = LiveTable(bolt, maximumSlots: maximumSlots)
    try table.fill(bolt, .key, stop: stop)
  }

  /// Nil after the last.
  func pop() throws(Failure) -> LiveRecord? {
    while next == table.count {
      guard table.beginNextRange() else {
        try bolt.file.checkUnchanged()
        return nil
      }
      try table.fill(bolt, .key, stop: stop)
      next = 0
    }
    defer { next += 1 }
    do throws(Damage) { return try bolt.record(at: table.place(next)) } catch { throw damaged(bolt.path, error.why) }
  }
}
