import Host
import Model
import Testing

/// A snapshot holds as many keys as the live cluster had at its revision.
@Suite struct `The live count` {
  private let node: GuardedNode
  private let playbook: String

  init() throws {
    node = try GuardedNode()
    let steps = "steps:\n  - {id: snapshot, action: etcd/snapshot}\n  - {id: verify, action: bundle/verify}\n"
    playbook = try node.bench.write("quick.yaml", "name: quick\n" + steps)
  }

  /// Kills a run there, lets something happen, and goes on with it.
  private func run(killedAt point: String, _ meanwhile: () throws -> Void) throws -> Bench.Outcome {
    let killed = try node.kguard("playbook", "run", playbook, environment: ["KGUARD_FAILPOINT": point + "=crash"])
    try #require(killed.wasKilled, "\(killed.errors)")
    try meanwhile()
    return try node.kguard("resume")
  }

  /// What the API server does every five minutes.
  private func compact() throws {
    try node.shell("put later; delete cm1; e compact $(e get later -w json | sed 's/.*\"revision\":\\([0-9]*\\).*/\\1/')")
  }

  private func live() throws -> JSON? {
    try JSON(parsing: try node.kguard("bundle", "show", "-o", "json").output).at("manifest", "live")
  }

  @Test func `is taken with the snapshot, so that a compaction does not matter`() throws {
    let done = try run(killedAt: "verify/start.before", compact)
    #expect(done.exit == 0 && !done.errors.contains("not compared"), "\(done.errors)")
    #expect(try live()?["compared"] == true && live()?["total"]?.int ?? 0 > 0)
  }

  @Test func `that nobody can give any more is said to be missing`() throws {
    let done = try run(killedAt: "etcd-snapshot.noted", compact)
    #expect(done.exit == 0 && done.errors.contains("warning: the live cluster has compacted revision"), "\(done.errors)")
    #expect(done.errors.contains("every page sound; not compared with the live cluster"), "\(done.errors)")
    #expect(try live()?["compared"] == false)
  }

  @Test(arguments: [-1, 1]) func `that is another one fails the bundle`(by difference: Int64) throws {
    let done = try run(killedAt: "verify/start.before") {
      let bundle = try #require(Files.list(node.bench.state + "/bundles").first)
      let path = node.bench.state + "/bundles/\(bundle)/taken.json"
      var taken = try JSON(parsing: try Files.read(path))
      var counted = try #require(taken["live"])
      counted["total"] = .int(try #require(counted["total"]?.int) + difference)
      taken["live"] = counted
      try Files.replace(path, with: Array(taken.text().utf8))
    }
    #expect(done.exit == 8 && done.errors.contains("the snapshot does not hold what the cluster held"), "\(done.errors)")
  }
}
