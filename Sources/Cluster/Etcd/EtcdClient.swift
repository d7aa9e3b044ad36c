public import Host
public import Model

/// The calls of one member of etcd that kguard makes. Keeps its connection; not for two threads at once.
public final class EtcdClient {
  public let endpoint: EtcdEndpoint
  let channel: GRPCChannel
  private let timeout: Duration

  public init(_ endpoint: EtcdEndpoint, timeout: Duration = .seconds(10), stop: StopSignal? = nil) throws(Failure) {
    self.endpoint = endpoint
    self.timeout = timeout
    channel = try GRPCChannel(endpoint, stop: stop)
  }

  /// What the member says of itself. It answers without a leader too.
  public func status() throws(Failure) -> EtcdStatus {
    try call("Maintenance/Status", ProtobufWriter()) { (bytes) throws(Failure) in try EtcdStatus(bytes) }
  }

  /// The members. `linearizable`: agreed with the leader (etcd 3.5 and later; 3.4 always answers from its own state).
  public func members(linearizable: Bool = true) throws(Failure) -> [EtcdMember] {
    var request = ProtobufWriter()
    request.bool(1, linearizable)
    return try call("Cluster/MemberList", request, needsLeader: linearizable) { (bytes) throws(Failure) in
      var members: [EtcdMember] = []
      try decode(bytes) { (field, value) throws(Failure) in
        if field == 2 { members.append(try EtcdMember(value.raw)) }
      }
      return members
    }
  }

  public func alarms() throws(Failure) -> [EtcdAlarm] {
    try call("Maintenance/Alarm", ProtobufWriter()) { (bytes) throws(Failure) in
      var alarms: [EtcdAlarm] = []
      try decode(bytes) { (field, value) throws(Failure) in
        if field == 2 { alarms.append(try EtcdAlarm(value.raw)) }
      }
      return alarms
    }
  }

  /// The hash of this member's keys at a revision; 0 asks for its newest.
  public func hash(revision: Int64 = 0) throws(Failure) -> EtcdHash {
    var request = ProtobufWriter()
    request.signed(1, revision)
    return try call("Maintenance/HashKV", request, timeout: .seconds(300)) { (bytes) throws(Failure) in try EtcdHash(bytes, asked: revision)
    }
  }

  /// What a range holds; values are never asked for. `modifiedSince`: only what was written at that revision or later. An empty `end` means the one key. Linearizable unless `serializable`.
  public func range(
    _ key: [UInt8], end: [UInt8] = [], limit: Int64 = 0, revision: Int64 = 0, countOnly: Bool = false, serializable: Bool = false,
    modifiedSince: Int64 = 0
  ) throws(Failure) -> EtcdRange {
    var request = ProtobufWriter()
    request.bytes(1, key)
    request.bytes(2, end)
    request.signed(3, limit)
    request.signed(4, revision)
    request.bool(7, serializable)
    request.bool(8, true)
    request.bool(9, countOnly)
    request.signed(10, modifiedSince)
    return try call("KV/Range", request, timeout: .seconds(60), needsLeader: !serializable) { (bytes) throws(Failure) in
      try EtcdRange(bytes)
    }
  }

  /// Waits until the member has applied all that the cluster had agreed on when this was called, and gives its revision.
  public func catchUp() throws(Failure) -> Int64 {
    try range([0], countOnly: true).header.revision
  }

  private func call<R>(
    _ method: String, _ request: ProtobufWriter, timeout: Duration? = nil, needsLeader: Bool = false,
    _ read: (UnsafeRawBufferPointer) throws(Failure) -> R
  ) throws(Failure) -> R {
    // With this etcd refuses at once where it knows no leader, in place of waiting for one.
    let metadata = needsLeader ? [(name: "hasleader", value: "true")] : []
    let answer = try channel.unary(method, request, timeout: timeout ?? self.timeout, metadata: metadata)
    return try answer.withBytes(read)
  }
}
