import Glibc
import Host
import Model
import Testing

/// Rollbacks that failed, were given up, taken back, and begun again: there is always a way on, and never another one's data.
@Suite(.serialized) struct `Rollback, undone and again` {
  private static let halfUpgraded = "put late\nkubeadm upgrade apply v1.28.0 -y\nexit 0"

  /// A run that has ended well, with this damage; its id.
  private func succeeded(_ node: GuardedNode, _ damage: String) throws -> String {
    let outcome = try node.run(damage + "\nexit 0")
    #expect(outcome.exit == 0, "\(outcome.errors)")
    return try #require(try JSON(parsing: try node.kguard("status", "-o", "json").output)["run"]?.string)
  }

  private func node() throws -> GuardedNode {
    let node = try GuardedNode()
    try node.configure("health: {timeout: 20s, soak: 1s}\n")
    return node
  }

  @Test(arguments: [("never", ["cm1", "late"]), ("always", ["cm1"])])
  func `what was asked of a rollback is asked of the next try too`(mode: String, left: [String]) throws {
    let node = try node()
    if mode == "never" { try node.sandbox("break", ["apply-late"]) }
    let run = try succeeded(node, mode == "never" ? Self.halfUpgraded : "put late")
    let failing = ["KGUARD_FAILPOINT": "stop/containers.after=fail"]
    #expect(try node.kguard("rollback", run, "--etcd", mode, "--yes", environment: failing).exit == 5)
    let resumed = try node.kguard("resume")
    #expect(resumed.exit == 0, "\(resumed.errors)")
    #expect(try node.ended().state("swap") == (mode == "never" ? "skipped" : "succeeded"))
    #expect(try node.configmaps() == left)
  }

  @Test func `damage after a rollback began is no rollback's own work`() throws {
    let node = try node()
    let first = try node.run("echo >> etc/kubernetes/admin.conf", environment: ["KGUARD_FAILPOINT": "verify/effect.before=fail"])
    #expect(first.exit == 5, "\(first.errors)")
    #expect(try node.ended().evidence("assess")?["verdict"] == "changed-back")
    try node.sandbox("break", ["apply-late"])
    try node.shell("kubeadm upgrade apply v1.28.0 -y || true\nput mine")
    let resumed = try node.kguard("resume")
    #expect(resumed.exit == 4, "\(resumed.errors)")
    #expect(resumed.errors.contains("1 object was written since the snapshot") || resumed.errors.contains("ConfigMap demo/mine"))
    #expect(try node.ended().state("swap") == "succeeded")
    #expect(try node.configmaps() == ["cm1"])
  }

  @Test func `a rollback that failed early is taken back with all manifests in place`() throws {
    let node = try node()
    let run = try succeeded(node, "put late")
    // Nothing was moved: there is nothing to take back, and nothing is stopped for it.
    var failing = ["KGUARD_FAILPOINT": "stop/effect.before=fail"]
    #expect(try node.kguard("rollback", run, "--etcd", "always", "--yes", environment: failing).exit == 5)
    #expect(try node.kguard("abandon", "--yes").exit == 0)
    let nothing = try node.kguard("rollback", "--undo", run, "--yes")
    #expect(nothing.exit == 2 && nothing.errors.contains("its rollback moved nothing"), "\(nothing.errors)")
    #expect(try node.kguard("rollback", "--undo", "--yes").errors.contains("there is no rollback to take back"))
    // Three of four manifests are out.
    failing = ["KGUARD_FAILPOINT": "stop/manifest-out-etcd.yaml.before=fail"]
    #expect(try node.kguard("rollback", run, "--etcd", "always", "--yes", environment: failing).exit == 5)
    #expect(try node.kguard("abandon", "--yes").exit == 0)
    let undone = try node.kguard("rollback", "--undo", "--yes")
    #expect(undone.exit == 0, "\(undone.errors)")
    #expect(try node.configmaps() == ["cm1", "late"])
    #expect(try node.names("/etc/kubernetes/manifests", containing: ".yaml").count == 4)
  }

  @Test func `an undo that was given up can be finished by another, or rolled back`() throws {
    let node = try node()
    let run = try succeeded(node, "put late\necho '# changed' >> etc/kubernetes/controller-manager.conf")
    let changed = try node.files("/etc/kubernetes")
    for point in ["start/effect.before", "verify/effect.before", "files/effect.after"] {
      #expect(try node.kguard("rollback", run, "--etcd", "always", "--yes").exit == 0)
      #expect(try node.configmaps() == ["cm1"])
      #expect(try node.kguard("rollback", "--undo", run, "--yes", environment: ["KGUARD_FAILPOINT": "\(point)=fail"]).exit == 5)
      let blocked = try node.kguard("rollback", run, "--yes")
      #expect(blocked.exit == 6 && blocked.errors.contains("then `kguard rollback \(run)` rolls back again"), "\(blocked.errors)")
      let given = try node.kguard("abandon", "--yes")
      #expect(given.exit == 0 && given.errors.contains("`kguard rollback \(run)`"), "\(given.errors)")
      let again = try node.kguard("rollback", "--undo", run, "--yes")
      #expect(again.exit == 0, "\(point): \(again.errors)")
      #expect(try node.configmaps() == ["cm1", "late"])
      #expect(try node.files("/etc/kubernetes") == changed)
    }
    #expect(try node.kguard("rollback", run, "--etcd", "always", "--yes").exit == 0)
    // Killed between what is put back and its record.
    var undo = ["rollback", "--undo", run, "--yes"]
    for point in ["swap/data-forget.before", "files/file-forget-controller-manager.conf.before"] {
      #expect(try node.kguard(undo, environment: ["KGUARD_FAILPOINT": "\(point)=crash"]).wasKilled)
      undo = ["resume"]
    }
    #expect(try node.kguard("resume").exit == 0)
    #expect(try node.configmaps() == ["cm1", "late"])
    #expect(try node.files("/etc/kubernetes") == changed)

    #expect(try node.kguard("rollback", run, "--etcd", "always", "--yes").exit == 0)
    let failing = ["KGUARD_FAILPOINT": "swap/data-restored.before=fail"]
    #expect(try node.kguard("rollback", "--undo", run, "--yes", environment: failing).exit == 5)
    #expect(try node.kguard("abandon", "--yes").exit == 0)
    let back = try node.kguard("rollback", run, "--etcd", "always", "--yes")
    #expect(back.exit == 0, "\(back.errors)")
    #expect(try node.configmaps() == ["cm1"])
  }

