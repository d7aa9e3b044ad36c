internal import Host
public import Model

/// What stands at the head of every answer of etcd.
public struct EtcdHeader: Sendable, Equatable {
  public internal(set) var cluster: UInt64 = 0
  public internal(set) var member: UInt64 = 0
  public internal(set) var revision: Int64 = 0
  public internal(set) var raftTerm: UInt64 = 0
}

/// One member as etcd's member list gives it.
public struct EtcdMember: Sendable, Equatable {
  public internal(set) var id: UInt64 = 0
  /// Empty until the member has started for the first time.
  public internal(set) var name = ""
  public internal(set) var peerURLs: [String] = []
  public internal(set) var clientURLs: [String] = []
  public internal(set) var isLearner = false

  public init() {}

  public var json: JSON {
    [
      "id": .string(etcdID(id)), "name": .string(name), "peerURLs": JSON(peerURLs), "clientURLs": JSON(clientURLs),
      "learner": .bool(isLearner),
    ]
  }

  public init?(json: JSON) {
    guard let id = json["id"]?.string.flatMap({ UInt64($0, radix: 16) }), let name = json["name"]?.string,
      let peers = json["peerURLs"]?.array?.compactMap(\.string), let clients = json["clientURLs"]?.array?.compactMap(\.string)
    else { return nil }
    self.id = id
    self.name = name
    peerURLs = peers
    clientURLs = clients
    isLearner = json["learner"]?.bool ?? false
  }
}

/// A member's own account of itself.
public struct EtcdStatus: Sendable, Equatable {
  public internal(set) var header = EtcdHeader()
  public internal(set) var version = ""
  public internal(set) var dbSize: Int64 = 0
  public internal(set) var dbSizeInUse: Int64 = 0
  /// 0 where the member knows no leader.
  public internal(set) var leader: UInt64 = 0
  public internal(set) var raftIndex: UInt64 = 0
  public internal(set) var raftAppliedIndex: UInt64 = 0
  public internal(set) var errors: [String] = []
  public internal(set) var isLearner = false
  /// Told from 3.6 on; 0 before.
  public internal(set) var quota: Int64 = 0
}

public struct EtcdAlarm: Sendable, Equatable {
  public enum Kind: Sendable, Equatable, CustomStringConvertible {
    case noSpace, corrupt, other(UInt64)
    public var description: String {
      switch self {
      case .noSpace: "NOSPACE"
      case .corrupt: "CORRUPT"
      case .other(let n): "alarm \(n)"
      }
    }
  }
  public let member: UInt64
  public let kind: Kind
}

/// The hash of the key space at a revision. Comparable only where the compacted revision is the same.
public struct EtcdHash: Sendable, Equatable {
  public let hash: UInt32
  public let compactRevision: Int64
  public let revision: Int64
}

/// Keys that a range found.
public struct EtcdRange: Sendable, Equatable {
  public internal(set) var header = EtcdHeader()
  public internal(set) var keys: [[UInt8]] = []
  public internal(set) var more = false
  /// How many there are, whatever the limit.
  public internal(set) var count: Int64 = 0
}

/// A member's id as etcd's own tools print it.
public func etcdID(_ id: UInt64) -> String { String(id, radix: 16) }

// MARK: - Decoding

/// Walks a message; throws where it is not protobuf.
func decode(
  _ bytes: UnsafeRawBufferPointer, _ field: (Int, ProtobufReader.Value) throws(Failure) -> Void
) throws(Failure) {
  var reader = ProtobufReader(bytes)
  while let (number, value) = reader.next() { try field(number, value) }
  if reader.isBroken {
    throw Failure(
      what: "cannot read etcd's answer", why: "it is not the protobuf message that was asked for",
      next: "check that the endpoint is etcd and not a proxy of something else")
  }
}

extension EtcdHeader {
  init(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    try decode(bytes) { (field, value) in
      switch field {
      case 1: cluster = value.number
      case 2: member = value.number
      case 3: revision = value.signed
      case 4: raftTerm = value.number
      default: break
      }
    }
  }
}

extension EtcdMember {
  init(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    try decode(bytes) { (field, value) in
      switch field {
      case 1: id = value.number
      case 2: name = value.text
      case 3: peerURLs.append(value.text)
      case 4: clientURLs.append(value.text)
      case 5: isLearner = value.bool
      default: break
      }
    }
  }
}

extension EtcdStatus {
  init(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    try decode(bytes) { (field, value) throws(Failure) in
      switch field {
      case 1: header = try EtcdHeader(value.raw)
      case 2: version = value.text
      case 3: dbSize = value.signed
      case 4: leader = value.number
      case 5: raftIndex = value.number
      case 7: raftAppliedIndex = value.number
      case 8: errors.append(value.text)
      case 9: dbSizeInUse = value.signed
      case 10: isLearner = value.bool
      case 12: quota = value.signed
      default: break
      }
    }
  }
}

extension EtcdAlarm {
  init(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    var member: UInt64 = 0
    var kind: UInt64 = 0
    try decode(bytes) { (field, value) in
      switch field {
      case 1: member = value.number
      case 2: kind = value.number
      default: break
      }
    }
    self.member = member
    self.kind = kind == 1 ? .noSpace : kind == 2 ? .corrupt : .other(kind)
  }
}

extension EtcdHash {
  /// `asked`: the revision of the request; the head of the answer names the newest one.
  init(_ bytes: UnsafeRawBufferPointer, asked: Int64) throws(Failure) {
    var (hash, compact, header, told) = (UInt32(0), Int64(0), EtcdHeader(), Int64(0))
    try decode(bytes) { (field, value) throws(Failure) in
      switch field {
      case 1: header = try EtcdHeader(value.raw)
      case 2: hash = UInt32(truncatingIfNeeded: value.number)
      case 3: compact = value.signed
      case 4: told = value.signed
      default: break
      }
    }
    self.hash = hash
    compactRevision = compact
    revision = told != 0 ? told : asked != 0 ? asked : header.revision
  }
}

extension EtcdRange {
  init(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    try decode(bytes) { (field, value) throws(Failure) in
      switch field {
      case 1: header = try EtcdHeader(value.raw)
      case 2:
        try decode(value.raw) { (inner, value) in
          if inner == 1 { keys.append(value.copy) }
        }
      case 3: more = value.bool
      case 4: count = value.signed
      default: break
      }
    }
  }
}
