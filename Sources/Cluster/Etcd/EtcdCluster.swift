public import Host
public import Model

/// An etcd, reached through any of its endpoints; the first is preferred.
public struct EtcdCluster: Sendable {
  public let endpoints: [EtcdEndpoint]
  private let timeout: Duration
  private let stop: StopSignal?

  public init(_ endpoints: [EtcdEndpoint], timeout: Duration = .seconds(10), stop: StopSignal? = nil) {
    self.endpoints = endpoints
    self.timeout = timeout
    self.stop = stop
  }

  private func client(_ endpoint: EtcdEndpoint) throws(Failure) -> EtcdClient {
    try EtcdClient(endpoint, timeout: timeout, stop: stop)
  }

  /// Asks every member for its state, the leader first, so that a lag that is seen is real.
  public func survey() throws(Failure) -> EtcdSurvey {
    let (first, entry) = try reachable()
    var isAgreed = true
    let members: [EtcdMember]
    do throws(Failure) {
      members = try first.members()
    } catch {
      // Without a leader a member still tells what it remembers.
      isAgreed = false
      members = try first.members(linearizable: false)
    }
    // While a new leader is being chosen the entry may know none yet, and another member already does.
    let leader = entry.leader
    let order = members.filter { $0.id == leader } + members.filter { $0.id != leader }
    var seats: [UInt64: EtcdSurvey.Seat] = [:]
    for member in order { seats[member.id] = seat(member, entry: (first.endpoint, entry.header.member)) }
    let agreed = leader != 0 ? leader : seats.values.compactMap(\.status?.leader).first { $0 != 0 } ?? 0
    let preferred = members.filter { $0.id == entry.header.member } + members.filter { $0.id != entry.header.member }
    // Alarms are asked of all members by way of the leader.
    var alarms: [EtcdAlarm] = []
    if isAgreed { alarms = try first.alarms() }
    return EtcdSurvey(
      seats: preferred.compactMap { seats[$0.id] }, alarms: alarms, isAgreed: isAgreed, leader: agreed)
  }

  /// Takes a snapshot from the member that is best for it.
  public func snapshot(
    to path: String, machine: any Machine, progress: (_ done: Int64, _ total: Int64) -> Void = { _, _ in },
    tap: (_ size: Int64, _ part: String) -> SnapshotTap? = { _, _ in nil }
  ) throws(Failure) -> (SnapshotTaken, EtcdSurvey) {
    let survey = try survey()
    let source = try client(survey.source())
    return (try source.snapshot(to: path, machine: machine, progress: progress, tap: tap), survey)
  }

  /// A client of the member that a snapshot would come from.
  public func healthyClient() throws(Failure) -> EtcdClient { try client(survey().source()) }

  /// The first endpoint that answers and is a voter.
  private func reachable() throws(Failure) -> (EtcdClient, EtcdStatus) {
    var failures: [Failure] = []
    for endpoint in endpoints {
      do throws(Failure) {
        let client = try client(endpoint)
        let status = try client.status()
        if !status.isLearner { return (client, status) }
        failures.append(EtcdSurvey.learner("at \(endpoint.name)"))
      } catch {
        if error.exit == .interrupted { throw error }
        failures.append(error)
      }
    }
    guard var failure = failures.first else {
      throw Failure(.usage, what: "cannot ask etcd", why: "no endpoint is given", next: "set etcd.endpoints in the configuration")
    }
    if failures.count > 1 { failure.why += "; and \(failures.dropFirst().map(\.description).joined(separator: "; "))" }
    throw failure
  }

  private func seat(_ member: EtcdMember, entry: (endpoint: EtcdEndpoint, member: UInt64)) -> EtcdSurvey.Seat {
    let tls = entry.endpoint.tls
    let own = member.id == entry.member ? [entry.endpoint] : []
    var failure: Failure?
    for endpoint in own + member.clientURLs.map({ EtcdEndpoint($0, tls: tls) }) {
      do throws(Failure) {
        let status = try client(endpoint).status()
        if status.header.member == member.id {
          return EtcdSurvey.Seat(member: member, endpoint: endpoint, status: status, failure: nil)
        }
        failure = Failure(
          what: "cannot ask etcd's member \(member.name)", why: "at \(endpoint.name) another member answers",
          next: "correct its --advertise-client-urls")
      } catch { failure = error }
    }
    let none = Failure(
      what: "cannot ask etcd's member \(etcdID(member.id))", why: "the member list gives no client URL for it",
      next: "start it, or remove it: etcdctl member remove \(etcdID(member.id))")
    return EtcdSurvey.Seat(member: member, endpoint: nil, status: nil, failure: failure ?? none)
  }
}
