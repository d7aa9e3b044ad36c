internal import Model

/// A member of the cluster as the database knows it.
public struct SnapshotMember: Sendable, Equatable {
  public let id: UInt64
  public let name: String
  public let peerURLs: [String]
  public let clientURLs: [String]
  public let isLearner: Bool
}

/// What etcd keeps beside the keys of its users. Every collection is bounded: a damaged file cannot fill the memory.
struct EtcdFacts {
  var members: [SnapshotMember] = []
  var consistentIndex: UInt64?
  var term: UInt64?
  var scheduledCompaction: Int64?
  var finishedCompaction: Int64?
  /// `3.4.0`: the version that the cluster's members agreed on.
  var clusterVersion: String?
  /// `3.6.0`: since etcd 3.6.
  var storageVersion: String?
  var confState: String?
  var alarms: [String] = []
  var leases = 0
  var isAuthEnabled = false
  var users = 0
  var roles = 0

  private static let limit = 100

  mutating func see(_ element: BoltElement, in bucket: Bucket) throws(Damage) {
    let (key, value) = (element.key, element.value)
    switch bucket {
    case .meta: try seeMeta(key, value)
    case .members: if members.count < Self.limit { members.append(try Self.member(key, value)) }
    case .cluster: if isEqual(key, "clusterVersion") { clusterVersion = value.prefixText }
    case .alarm: if alarms.count < Self.limit { alarms.append(try Self.alarm(key)) }
    case .lease: try seeLease(key, value)
    case .auth: if isEqual(key, "authEnabled") { isAuthEnabled = value.elementsEqual([1]) }
    case .authUsers: users += 1
    case .authRoles: roles += 1
    case .key, .other: break
    }
  }

  enum Bucket: CaseIterable {
    case key, meta, members, cluster, alarm, lease, auth, authUsers, authRoles, other

    init(_ name: UnsafeRawBufferPointer) {
      self = Self.allCases.first { $0 != .other && "\($0)".utf8.elementsEqual(name) } ?? .other
    }
  }

  private mutating func seeMeta(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Damage) {
    if isEqual(key, "consistent_index") { consistentIndex = try number(value, "consistent_index") }
    if isEqual(key, "term") { term = try number(value, "term") }
    if isEqual(key, "scheduledCompactRev") { scheduledCompaction = try Revision(value).main }
    if isEqual(key, "finishedCompactRev") { finishedCompaction = try Revision(value).main }
    if isEqual(key, "storageVersion") { storageVersion = value.prefixText }
    if isEqual(key, "confState") { confState = value.prefixText }
  }

  private func number(_ value: UnsafeRawBufferPointer, _ name: String) throws(Damage) -> UInt64 {
    guard value.count == 8 else { throw Damage("\(name) has \(value.count) bytes, not 8") }
    return value.bigEndian64(0)
  }

  private mutating func seeLease(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Damage) {
    var reader = ProtobufReader(value)
    var id: UInt64 = 0
    while let (field, content) = try reader.next() {
      if field == 1, case .number(let number) = content { id = number }
    }
    guard key.count == 8, key.bigEndian64(0) == id else { throw Damage("the lease \(printable(key)) is recorded as \(id)") }
    leases += 1
  }

  private static func alarm(_ key: UnsafeRawBufferPointer) throws(Damage) -> String {
    var reader = ProtobufReader(key)
    var (member, kind): (UInt64, UInt64) = (0, 0)
    while let (field, content) = try reader.next() {
      guard case .number(let number) = content else { continue }
      if field == 1 { member = number }
      if field == 2 { kind = number }
    }
    let name = ["none", "NOSPACE", "CORRUPT"]
    return "\(kind < 3 ? name[Int(kind)] : "alarm \(kind)") of member \(String(member, radix: 16))"
  }

  private static func member(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(Damage) -> SnapshotMember {
    guard value.count <= 1 << 16, let id = UInt64(key.text, radix: 16), let json = try? JSON(parsing: Array(value)) else {
      throw Damage("the member \(printable(key)) is not readable")
    }
    func list(_ name: String) -> [String] { json[name]?.array?.compactMap(\.string) ?? [] }
    return SnapshotMember(
      id: id, name: json["name"]?.string ?? "", peerURLs: list("peerURLs"), clientURLs: list("clientURLs"),
      isLearner: json["isLearner"]?.bool ?? false)
  }
}

extension UnsafeRawBufferPointer {
  /// Text of a length that a version or the like may have.
  fileprivate var prefixText: String { String(decoding: prefix(4096), as: UTF8.self) }
}
