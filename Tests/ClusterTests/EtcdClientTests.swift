import Cluster
import Glibc
import Host
import Model
import Testing

@Suite(.serialized) struct `Talking to etcd` {
  @Test(arguments: EtcdRelease.all)
  func `status, members, alarms, counts and hash are those that etcdctl tells`(release: EtcdRelease) throws {
    let etcd = try TestEtcd(release)
    try etcd.fill()
    let client = try etcd.client()
    let status = try client.status()
    #expect(status.version.hasPrefix(release.version))
    #expect(status.leader == status.header.member && !status.isLearner && status.dbSize > 0)
    let members = try client.members()
    #expect(members.map(\.name) == ["m1"])
    #expect(members[0].peerURLs == ["https://127.0.0.1:\(etcd.peerPorts[0])"])
    #expect(members[0].id == status.header.member)
    #expect(try client.alarms().isEmpty)
    let space = try client.keySpace()
    #expect(space.total == 60)
    #expect(space.resources.map { "\($0.resource)=\($0.count)" } == ["pods=20", "secrets=20", "services/specs=20"])
    let hash = try etcd.etcdctl("endpoint", "hashkv", "-w", "json")
    #expect(hash.contains("\"hash\":\(try #require(space.hash).hash)"))
    // Kubernetes' own keys have resources without a namespace, groups with dots and single keys.
    try etcd.etcdctl("put", "/registry/ranges/serviceips", "x")
    try etcd.etcdctl("put", "/registry/cert-manager.io/certificates/a/b", "x")
    try etcd.etcdctl("put", "elsewhere", "x")
    let after = try client.keySpace()
    #expect(after.total == 63)
    #expect(after.resources.map(\.resource) == ["cert-manager.io/certificates", "pods", "ranges", "secrets", "services/specs"])
    #expect(try client.keySpace(revision: space.revision).differences(from: space).isEmpty)
    #expect(after.differences(from: space).first == "63 keys instead of 60")
  }

  @Test(arguments: EtcdRelease.all)
  func `a snapshot is what etcdctl would have saved, and restores`(release: EtcdRelease) throws {
    let etcd = try TestEtcd(release)
    try etcd.fill(count: 300, size: 8000)
    let path = etcd.directory.path + "/snapshot.db"
    var last: (Int64, Int64) = (0, 0)
    let (taken, survey) = try EtcdCluster([etcd.endpoint()]).snapshot(to: path, machine: LocalMachine()) { done, total in
      #expect(done >= last.0 && done <= total)
      last = (done, total)
    }
    #expect(last.0 == taken.size && last.1 == taken.size)
    #expect(try Files.info(path)?.size == taken.size)
    #expect(try Files.info(path)?.mode == 0o600)
    #expect(try Files.exists(path + ".part") == false)
    #expect(try run("sha256sum", path).hasPrefix("\(taken.sha256)"))
    #expect(survey.warnings.isEmpty)
    #expect(taken.etcdVersion.hasPrefix(release.version))
    let revision = try etcd.client().catchUp()
    #expect(taken.revisionAtLeast == revision)
    // etcd may write of its own (the cluster's version, an index) between the two: then both are taken again.
    var status = ["", " "]
    for attempt in 0..<5 where status[0] != status[1] {
      let (own, saved) = (etcd.directory.path + "/own-\(attempt).db", etcd.directory.path + "/etcdctl-\(attempt).db")
      _ = try EtcdCluster([etcd.endpoint()]).snapshot(to: own, machine: LocalMachine())
      try etcd.etcdctl("snapshot", "save", saved)
      status = try [own, saved].map { try run("env", "ETCDCTL_API=3", release.tool, "snapshot", "status", $0, "-w", "json") }
    }
    #expect(status[0] == status[1] && status[0].contains("\"revision\":\(revision)"))
    try run("env", "ETCDCTL_API=3", release.tool, "snapshot", "restore", path, "--data-dir=\(etcd.directory.path)/restored")
  }

  @Test func `a stream cut at any byte is told, and leaves nothing`() throws {
    let etcd = try TestEtcd()
    try etcd.fill(count: 60, size: 2000)
    let size = try EtcdCluster([etcd.endpoint()]).snapshot(to: etcd.directory.path + "/whole.db", machine: LocalMachine()).0.size
    // Some in the handshake, some at message bounds, some around the end; a connection carries about 6 KB besides the snapshot.
    var cuts = [0, 1, 100, 1500, 2500, 3000, 3500]
    cuts += (1...24).map { Int(size) * $0 / 24 }
    cuts += [32, 64, 100, 500, 1000, 2000, 3000].map { Int(size) + $0 }
    let portFile = etcd.directory.path + "/port"
    let proxy = try TestProcess(
      ["python3", TestEtcd.servers + "/cutproxy.py", "\(etcd.ports[0])", portFile] + cuts.map(String.init) + ["-1"],
      log: etcd.directory.path + "/proxy.log")
    defer { proxy.end() }
    try waitUntil("the proxy listens") { try Files.exists(portFile) }
    let port = try #require(try Files.textIfPresent(portFile))
    let target = etcd.directory.path + "/cut.db"
    var refused = 0
    for cut in cuts {
      let client = try EtcdClient(EtcdEndpoint("https://127.0.0.1:\(port)", tls: etcd.pki.identity()))
      do {
        let taken = try client.snapshot(to: target, machine: LocalMachine())
        // So far behind the last byte that nothing is missing.
        #expect(taken.size == size && cut > Int(size))
        try Files.removeOwn(target)
      } catch {
        refused += 1
        #expect(error.why.contains("cut") || error.why.contains("connection refused"), "\(cut): \(error)")
        #expect(error.isTransient)
        #expect(try Files.list(etcd.directory.path).filter { $0.hasPrefix("cut.db") }.isEmpty)
      }
    }
    #expect(refused >= 31)
    let client = try EtcdClient(EtcdEndpoint("https://127.0.0.1:\(port)", tls: etcd.pki.identity()))
    #expect(try client.snapshot(to: target, machine: LocalMachine()).size == size)
  }

