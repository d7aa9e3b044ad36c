import Cluster
import Glibc
import Host
import Model
import Testing

@Suite(.serialized) struct `The drill` {
  /// A cluster with a snapshot of it, and the order of a drill beside the first member's data directory.
  struct Scene {
    let etcd: TestEtcd
    let tools: EtcdTools
    var order: Drill.Order

    init(_ release: EtcdRelease, members: Int = 1, id: String = "run1") throws {
      etcd = try TestEtcd(release, members: members)
      try etcd.fill()
      let machine = try LocalMachine()
      let path = etcd.directory.path + "/snapshot.db"
      let (taken, survey) = try EtcdCluster([etcd.endpoint()]).snapshot(to: path, machine: machine)
      let plan = try StagingPlan.make(machine, dataDirectory: etcd.directory.path + "/m1", id: id)
      let membership = try RestoreMembership(name: "m1", members: survey.members, token: "kguard-\(id)")
      order = Drill.Order(
        snapshot: path, sha256: taken.sha256, plan: plan, membership: membership,
        version: try #require(EtcdVersion(taken.etcdVersion)))
      order.expected = try etcd.client().keySpace()
      tools = EtcdTools(
        machine, cache: etcd.directory.path + "/tools", restoreTool: release.tool, server: release.etcd)
    }

    var leftovers: [String] {
      get throws { try Files.list(etcd.directory.path).filter { $0.contains("kguard") } }
    }
  }

  @Test(arguments: EtcdRelease.all, [1, 3])
  func `proves a snapshot and keeps the staged directory`(release: EtcdRelease, members: Int) throws {
    let scene = try Scene(release, members: members)
    var phases: [String] = []
    var compared: [String] = []
    let data = try Drill(scene.tools).run(scene.order, phase: { phases.append($0) }) { (snapshot, db) throws(Failure) in
      compared = [snapshot, db]
      #expect(try Files.info(db)?.kind == .file)
      return ["same": true]
    }
    #expect(phases == ["restore", "compare", "copy", "boot", "count"])
    #expect(compared == [scene.order.snapshot, scene.order.plan.staged + "/member/snap/db"])
    #expect(data.state == .complete)
    #expect(try scene.leftovers == ["m1.kguard-staged-run1", "m1.kguard-staged-run1.json"])
    #expect(try Files.info(scene.order.plan.staged)?.mode == 0o700)
    #expect(try StagedData.read(scene.order.plan) == data)
    let bumps = release.version != "3.4"
    #expect(data.evidence["revisionBumped"]?.bool == bumps)
    #expect(data.evidence["hashCompared"]?.bool == !bumps)
    #expect(data.evidence.at("keySpace", "total")?.int == 60)
    #expect(data.evidence.at("native", "same")?.bool == true)
    // A second run of the same drill takes what is there.
    let again = try Drill(scene.tools).run(scene.order) { (_, _) throws(Failure) in
      Issue.record("nothing is to be compared again")
      return .null
    }
    #expect(again == data)
    try data.discard()
    #expect(try scene.leftovers.isEmpty)
  }

  @Test func `the staged directory becomes the member by a rename`() throws {
    let scene = try Scene(.system)
    try Drill(scene.tools).run(scene.order) { (_, _) throws(Failure) in .null }
    try scene.etcd.etcdctl("put", "/registry/pods/default/later", "x")
    scene.etcd.members[0].end()
    try Files.move(scene.order.plan.live, to: scene.order.plan.live + ".aside")
    try Files.move(scene.order.plan.staged, to: scene.order.plan.live)
    let etcd = scene.etcd
    let cluster = "m1=https://127.0.0.1:\(etcd.peerPorts[0])"
    let member = try TestProcess(
      TestEtcd.arguments(.system, etcd.directory.path, etcd.pki, "m1", etcd.ports[0], etcd.peerPorts[0], cluster, "new"),
      log: etcd.directory.path + "/again.log", directory: etcd.directory.path)
    defer { member.end() }
    try waitUntil("the restored member is healthy") { try etcd.client().catchUp() > 0 }
    let expected = try #require(scene.order.expected)
    #expect(try etcd.client().keySpace(revision: expected.revision).differences(from: expected).isEmpty)
    #expect(try etcd.client().members().map(\.name) == ["m1"])
  }

  @Test func `a tool or server of another minor version is refused`() throws {
    var scene = try Scene(.system)
    scene.order.version = EtcdVersion(3, 5, 16)
    let tool = #expect(throws: Failure.self) { try Drill(scene.tools).run(scene.order) { (_, _) throws(Failure) in .null } }
    #expect(tool?.why.contains("and the cluster's etcd is 3.5.16") == true)
    let fromPath = EtcdTools(try LocalMachine(), cache: scene.etcd.directory.path + "/tools")
    let found = #expect(throws: Failure.self) { try fromPath.findServer(for: EtcdVersion(3, 5)) }
    #expect(found?.why.contains("is version 3.4") == true)
    #expect(try fromPath.findRestoreTool(for: EtcdVersion(3, 4)).path == "/usr/bin/etcdctl")
    #expect(throws: Failure.self) { try fromPath.findRestoreTool(for: EtcdVersion(3, 6)) }
    #expect(try scene.leftovers.isEmpty)
  }

  @Test func `a snapshot with a wrong byte does not restore and leaves nothing`() throws {
    let scene = try Scene(.system)
    var bytes = try Files.read(scene.order.snapshot)
    bytes[bytes.count / 2] ^= 1
    try Files.replace(scene.order.snapshot, with: bytes)
    let failure = #expect(throws: Failure.self) { try Drill(scene.tools).run(scene.order) { (_, _) throws(Failure) in .null } }
    #expect(failure?.exit == .verification)
    #expect(try scene.leftovers.isEmpty)
  }

