import Glibc
import Host
import Model
import Testing

/// What drills leave beside etcd's data: a whole database each.
@Suite(.serialized) struct `Restored copies` {
  static func steps(_ more: String) -> String {
    "name: up\nsteps:\n"
      + ["cluster/baseline", "node/archive", "etcd/snapshot", "bundle/verify", "etcd/drill"].map {
        "  - {id: \($0.split(separator: "/")[1]), action: \($0)}\n"
      }.joined() + more
  }

  private func staged(_ node: GuardedNode) throws -> [String] { try node.names("/var/lib", containing: "kguard-staged-") }

  @Test func `go when their run has ended, and a rollback that is asked for later restores again`() throws {
    let node = try GuardedNode()
    // The run's own copy stays while something is left to do.
    let early = try node.bench.write(
      "early.yaml",
      Self.steps(
        "  - {id: prune, action: bundle/prune}\n  - {id: late, run: [sh, -c, 'ls \(node.root)/var/lib > \(node.bench.path)/seen; false'], changes: false}\n"
      ))
    #expect(try node.kguard("playbook", "run", early).exit == 1)
    let seen = try Files.textIfPresent(node.bench.path + "/seen") ?? ""
    #expect(seen.contains("kguard-staged-"), "\(seen)")
    #expect(try staged(node).count == 2)
    let planned = try JSON(parsing: try node.kguard("bundle", "prune", "--dry-run", "-o", "json").output)
    #expect(planned["removeStaged"]?.array?.count == 1, "\(planned.text())")
    #expect(try staged(node).count == 2)

    // What it left goes with the next drill, and that one's own with the last step.
    let whole = try node.bench.write(
      "whole.yaml",
      Self.steps("  - {id: change, run: ['true'], on-failure: rollback}\n  - {id: prune, action: bundle/prune}\nrollback: rollback\n"))
    let run = try node.kguard("playbook", "run", whole)
    #expect(run.exit == 0, "\(run.errors)")
    #expect(try staged(node) == [])
    let id = try node.ended().run
    try node.shell("put cm2")
    let back = try node.kguard("rollback", id, "--etcd", "always", "--yes")
    #expect(back.exit == 0, "\(back.errors)")
    #expect(try node.configmaps() == ["cm1"])
    #expect(try staged(node) == [])
  }

  @Test(arguments: ["staged-discard.before", "etcd-drill.discard", "staged-discard.after"])
  func `are gone after a crash in their removal`(point: String) throws {
    let node = try GuardedNode()
    let whole = try node.bench.write("whole.yaml", Self.steps("  - {id: prune, action: bundle/prune}\n"))
    let crashed = try node.kguard("playbook", "run", whole, environment: ["KGUARD_FAILPOINT": "\(point)=crash"])
    #expect(crashed.wasKilled, "\(crashed.errors)")
    let resumed = try node.kguard("resume")
    #expect(resumed.exit == 0, "\(resumed.errors)")
    #expect(try staged(node) == [])
    let left = try JSON(parsing: try node.kguard("bundle", "prune", "--dry-run", "-o", "json").output)
    #expect(left["removeStaged"]?.array?.isEmpty == true, "\(left.text())")
  }

  @Test func `that kguard did not mark stay`() throws {
    let node = try GuardedNode()
    let failing = try node.bench.write("failing.yaml", Self.steps("  - {id: no, run: ['false'], changes: false}\n"))
    #expect(try node.kguard("playbook", "run", failing).exit == 1)
    let marker = try #require(try staged(node).first { $0.hasSuffix(".json") })
    unlink(node.root + "/var/lib/" + marker)
    let pruned = try node.kguard("bundle", "prune")
    #expect(pruned.exit == 0 && pruned.errors.contains("no marker"), "\(pruned.errors)")
    #expect(try staged(node).count == 1)
  }
}
