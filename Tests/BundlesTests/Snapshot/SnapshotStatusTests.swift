import Host
import Model
import Testing

@testable import Bundles

@Suite(.serialized) struct `Snapshot status` {
  @Test(arguments: EtcdRelease.present)
  func `hash, revision, keys and size are what etcd's own tool prints`(release: EtcdRelease) throws {
    let etcd = try SnapshotEtcd(release)
    func compare(_ path: String, trailer: SnapshotReport.Trailer) throws -> SnapshotReport {
      let report = try verifySnapshot(path, withLiveDigest: true).report
      let theirs = try etcd.status(path)
      #expect(report.line == theirs)
      let table = try etcd.status(path, format: "table")
      #expect(report.table == table)
      let json = try JSON(parsing: try etcd.status(path, format: "json"))
      #expect(json["hash"]?.int == Int64(report.hash))
      #expect(json["totalSize"]?.int == report.totalSize)
      #expect(report.trailer == trailer)
      #expect(report.sha256 == sha256(try Files.read(path)))
      #expect(try SnapshotReader(path).newestRevision() == report.revision)
      return report
    }
    let empty = try compare(try etcd.snapshot("empty.db"), trailer: .valid)
    #expect(empty.liveKeys == 0)
    #expect(empty.members.map(\.name) == ["default"])

    try SampleObjects.fill(etcd)
    let filled = try compare(try etcd.snapshot("filled.db"), trailer: .valid)
    #expect(filled.leases == 1)
    #expect(filled.users == 1 && filled.roles == 1 && !filled.isAuthEnabled)
    #expect(filled.compactedRevision == 15)
    #expect(filled.clusterVersion == release.rawValue + ".0")
    #expect(filled.objects["pods"] == 4000 - 10 - 1)
    #expect(filled.namespaces == ["default", "kube-system"])
    #expect(filled.objects["(other)"] == 1)

    try etcd.ctl("defrag")
    let defragmented = try compare(try etcd.snapshot("defragmented.db"), trailer: .valid)
    #expect(defragmented.liveDigest == filled.liveDigest)
    #expect(defragmented.hash == filled.hash)

    let stopped = try compare(etcd.database(), trailer: .none)
    #expect(stopped.liveDigest == filled.liveDigest)
  }

  @Test(.enabled(if: EtcdRelease.present.contains(.next), "set KGUARD_ETCD35 to a directory with etcd, etcdctl and etcdutl of 3.5"))
  func `a restore with a bumped revision has the same live keys`() throws {
    let etcd = try SnapshotEtcd(.next)
    try SampleObjects.fill(etcd, keys: 500)
    let path = try etcd.snapshot()
    let before = try verifySnapshot(path, withLiveDigest: true).report
    for (index, options) in [[], ["--bump-revision", "1000000", "--mark-compacted"]].enumerated() {
      let restored = etcd.home.path + "/restored-\(index)"
      let result = try runCaptured(
        EtcdRelease.next.program("etcdutl"), Command(["etcdutl", "snapshot", "restore", path, "--data-dir", restored] + options))
      try #require(result.end.isSuccess, "\(result.errorText)")
      let file = try SnapshotReader.database(restored)
      var expected = SnapshotExpectations()
      expected.liveDigest = before.liveDigest
      expected.minimumRevision = before.revision
      let after = try verifySnapshot(file, expecting: expected).report
      #expect(after.revision == before.revision + (options.isEmpty ? 0 : 1_000_000))
      #expect(try diff(try SnapshotReader(path), try SnapshotReader(restored)) { _ in }.isEqual)
    }
  }

  @Test func `a database that etcd has open is refused`() throws {
    let etcd = try SnapshotEtcd(.installed)
    let failure = #expect(throws: Failure.self) { try verifySnapshot(etcd.home.path + "/data/member/snap/db") }
    #expect(failure?.why.contains("holds its lock") == true)
  }

  @Test func `a snapshot that falls short of the cluster is not verified`() throws {
    let etcd = try SnapshotEtcd(.installed)
    try etcd.putAll((0..<5).map { ("/registry/pods/default/p\($0)", "x") })
    let path = try etcd.snapshot()
    let report = try verifySnapshot(path).report
    func refusal(_ change: (inout SnapshotExpectations) -> Void) -> Failure? {
      var expected = SnapshotExpectations()
      change(&expected)
      let failure = #expect(throws: Failure.self) { try verifySnapshot(path, expecting: expected) }
      #expect(failure?.exit == .verification)
      return failure
    }
    #expect(refusal { $0.minimumRevision = report.revision + 1 }?.why.contains("revision") == true)
    #expect(refusal { $0.minimumObjects = ["pods": 6] }?.why == "it holds 5 pods, and the cluster had 6")
    #expect(refusal { $0.sha256 = .zero }?.why.contains("SHA-256") == true)
    #expect(refusal { $0.liveDigest = .zero }?.why.contains("digest") == true)
    var met = SnapshotExpectations()
    met.minimumRevision = report.revision
    met.minimumObjects = ["pods": 5]
    met.needsTrailer = true
    met.sha256 = report.sha256
    _ = try verifySnapshot(path, expecting: met)
  }

  @Test func `a stop that was asked for ends the verification`() throws {
    let etcd = try SnapshotEtcd(.installed)
    let path = try etcd.snapshot()
    let stop = StopSignal()
    stop.ask(.atCheckpoint, reason: "test")
    #expect(#expect(throws: Failure.self) { try verifySnapshot(path, stop: stop) }?.exit == .interrupted)
  }
}
