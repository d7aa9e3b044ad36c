/// The key of a record in etcd's bucket `key`: a revision, and whether it is a deletion.
struct Revision: Comparable {
  let main: Int64
  let sub: Int64
  let isTombstone: Bool

  @inline(__always)
  init(_ bytes: UnsafeRawBufferPointer) throws(Damage) {
    isTombstone = bytes.count == 18
    guard bytes.count == 17 || (isTombstone && bytes[17] == UInt8(ascii: "t")), bytes[8] == UInt8(ascii: "_") else {
      throw Damage("\(printable(bytes)) is no revision")
    }
    main = Int64(bitPattern: bytes.bigEndian64(0))
    sub = Int64(bitPattern: bytes.bigEndian64(9))
    guard main > 0, sub >= 0 else { throw Damage("\(printable(bytes)) is no revision") }
  }

  static func < (a: Self, b: Self) -> Bool { (a.main, a.sub) < (b.main, b.sub) }
}

/// etcd's `mvccpb.KeyValue`, as etcd itself writes it: fields in order, each at most once, none that is zero.
struct KeyValue {
  private(set) var key = UnsafeRawBufferPointer(start: nil, count: 0)
  private(set) var createRevision: Int64 = 0
  private(set) var modRevision: Int64 = 0
  private(set) var version: Int64 = 0
  private(set) var value = UnsafeRawBufferPointer(start: nil, count: 0)
  private(set) var lease: Int64 = 0

  @inline(__always)
  init(_ bytes: UnsafeRawBufferPointer) throws(Damage) {
    var reader = ProtobufReader(bytes)
    var last: UInt64 = 0
    while let (field, content) = try reader.next() {
      guard field > last else { throw Damage("the record's fields are not in order") }
      last = field
      switch (field, content) {
      case (1, .bytes(let bytes)): key = bytes
      case (2, .number(let number)): createRevision = Int64(bitPattern: number)
      case (3, .number(let number)): modRevision = Int64(bitPattern: number)
      case (4, .number(let number)): version = Int64(bitPattern: number)
      case (5, .bytes(let bytes)): value = bytes
      case (6, .number(let number)): lease = Int64(bitPattern: number)
      default: throw Damage("the record has a field \(field) of an unknown kind")
      }
    }
    guard key.count <= Self.longestKey else { throw Damage("the record has a key of \(key.count) bytes") }
  }

  /// Keys are copied now and then; etcd takes no request of more than a mebibyte and a half, unless it is told to.
  private static let longestKey = 4 << 20

  /// Only the key, which stands first.
  @inline(__always)
  static func key(of bytes: UnsafeRawBufferPointer) throws(Damage) -> UnsafeRawBufferPointer {
    var reader = ProtobufReader(bytes)
    if let (field, content) = try reader.next(), field == 1, case .bytes(let key) = content, key.count <= longestKey { return key }
    return UnsafeRawBufferPointer(start: nil, count: 0)
  }

  /// Throws where the record contradicts its revision or itself. An empty value is what a restore with a bumped
  /// revision leaves behind: a revision without a key.
  @inline(__always)
  func check(_ revision: Revision) throws(Damage) {
    if key.isEmpty {
      let isEmpty = createRevision == 0 && modRevision == 0 && version == 0 && value.isEmpty && lease == 0
      guard isEmpty else { throw Damage("a record of revision \(revision.main) has no key") }
    } else if revision.isTombstone {
      guard createRevision == 0, modRevision == 0, version == 0, value.isEmpty, lease == 0 else {
        throw Damage("the deletion of \(printable(key)) at revision \(revision.main) carries a value")
      }
    } else {
      guard modRevision == revision.main, createRevision > 0, createRevision <= modRevision else {
        throw Damage("\(printable(key)) at revision \(revision.main) says created \(createRevision), modified \(modRevision)")
      }
      guard version > 0, version <= modRevision - createRevision + 1 else {
        throw Damage("\(printable(key)) at revision \(revision.main) has the impossible version \(version)")
      }
    }
  }
}
