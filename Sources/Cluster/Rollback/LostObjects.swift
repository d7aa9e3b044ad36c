internal import Bundles
internal import Host
internal import Model

/// What was written after the bundle's snapshot: it is lost by a restore. Told by kind, namespace and name; the whole list goes to a file.
struct LostObjects {
  private(set) var keys: JSON = [:]
  /// `ConfigMap demo/late`, at most `most` of them, without what writes itself.
  private(set) var named: [String] = []
  private(set) var lost = 0
  private(set) var restless = 0

  static let most = 50

  /// What is written all the time by those who live in the cluster, and written anew by them after a restore.
  static let restlessKinds: Set<String> = [
    "events", "leases", "masterleases", "endpoints", "endpointslices", "nodes", "pods", "csinodes", "runtimeclasses",
  ]

  /// `present`: a snapshot of the present state, a `db`, or a data directory.
  static func compare(bundle: String, present: String, list: String, stop: StopSignal) throws(Failure) -> LostObjects {
    var found = LostObjects()
    var file = try DurableFile(list)
    do throws(Failure) {
      let (before, now) = (try SnapshotReader(bundle), try SnapshotReader(present))
      found.keys = try diff(before, now, stop: stop) { (change) throws(Failure) in
        found.see(change)
        let line: JSON = [
          "what": .string(change.what.rawValue), "kind": .string(change.kind), "namespace": JSON(change.object.namespace),
          "name": .string(change.object.name), "key": .string(change.object.key),
        ]
        try Array((line.text() + "\n").utf8).withBytes { (raw) throws(Failure) in try file.write(raw) }
      }.json
    } catch {
      file.abandon()
      throw error
    }
    try file.commit()
    return found
  }

  private mutating func see(_ change: ObjectChange) {
    // What is gone comes back by the restore.
    guard change.what != .gone else { return }
    guard !Self.restlessKinds.contains(change.object.resource) else {
      restless += 1
      return
    }
    lost += 1
    guard named.count < Self.most else { return }
    let place = change.object.namespace.map { "\($0)/" } ?? ""
    named.append("\(change.kind) \(place)\(change.object.name)" + (change.what == .changed ? " (changed)" : ""))
  }

  var words: String {
    switch lost {
    case 0: "no object was written since the snapshot"
    case 1: "1 object was written since the snapshot: \(named[0])"
    default: "\(lost) objects were written since the snapshot: \(named.prefix(5).joined(separator: ", "))" + (lost > 5 ? " …" : "")
    }
  }

  func json(list: String) -> JSON {
    [
      "objects": JSON(lost), "names": JSON(named), "restless": JSON(restless), "keys": keys, "list": .string(list),
    ]
  }
}
