import Glibc
import Host
import Model
import Testing

/// A rollback that failed half way and is tried again, which is another run than a killed one: it finds the node as the first has left it,
/// and owes the same end and the same proof.
@Suite(.serialized) struct `Rollback, tried again` {
  @Test func `what the proof has missed is not forgotten`() throws {
    let node = try GuardedNode()
    try node.configure("health: {timeout: 30s, soak: 1s}\n")
    try node.sandbox("break", ["apply-late"])
    let killed = try node.run(
      "put late\nkubeadm upgrade apply v1.28.0 -y", environment: ["KGUARD_FAILPOINT": "start/commit.after=crash"])
    #expect(killed.wasKilled, "\(killed.errors)")
    try node.shell("delete cm1")
    for _ in 0..<2 {
      let resumed = try node.kguard("resume")
      #expect(resumed.exit == 5, "\(resumed.errors)")
      #expect(resumed.errors.contains("the restored cluster lacks 1 objects of the bundle: ConfigMap demo/cm1"), "\(resumed.errors)")
      #expect(!resumed.errors.contains("nothing is restored"))
    }
    try node.shell("put cm1")
    let resumed = try node.kguard("resume")
    #expect(resumed.exit == 4, "\(resumed.errors)")
    let ended = try node.ended()
    #expect(ended.state == "rolled-back")
    #expect(ended.state("stop") == "skipped" && ended.state("swap") == "skipped" && ended.state("start") == "skipped")
    let proof = ended.evidence("verify")
    #expect(proof?.at("bundle", "gone") == [] && proof?.at("lost", "names")?.text().contains("ConfigMap demo/late") == true)
    #expect((proof?.at("milliseconds", "outage")?.int ?? 0) > 0, "\(proof?.text() ?? "")")
    #expect(try node.configmaps() == ["cm1"])
    // The run's own story has the rollback in it.
    let story = try node.kguard("show", ended.run).output
    for words in ["run \(ended.rollback), succeeded; before it ", "ConfigMap demo/late", "cluster/verify-restored", "etcd-aside"] {
      #expect(story.contains(words), "\(words) is not in \(story)")
    }
  }

  @Test func `manifests that a rollback itself took out are no reason to restore etcd`() throws {
    let node = try GuardedNode()
    try node.configure("health: {timeout: 30s, soak: 1s}\n")
    let before = try node.files("/etc/kubernetes")
    let first = try node.run(
      "put kept\necho >> etc/kubernetes/admin.conf", environment: ["KGUARD_FAILPOINT": "stop/containers.after=fail"])
    #expect(first.exit == 5, "\(first.errors)")
    let failed = try node.ended()
    #expect(failed.evidence("assess")?["verdict"] == "changed-back" && failed.evidence("assess")?["etcd"] == false)
    let resumed = try node.kguard("resume")
    #expect(resumed.exit == 4, "\(resumed.errors)")
    let ended = try node.ended()
    #expect(ended.rollback != failed.rollback && ended.evidence("assess")?["etcd"] == false)
    #expect(ended.state("swap") == "skipped" && ended.state("start") == "succeeded")
    #expect(try node.configmaps() == ["cm1", "kept"])
    #expect(try node.files("/etc/kubernetes") == before)
    // From the first manifest that went, not from the second beginning.
    let split = ended.evidence("verify")?["milliseconds"]
    #expect((split?["outage"]?.int ?? 0) > (split?["start"]?.int ?? .max), "\(split?.text() ?? "")")
  }

  @Test func `failed and then killed anywhere once the control plane is down, it comes to the same end`() throws {
    let node = try GuardedNode()
    try node.configure("health: {timeout: 30s, soak: 1s}\n")
    try node.sandbox("break", ["apply-late"])
    let log = node.bench.path + "/points"
    let before = try node.files("/etc/kubernetes")
    let killed = try node.run(
      "put late\ndelete cm1\nkubeadm upgrade apply v1.28.0 -y", environment: ["KGUARD_FAILPOINT": "run/roll-back.after=crash"])
    #expect(killed.wasKilled, "\(killed.errors)")
    // What the run has left behind is no state of the node to be mended by hand.
    let check = try node.kguard("check")
    #expect(check.exit == 6 && check.errors.contains("`kguard resume` is the way to go on with the rollback"), "\(check.errors)")
    let points = [
      "stop/manifest-out-kube-apiserver.yaml.recorded", "stop/manifest-out-etcd.yaml.before", "stop/kubelet.after", "stop/effect.after",
      "swap/effect.before", "swap/data-aside.before", "swap/data-aside.after", "swap/data-restored.before", "swap/marker.before",
      "files/file-aside-admin.conf.after", "files/effect.after",
      "start/manifest-in-etcd.yaml.after", "start/kubelet.before", "start/ready.after", "verify/effect.before", "verify/save.before",
    ]
    var armed = Dictionary(uniqueKeysWithValues: points.map { ($0, "fail") })
    var (outcome, tries): (Bench.Outcome, Int)
    tries = 0
    repeat {
      unlink(log)
      let failpoints = armed.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
      outcome = try node.kguard("resume", environment: ["KGUARD_FAILPOINT": failpoints, "KGUARD_FAILPOINT_LOG": log])
      guard outcome.exit == 5 || outcome.wasKilled else { break }
      tries += 1
      let last = try #require((try Files.textIfPresent(log) ?? "").split(separator: "\n").map(String.init).last { armed[$0] != nil })
      #expect(outcome.wasKilled == (armed[last] == "crash"), "\(last): \(outcome.errors)")
      armed[last] = armed[last] == "fail" ? "crash" : nil
    } while tries < 80
    #expect(outcome.exit == 4, "after \(tries) tries: \(outcome.errors)")
    // What is in effect after a failure is not done again: a kill inside it is not reached.
    #expect(!armed.values.contains("fail") && armed.count <= points.count / 2, "\(armed)")
    let ended = try node.ended()
    #expect(ended.state == "rolled-back")
    #expect(try node.configmaps() == ["cm1"])
    #expect(try node.files("/etc/kubernetes") == before)
    let proof = ended.evidence("verify")
    #expect(proof?.at("bundle", "gone") == [] && proof?.at("lost", "names")?.text().contains("ConfigMap demo/late") == true)
    // The data from before all of them is what an undo brings.
    #expect(try node.kguard("rollback", "--undo", ended.run, "--yes").exit == 0)
    #expect(try node.configmaps() == ["late"])
  }
}
