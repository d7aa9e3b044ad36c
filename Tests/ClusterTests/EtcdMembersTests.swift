import Cluster
import Glibc
import Host
import Model
import Testing

@Suite(.serialized) struct `An etcd of three members` {
  @Test(arguments: EtcdRelease.all)
  func `is surveyed, and each member is a source`(release: EtcdRelease) throws {
    let etcd = try TestEtcd(release, members: 3)
    try etcd.fill()
    for member in 0..<3 {
      let cluster = EtcdCluster([etcd.endpoint(member)])
      let survey = try cluster.survey()
      #expect(survey.seats.count == 3 && survey.isAgreed && survey.warnings.isEmpty)
      #expect(survey.members.contains { $0.id == survey.leader })
      #expect(try survey.source() == etcd.endpoint(member))
      #expect(survey.members.map(\.json).compactMap(EtcdMember.init(json:)) == survey.members)
    }
  }

  @Test func `a stopped member is told, and another endpoint answers`() throws {
    let etcd = try TestEtcd(members: 3)
    try etcd.fill()
    etcd.members[0].end()
    let endpoints = [0, 1, 2].map { etcd.endpoint($0) }
    try waitUntil("the others have a leader") { try etcd.client(1).catchUp() > 0 }
    let path = etcd.directory.path + "/snapshot.db"
    let (taken, survey) = try EtcdCluster(endpoints).snapshot(to: path, machine: LocalMachine())
    #expect(taken.endpoint == endpoints[1].name)
    #expect(survey.warnings.map(\.why).contains { $0.contains("connection refused") })
  }

  @Test(arguments: EtcdRelease.all)
  func `without a quorum there is no leader, and no snapshot`(release: EtcdRelease) throws {
    let etcd = try TestEtcd(release, members: 3)
    etcd.members[1].signal(SIGSTOP)
    etcd.members[2].signal(SIGSTOP)
    try waitUntil("the leader is lost") { try etcd.client().status().leader == 0 }
    let path = etcd.directory.path + "/snapshot.db"
    let failure = #expect(throws: Failure.self) {
      try EtcdCluster([etcd.endpoint()], timeout: .seconds(2)).snapshot(to: path, machine: LocalMachine())
    }
    #expect(failure?.why.hasPrefix("no leader") == true, "\(failure as Any)")
    let direct = #expect(throws: Failure.self) { try etcd.client().snapshot(to: path, machine: LocalMachine()) }
    #expect(direct?.why.hasPrefix("no leader") == true, "\(direct as Any)")
    #expect(try Files.list(etcd.directory.path).filter { $0.hasPrefix("snapshot") }.isEmpty)
  }

  @Test func `a hanging member is told in time, and the others serve`() throws {
    let etcd = try TestEtcd(members: 3)
    try etcd.fill()
    etcd.members[0].signal(SIGSTOP)
    try waitUntil("the others have a leader") { try etcd.client(1).catchUp() > 0 }
    let (taken, survey) = try EtcdCluster([0, 1, 2].map { etcd.endpoint($0) }, timeout: .seconds(2))
      .snapshot(to: etcd.directory.path + "/snapshot.db", machine: LocalMachine())
    #expect(taken.endpoint != etcd.endpoint(0).name)
    #expect(survey.warnings.map(\.why).contains { $0.contains("no answer in time") })
  }

  @Test(arguments: EtcdRelease.all)
  func `a learner is refused as a source`(release: EtcdRelease) throws {
    let etcd = try TestEtcd(release)
    let ports = try freePorts(2)
    try etcd.etcdctl("member", "add", "late", "--learner", "--peer-urls=https://127.0.0.1:\(ports[1])")
    let before = try EtcdCluster([etcd.endpoint()]).survey()
    #expect(before.warnings.map(\.what).contains { $0.contains("has never started") })
    let cluster = "m1=https://127.0.0.1:\(etcd.peerPorts[0]),late=https://127.0.0.1:\(ports[1])"
    let learner = try TestProcess(
      TestEtcd.arguments(release, etcd.directory.path, etcd.pki, "late", ports[0], ports[1], cluster, "existing"),
      log: etcd.directory.path + "/late.log", directory: etcd.directory.path)
    defer { learner.end() }
    let endpoint = EtcdEndpoint("https://127.0.0.1:\(ports[0])", tls: etcd.pki.identity())
    try waitUntil("the learner answers") { try EtcdClient(endpoint).status().isLearner }
    let failure = #expect(throws: Failure.self) { try EtcdCluster([endpoint]).survey().source() }
    #expect(failure?.what.contains("is a learner") == true)
    let direct = #expect(throws: Failure.self) {
      try EtcdClient(endpoint).snapshot(to: etcd.directory.path + "/snapshot.db", machine: LocalMachine())
    }
    #expect(direct?.why.contains("learner") == true)
    // Asked by way of the voter, the learner is seen and the voter chosen.
    let survey = try EtcdCluster([endpoint, etcd.endpoint()]).survey()
    #expect(try survey.source() == etcd.endpoint())
    #expect(survey.warnings.contains { $0.what.contains("late is a learner") })
    #expect(throws: Failure.self) { try RestoreMembership(name: "m1", members: survey.members, token: "t") }
  }
}
