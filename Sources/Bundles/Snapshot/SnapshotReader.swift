public import Host
public import Model

/// A live key of a snapshot.
public struct LiveObject: Sendable {
  public let key: String
  /// Nil where the key is not one of Kubernetes'.
  public let object: ObjectName?
  public let createRevision: Int64
  public let modRevision: Int64
  public let version: Int64
  public let lease: Int64
  public let size: Int

  init(_ record: LiveRecord) {
    key = record.content.key.text
    object = ObjectName(key: key)
    createRevision = record.content.createRevision
    modRevision = record.content.modRevision
    version = record.content.version
    lease = record.content.lease
    size = record.content.value.count
  }

  public var resource: String { object?.resource ?? SnapshotReport.other }
  public var namespace: String? { object?.namespace }
  public var name: String { object?.name ?? key }

  public var json: JSON {
    [
      "key": .string(key), "resource": .string(resource), "namespace": JSON(namespace), "name": .string(name),
      "createRevision": .int(createRevision), "modRevision": .int(modRevision), "version": .int(version), "lease": .int(lease),
      "size": JSON(size),
    ]
  }
}

/// One object as it is stored.
public struct SnapshotObject: Sendable {
  public let object: LiveObject
  public let identity: ObjectIdentity
  public let value: [UInt8]
}

/// Looks into a snapshot, or into the database of a stopped member, without changing or verifying it.
/// Every page that is read is checked all the same.
public final class SnapshotReader {
  let bolt: BoltFile
  public var path: String { bolt.path }
  private static let largestValue = 32 << 20

  /// A snapshot, a `db`, or a data directory of etcd.
  public init(_ path: String) throws(Failure) {
    bolt = try BoltFile(try Self.database(path))
  }

  /// The file that a data directory keeps its keys in; another path is given back as it is.
  public static func database(_ path: String) throws(Failure) -> String {
    guard try Files.info(path)?.kind == .directory else { return path }
    for inside in ["/member/snap/db", "/snap/db"] where try Files.info(path + inside) != nil { return path + inside }
    throw Failure(
      .usage, what: "cannot read \(path)", why: "it is a directory, and no data directory of etcd: it has no member/snap/db",
      next: "name a snapshot file, or the directory of etcd's --data-dir")
  }

  /// All live objects in the order of their keys, with the SHA-256 of each value. Memory does not grow with their number.
  public func objects(
    stop: StopSignal? = nil, _ body: (LiveObject, Digest) throws(Failure) -> Void
  ) throws(Failure) {
    let cursor = try LiveCursor(bolt, stop: stop)
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    var hasher = RecordHasher()
    while let record = try cursor.pop() {
      try body(LiveObject(record), hasher.hash(record.content.value, nothing))
    }
  }

  /// The newest value of a key. Throws where there is none, and says whether it was deleted.
  public func object(_ key: String, stop: StopSignal? = nil) throws(Failure) -> SnapshotObject {
    var search = KeySearch(Array(key.utf8))
    var walk = BoltWalk(bolt, stop: stop)
    try walk.run(&search)
    guard let place = search.place else {
      let why = search.deleted.map { "it was deleted at revision \($0)" } ?? "there is no such key in it"
      throw Failure(
        what: "cannot show \(key) of \(path)", why: why, next: "list what it holds with `kguard bundle objects`")
    }
    do throws(Damage) {
      let record = try bolt.record(at: place)
      guard record.content.value.count <= Self.largestValue else {
        throw Damage("the value of \(key) has \(record.content.value.count) bytes, more than any etcd takes")
      }
      return SnapshotObject(
        object: LiveObject(record), identity: ObjectIdentity(record.content.value), value: Array(record.content.value))
    } catch { throw damaged(path, error.why) }
  }
}

/// Looks for the newest record of one key.
private struct KeySearch: BoltVisitor {
  private let key: [UInt8]
  private var isKeys = false
  private(set) var place: Int?
  private(set) var deleted: Int64?

  init(_ key: [UInt8]) { self.key = key }

  mutating func enter(bucket name: UnsafeRawBufferPointer) { isKeys = isEqual(name, "key") }

  mutating func see(_ element: BoltElement) throws(Damage) {
    guard isKeys else { return }
    let other = try KeyValue.key(of: element.value)
    guard key.withUnsafeBytes({ compare(other, $0) == 0 }) else { return }
    let revision = try Revision(element.key)
    (place, deleted) = revision.isTombstone ? (nil, revision.main) : (element.offset, nil)
  }
}