  @Test func `every wrong certificate has its own words`() throws {
    let etcd = try TestEtcd()
    try etcd.pki.authority("other-ca")
    try etcd.pki.certificate("stranger", by: "other-ca")
    try etcd.pki.certificate("expired-client", days: -1)
    func why(_ endpoint: EtcdEndpoint) -> String {
      do throws(Failure) {
        _ = try EtcdClient(endpoint, timeout: .seconds(5)).status()
        return "no failure"
      } catch { return error.why }
    }
    #expect(why(etcd.endpoint(authority: "other-ca")).hasPrefix("wrong certificate: the server's does not come from the authority"))
    #expect(why(etcd.endpoint(client: "stranger")).hasPrefix("wrong certificate: etcd does not accept"))
    #expect(why(etcd.endpoint(client: "expired-client")).hasPrefix("expired certificate: our own"))
    #expect(why(etcd.endpoint(client: "absent")).contains("cannot be used"))
    var bare = etcd.endpoint()
    bare.tls.certificate = nil
    bare.tls.key = nil
    #expect(why(bare).hasPrefix("wrong certificate: etcd does not accept a missing client certificate"))
    #expect(why(EtcdEndpoint("https://127.0.0.1:\(try freePorts(1)[0])", tls: etcd.pki.identity())).hasPrefix("connection refused"))
    #expect(why(EtcdEndpoint("https://no-such-host.invalid:2379", tls: etcd.pki.identity())).hasPrefix("the host name is unknown"))
    #expect(why(EtcdEndpoint("http://127.0.0.1:\(etcd.ports[0])")) != "no failure")
  }

  @Test func `a server's expired certificate is told`() throws {
    let etcd = try TestEtcd(server: "expired")
    var told = ""
    try waitUntil("etcd listens") {
      do throws(Failure) { _ = try EtcdClient(etcd.endpoint()).status() } catch { told = error.why }
      return !told.hasPrefix("connection refused")
    }
    #expect(told.hasPrefix("expired certificate: that of the server"))
  }

  @Test func `a disk that fills up midway, or fails at the end, leaves no snapshot`() async throws {
    let etcd = try TestEtcd()
    try etcd.fill(count: 300, size: 8000)
    let cases: JSON = [
      "port": .int(Int64(etcd.ports[0])), "pki": .string(etcd.pki.directory), "directory": .string(etcd.directory.path),
    ]
    for (fault, words) in [("write:taken.db:ENOSPC@3000000", "No space left"), ("sync:taken.db:EIO", "Input/output error")] {
      await #expect(processExitsWith: .exitCode(7)) { [told = cases.text() as String, fault = fault as String, words = words as String] in
        setenv("KGUARD_FAULT", fault, 1)
        let what = try JSON(parsing: told)
        let (pki, directory) = (try #require(what["pki"]?.string), try #require(what["directory"]?.string))
        let tls = TLSIdentity(
          authority: .file(pki + "/ca.crt"), certificate: .file(pki + "/healthcheck-client.crt"),
          key: .file(pki + "/healthcheck-client.key"))
        let client = try EtcdClient(EtcdEndpoint("https://127.0.0.1:\(what["port"]?.int ?? 0)", tls: tls))
        do throws(Failure) {
          _ = try client.snapshot(to: directory + "/taken.db", machine: LocalMachine())
        } catch {
          exit(error.why.contains(words) ? 7 : 1)
        }
      }
      #expect(try Files.list(etcd.directory.path).filter { $0.hasPrefix("taken") }.isEmpty, "\(fault)")
    }
    let client = try etcd.client()
    #expect(throws: Failure.self) { try client.snapshot(to: "/dev/full/snapshot.db", machine: LocalMachine()) }
  }

  @Test func `with a NOSPACE alarm there is a snapshot and a warning`() throws {
    let etcd = try TestEtcd(options: ["--quota-backend-bytes=3000000"])
    #expect(try etcd.tryFill(count: 2000, size: 4000).end.isSuccess == false)
    try waitUntil("the alarm is raised") { try etcd.client().alarms().contains { $0.kind == .noSpace } }
    let path = etcd.directory.path + "/snapshot.db"
    let (taken, survey) = try EtcdCluster([etcd.endpoint()]).snapshot(to: path, machine: LocalMachine())
    #expect(taken.size > 1_000_000)
    #expect(survey.warnings.map(\.why).contains { $0.hasPrefix("NOSPACE") })
    #expect(survey.warnings.allSatisfy { $0.exit == .preflightRefused })
  }
}