  @Test func `data that differs from the live cluster's fails and leaves nothing`() throws {
    var scene = try Scene(.system)
    try scene.etcd.etcdctl("put", "/registry/pods/default/later", "x")
    var expected = try scene.etcd.client().keySpace()
    let failure = #expect(throws: Failure.self) {
      scene.order.expected = expected
      try Drill(scene.tools).run(scene.order) { (_, _) throws(Failure) in .null }
    }
    #expect(failure != nil)
    // Deleted again there are as many keys, at a later revision that the restored data does not have.
    try scene.etcd.etcdctl("del", "/registry/pods/default/later")
    expected = try scene.etcd.client().keySpace()
    scene.order.expected = expected
    #expect(throws: Failure.self) { try Drill(scene.tools).run(scene.order) { (_, _) throws(Failure) in .null } }
    let native = #expect(throws: Failure.self) {
      try Drill(scene.tools).run(scene.order) { (_, _) throws(Failure) in
        throw Failure(.verification, what: "differs", why: "by one", next: "again")
      }
    }
    #expect(native?.what == "differs")
    #expect(try scene.leftovers.isEmpty)
  }

  @Test func `a data directory that is a link, or has its log elsewhere, is staged where it really is`() throws {
    let directory = TemporaryDirectory()
    try Files.makeDirectory(directory.path + "/disk/etcd")
    try Files.makeDirectory(directory.path + "/log/wal")
    symlink(directory.path + "/disk/etcd", directory.path + "/link")
    let machine = try LocalMachine()
    let plan = try StagingPlan.make(
      machine, dataDirectory: directory.path + "/link", walDirectory: directory.path + "/log/wal", id: "x")
    #expect(plan.staged == directory.path + "/disk/etcd.kguard-staged-x" && plan.swap == .rename)
    #expect(plan.stagedWAL == directory.path + "/log/wal.kguard-staged-x")
    let mount = try StagingPlan.make(machine, dataDirectory: "/dev/shm", id: "x")
    #expect(mount.staged == "/dev/shm/kguard-staged-x" && mount.swap == .moveMember)
    #expect(throws: Failure.self) { try StagingPlan.make(machine, dataDirectory: directory.path + "/none", id: "x") }
    #expect(StagingPlan(json: plan.json) == plan)
  }

  /// Where a drill can be killed; the number says at which passing.
  static let points = [
    "etcd-drill.before", "etcd-drill.restoring", "etcd-drill.restore", "etcd-drill.compare", "etcd-drill.copy", "etcd-drill.boot",
    "etcd-drill.boot@2",
    "etcd-drill.count", "etcd-drill.proven", "etcd-drill.complete",
  ]

  @Test(arguments: points)
  func `killed anywhere, the next drill cleans up and finishes`(point: String) async throws {
    let scene = try Scene(.system)
    let parts = point.split(separator: "@").map(String.init)
    let what: JSON = [
      "failpoint": .string("\(parts[0])=crash" + (parts.count > 1 ? "@\(parts[1])" : "")), "snapshot": .string(scene.order.snapshot),
      "sha256": .string("\(scene.order.sha256)"), "data": .string(scene.etcd.directory.path + "/m1"),
      "members": .array(try scene.etcd.client().members().map(\.json)), "cache": .string(scene.etcd.directory.path + "/tools"),
    ]
    await #expect(processExitsWith: .signal(SIGKILL)) { [told = what.text() as String] in
      // What outlives this process must not keep the test's own pipes open.
      for descriptor in Int32(3)..<256 { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
      let what = try JSON(parsing: told)
      func text(_ key: String) throws -> String { try #require(what[key]?.string) }
      setenv("KGUARD_FAILPOINT", try text("failpoint"), 1)
      let machine = try LocalMachine()
      let members = (what["members"]?.array ?? []).compactMap(EtcdMember.init(json:))
      let order = Drill.Order(
        snapshot: try text("snapshot"), sha256: try #require(Digest(hex: try text("sha256"))),
        plan: try StagingPlan.make(machine, dataDirectory: try text("data"), id: "run1"),
        membership: try RestoreMembership(name: "m1", members: members, token: "t"), version: EtcdVersion(3, 4))
      try Drill(EtcdTools(machine, cache: try text("cache"), restoreTool: "/usr/bin/etcdctl", server: "/usr/bin/etcd"))
        .run(order) { (_, _) throws(Failure) in .null }
    }
    // Another run of the same node comes first, and sweeps too.
    var other = scene.order
    other.plan = try StagingPlan.make(LocalMachine(), dataDirectory: scene.etcd.directory.path + "/m1", id: "run2")
    let wasComplete = try StagedData.read(scene.order.plan)?.state == .complete
    #expect(wasComplete == (point == "etcd-drill.complete"))
    let data = try Drill(scene.tools).run(other) { (_, _) throws(Failure) in .null }
    #expect(data.state == .complete)
    let kept = wasComplete ? ["m1.kguard-staged-run1", "m1.kguard-staged-run1.json"] : []
    #expect(try scene.leftovers == kept + ["m1.kguard-staged-run2", "m1.kguard-staged-run2.json"])
    #expect(try Drill(scene.tools).run(scene.order) { (_, _) throws(Failure) in .null }.state == .complete)
    let strays = try run("ps", "-eo", "args").split(separator: "\n").filter { $0.contains(scene.order.plan.staged) }
    #expect(strays.isEmpty)
  }
}
