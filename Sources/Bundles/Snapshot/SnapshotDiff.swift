public import Host
public import Model

/// One key that differs between two snapshots.
public struct ObjectChange: Sendable {
  public enum What: String, Sendable, CaseIterable { case added, changed, gone }
  public let what: What
  /// As the later snapshot has it; where it is gone, as the earlier one had it.
  public let object: LiveObject
  public let identity: ObjectIdentity
  /// The revision that the earlier snapshot had.
  public let earlierRevision: Int64?

  /// What the object calls itself; the name of its resource where the value does not say.
  public var kind: String { identity.kind ?? object.resource }

  public var json: JSON {
    [
      "change": .string(what.rawValue), "kind": .string(kind), "namespace": JSON(object.namespace), "name": .string(object.name),
      "key": .string(object.key), "modRevision": .int(object.modRevision), "earlierRevision": earlierRevision.map { .int($0) } ?? .null,
    ]
  }
}

/// How much differs between two snapshots.
public struct DiffSummary: Sendable, Equatable {
  public internal(set) var added = 0
  public internal(set) var changed = 0
  public internal(set) var gone = 0
  public internal(set) var same = 0
  public var isEqual: Bool { added + changed + gone == 0 }

  public var json: JSON { ["added": JSON(added), "changed": JSON(changed), "gone": JSON(gone), "same": JSON(same)] }
}

/// Compares the live keys of two snapshots by value; revisions and leases make no difference. Changes come in the order of
/// their keys, and memory does not grow with the snapshots.
@discardableResult
public func diff(
  _ earlier: SnapshotReader, _ later: SnapshotReader, stop: StopSignal? = nil,
  _ body: (ObjectChange) throws(Failure) -> Void
) throws(Failure) -> DiffSummary {
  try diff(earlier, later, tableSlots: LiveTable.usualSlots / 2, stop: stop, body)
}

func diff(
  _ earlier: SnapshotReader, _ later: SnapshotReader, tableSlots: Int, stop: StopSignal? = nil,
  _ body: (ObjectChange) throws(Failure) -> Void
) throws(Failure) -> DiffSummary {
  let before = try LiveCursor(earlier.bolt, maximumSlots: tableSlots, stop: stop)
  let after = try LiveCursor(later.bolt, maximumSlots: tableSlots, stop: stop)
  var summary = DiffSummary()
  var (old, new) = (try before.pop(), try after.pop())
  func report(_ what: ObjectChange.What, _ record: LiveRecord, earlier: LiveRecord?) throws(Failure) {
    try body(
      ObjectChange(
        what: what, object: LiveObject(record), identity: ObjectIdentity(record.content.value),
        earlierRevision: earlier?.content.modRevision))
  }
  while old != nil || new != nil {
    let order =
      switch (old, new) {
      case (let old?, let new?): compare(old.content.key, new.content.key)
      case (nil, _): 1
      case (_, nil): -1
      }
    if order < 0, let gone = old {
      summary.gone += 1
      try report(.gone, gone, earlier: gone)
      old = try before.pop()
    } else if order > 0, let added = new {
      summary.added += 1
      try report(.added, added, earlier: nil)
      new = try after.pop()
    } else if let was = old, let now = new {
      if compare(was.content.value, now.content.value) == 0 {
        summary.same += 1
      } else {
        summary.changed += 1
        try report(.changed, now, earlier: was)
      }
      (old, new) = (try before.pop(), try after.pop())
    }
  }
  return summary
}
