internal import Host
public import Model

/// What all members of an etcd say at one time: who they are, who leads, how far each has come, what is wrong.
public struct EtcdSurvey: Sendable {
  /// One member, and what it says of itself; `failure` where it could not be asked.
  public struct Seat: Sendable {
    public let member: EtcdMember
    public let endpoint: EtcdEndpoint?
    public let status: EtcdStatus?
    public let failure: Failure?
  }

  /// In the order of preference for a snapshot: the endpoints that were given first.
  public let seats: [Seat]
  public let alarms: [EtcdAlarm]
  /// The member list was agreed with the leader, and is not one member's memory.
  public let isAgreed: Bool
  /// 0 where no member that answers knows one.
  public let leader: UInt64

  /// How many raft entries a member may be behind the leader and still be a source of snapshots.
  public static let lagLimit: UInt64 = 1000

  public var members: [EtcdMember] { seats.map(\.member) }

  /// The furthest index that the leader has told, or, where it could not be asked, any member.
  public var leaderIndex: UInt64 {
    let led = seats.first { $0.member.id == leader }?.status
    return led?.raftIndex ?? seats.compactMap { $0.status?.raftIndex }.max() ?? 0
  }

  public func lag(of seat: Seat) -> UInt64 {
    let index = seat.status?.raftAppliedIndex ?? 0
    return leaderIndex > index ? leaderIndex - index : 0
  }

  /// Things that a backup may live with and an upgrade may not.
  public var warnings: [Failure] {
    var found: [Failure] = []
    for alarm in alarms where alarm.kind != .corrupt {
      found.append(
        Failure(
          .preflightRefused, what: "etcd has the alarm \(alarm.kind)",
          why: alarm.kind == .noSpace
            ? "NOSPACE: member \(etcdID(alarm.member)) has reached its quota, and the cluster takes no writes"
            : "member \(etcdID(alarm.member)) raised it", next: EtcdFailures.noSpaceRemedy))
    }
    for seat in seats {
      if let failure = seat.failure { found.append(failure.within("etcd's member \(Self.name(seat)) does not answer")) }
      if seat.member.isLearner { found.append(Self.learner(Self.name(seat))) }
      if seat.member.name.isEmpty {
        found.append(
          Failure(
            .preflightRefused, what: "etcd's member \(Self.name(seat)) has never started", why: "it has no name in the member list",
            next: "start it, or remove it: etcdctl member remove \(etcdID(seat.member.id))"))
      }
      if seat.status != nil && lag(of: seat) > Self.lagLimit { found.append(lags(seat)) }
    }
    return found
  }

  /// The member to take a snapshot from: a voter that knows the leader and is close to its index.
  public func source() throws(Failure) -> EtcdEndpoint {
    if let alarm = alarms.first(where: { $0.kind == .corrupt }) {
      throw Failure(
        .preflightRefused, what: "cannot take a snapshot of etcd",
        why: "CORRUPT: member \(etcdID(alarm.member)) found that its data differs from the others'",
        next: "find the member that is wrong (etcdctl endpoint hashkv), replace it, and disarm the alarm")
    }
    guard leader != 0, isAgreed else { throw Self.noLeader }
    let answering = seats.filter { $0.status != nil }
    let voters = answering.filter { $0.status?.isLearner == false && !$0.member.isLearner }
    guard !voters.isEmpty else { throw Self.learner(answering.first.map(Self.name) ?? "that answers") }
    let led = voters.filter { $0.status?.leader == leader }
    guard !led.isEmpty else { throw Self.noLeader }
    guard let chosen = led.first(where: { lag(of: $0) <= Self.lagLimit }), let endpoint = chosen.endpoint else {
      throw lags(led[0])
    }
    return endpoint
  }

  public var json: JSON {
    [
      "leader": .string(etcdID(leader)), "agreed": .bool(isAgreed),
      "members": .array(
        seats.map { seat in
          var json = seat.member.json
          if let status = seat.status {
            json["version"] = .string(status.version)
            json["dbSize"] = .int(status.dbSize)
            json["dbSizeInUse"] = .int(status.dbSizeInUse)
            json["lag"] = .int(Int64(clamping: lag(of: seat)))
          }
          if let failure = seat.failure { json["failure"] = .string("\(failure)") }
          return json
        }),
      "alarms": .array(alarms.map { ["member": .string(etcdID($0.member)), "alarm": .string("\($0.kind)")] }),
    ]
  }

  private static func name(_ seat: Seat) -> String { seat.member.name.isEmpty ? etcdID(seat.member.id) : seat.member.name }

  static let noLeader = Failure(
    .preflightRefused, what: "cannot take a snapshot of etcd", why: "no leader: the cluster has lost its quorum",
    next: "start the other members, or repair the network between them", isTransient: true)

  static func learner(_ name: String) -> Failure {
    Failure(
      .preflightRefused, what: "etcd's member \(name) is a learner", why: "a learner has no vote and may hold old data",
      next: "promote it (etcdctl member promote) or remove it, then try again")
  }

  private func lags(_ seat: Seat) -> Failure {
    Failure(
      .preflightRefused, what: "etcd's member \(Self.name(seat)) lags",
      why: "it is \(lag(of: seat)) raft entries behind the leader; up to \(Self.lagLimit) are fine",
      next: "find out why it is slow (disk, network), or wait until it has caught up", isTransient: true)
  }
}