  @Test func `what a rollback had mended can be had again, and mended again`() throws {
    let node = try node()
    let before = try node.files("/etc/kubernetes")
    let first = try node.run("put late\nrm etc/kubernetes/scheduler.conf")
    #expect(first.exit == 4, "\(first.errors)")
    let run = try node.ended().run
    // As it was before the rollback is not well, and is said to be so.
    let undone = try node.kguard("rollback", "--undo", run, "--yes")
    #expect(undone.exit == 5 && undone.errors.contains("`kguard rollback \(run)`"), "\(undone.errors)")
    // kubelet makes an empty file where the manifest's volume is one.
    #expect((try Files.textIfPresent(node.root + "/etc/kubernetes/scheduler.conf") ?? "") == "", "\(undone.errors)")
    #expect(try node.kguard("abandon", "--yes").exit == 0)
    let again = try node.kguard("rollback", run, "--yes")
    #expect(again.exit == 0, "\(again.errors)")
    #expect(try node.files("/etc/kubernetes") == before)
  }

  @Test func `the bundle of a run that stands again is kept`() throws {
    let node = try node()
    try node.configure("retention: {keep-last: 1, keep-daily: 0, keep-weekly: 0, keep-monthly: 0}\nhealth: {timeout: 20s, soak: 1s}\n")
    let run = try succeeded(node, "put late")
    #expect(try node.kguard("rollback", run, "--etcd", "always", "--yes").exit == 0)
    #expect(try node.kguard("rollback", "--undo", run, "--yes").exit == 0)
    for _ in 0..<2 { #expect(try node.kguard("backup", "--no-offsite", "--no-drill").exit == 0) }
    #expect(try Files.list(node.bench.state + "/bundles").contains(run))
    let back = try node.kguard("rollback", run, "--etcd", "always", "--yes")
    #expect(back.exit == 0, "\(back.errors)")
    #expect(try node.configmaps() == ["cm1"])
  }

  @Test func `a rollback is not undone on a base that was rolled back since`() throws {
    let node = try node()
    let lower = try succeeded(node, "put a1\necho '# A' >> etc/kubernetes/controller-manager.conf")
    let upper = try succeeded(node, "put b1\necho '# B' >> etc/kubernetes/admin.conf")
    let top = try node.kguard("rollback", lower, "--yes")
    #expect(top.exit == 2 && top.errors.contains("run \(upper) (guarded) has changed the cluster since"), "\(top.errors)")
    for run in [upper, lower] { #expect(try node.kguard("rollback", run, "--etcd", "always", "--yes").exit == 0) }
    #expect(try node.configmaps() == ["cm1"])
    let refused = try node.kguard("rollback", "--undo", upper, "--yes")
    #expect(refused.exit == 2 && refused.errors.contains("`kguard rollback --undo \(lower)`"), "\(refused.errors)")
    let foreseen = try node.kguard("rollback", "--undo", upper, "--dry-run")
    #expect(foreseen.exit == 2 && foreseen.errors.contains("It would be refused now: cannot undo"), "\(foreseen.errors)")
    #expect(try node.kguard("status", upper).output.contains("kguard rollback --undo \(upper)"))
    for run in [lower, upper] {
      let undone = try node.kguard("rollback", "--undo", "--yes")
      #expect(undone.exit == 0 && undone.errors.contains(run), "\(undone.errors)")
    }
    #expect(try node.configmaps() == ["a1", "b1", "cm1"])
    #expect(try node.kguard("show", upper).output.contains("what the run had done is in place again"))
    let history = try node.kguard("history").output.split(separator: "\n")
    #expect(history.count { $0.contains("guarded, taken back") } == 2, "\(history)")
    #expect(try node.kguard("status", upper).output.contains("kguard rollback \(upper) "))
  }

  @Test func `a run that succeeded and changed nothing is rolled back, and has not failed`() throws {
    let node = try node()
    let run = try succeeded(node, "true")
    let back = try node.kguard("rollback", "--yes")
    #expect(back.exit == 0 && back.errors.contains("run \(run) is rolled back, and the cluster is as it was before it"), "\(back.errors)")
    #expect(try node.ended().state == "rolled-back")
    #expect(try !node.kguard("status", run).output.contains("--undo"))
  }
}
