import Glibc
import Host
import Model
import Testing

/// Killed at any point of a rollback and resumed, the node comes to the same end. One rollback is killed many times over: at every
/// third point of the undisturbed one, so that three rollbacks have been killed at all of them, and a fourth at every single one.
@Suite(.serialized) struct `Rollback crash matrix` {
  static let damage = "put late\ndelete cm1\nkubeadm upgrade apply v1.28.0 -y"

  struct End: Equatable {
    var state: String
    var configmaps: [String]
    var files: [String: Digest]
    var lost: JSON?
    var steps: [String: String]
    /// What was moved, by kind and name; the runs' ids differ.
    var moved: Set<String>
  }

  /// Brings a run to the moment before its rollback begins, and stops there.
  static func damaged(_ node: GuardedNode) throws {
    let outcome = try node.run(
      damage, environment: ["KGUARD_FAILPOINT": "run/roll-back.after=crash"])
    guard outcome.wasKilled else { throw Failure(what: "the run did not begin its rollback", why: outcome.errors, next: "") }
  }

  static func end(_ node: GuardedNode) throws -> End {
    let ended = try node.ended()
    var moved: Set<String> = []
    for artifact in try node.show(ended.rollback)["artifacts"]?.array ?? [] {
      let name = Files.name(of: artifact["path"]?.string ?? "").split(separator: ".kguard-").first.map(String.init) ?? ""
      moved.insert("\(artifact["kind"]?.string ?? "") \(artifact["kind"] == "rescue" ? "" : name) \(artifact["state"]?.string ?? "")")
    }
    return End(
      state: ended.state, configmaps: try node.configmaps(), files: try node.files("/etc/kubernetes"),
      // Whether a controller wrote a status in between is not ours to say.
      lost: JSON((ended.evidence("verify")?.at("lost", "names")?.array ?? []).compactMap(\.string).filter { !$0.hasPrefix("Deployment") }),
      steps: ended.steps.mapValues { $0["state"]?.string ?? "" }, moved: moved)
  }

  @Test func `killed at any point, a rollback resumes to the same end`() throws {
    let node = try GuardedNode()
    try node.sandbox("break", ["apply-late"])
    let log = node.bench.path + "/points"
    try Self.damaged(node)
    #expect(try node.kguard("resume", environment: ["KGUARD_FAILPOINT_LOG": log]).exit == 4)
    let points = try `Crash matrix`.points(log)
    let undisturbed = try Self.end(node)
    #expect(undisturbed.state == "rolled-back")
    #expect(undisturbed.configmaps == ["cm1"])
    #expect(points.count > 100, "\(points.count)")
    for kind in [
      "stop/manifest-out-etcd.yaml.after", "swap/data-aside.before", "swap/data-restored.after", "files/file-aside-admin.conf.after",
    ] {
      #expect(points.contains(kind), "\(points)")
    }

    for stride in [3, 3, 3, 1].enumerated() {
      var armed = Set(points.enumerated().filter { $0.offset % stride.element == stride.offset % stride.element }.map(\.element))
      try Self.damaged(node)
      var kills = 0
      var outcome: Bench.Outcome
      repeat {
        let now = node.bench.path + "/passed"
        unlink(now)
        outcome = try node.kguard(
          "resume",
          environment: ["KGUARD_FAILPOINT": armed.map { "\($0)=crash" }.joined(separator: ","), "KGUARD_FAILPOINT_LOG": now])
        guard outcome.wasKilled else { break }
        kills += 1
        let last = (try Files.textIfPresent(now) ?? "").split(separator: "\n").last.map(String.init) ?? ""
        #expect(armed.remove(last) != nil, "killed at \(last)")
      } while kills < 1000
      #expect(outcome.exit == 4, "after \(kills) kills: \(outcome.errors)")
      #expect(kills > points.count / stride.element * 3 / 4, "\(kills) of \(points.count), left: \(armed.sorted())")
      let end = try Self.end(node)
      #expect(end.state == undisturbed.state)
      #expect(end.configmaps == undisturbed.configmaps)
      #expect(end.lost == undisturbed.lost)
      #expect(end.steps == undisturbed.steps)
      #expect(end.moved.symmetricDifference(undisturbed.moved) == [])
      #expect(end.files == undisturbed.files)
    }
  }
}
