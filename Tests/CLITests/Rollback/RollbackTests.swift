import Glibc
import Host
import Model
import Testing

/// The rollback of a whole node in the sandbox: real etcd, real restore, and what an operator sees.
@Suite(.serialized) struct `Rollback` {
  @Test func `a half upgraded node is put back, later objects are listed as lost, and undo brings them back`() throws {
    let node = try GuardedNode()
    try node.sandbox("break", ["apply-late"])
    let before = try node.files("/etc/kubernetes")
    let damage = "put late\ndelete cm1\nkubeadm upgrade apply v1.28.0 -y"
    let run = try node.run(damage)
    #expect(run.exit == 4, "\(run.errors)")
    let ended = try node.ended()
    #expect(ended.state == "rolled-back")
    #expect(ended.evidence("assess")?["verdict"] == "half-changed")
    #expect(try node.configmaps() == ["cm1"])
    #expect(try node.files("/etc/kubernetes") == before)
    let lost = ended.evidence("verify")?["lost"]
    let last = run.errors.split(separator: "\n").suffix(2)
    #expect(last.first?.hasSuffix("written since the snapshot: \(lost?["list"]?.string ?? "?")") == true, "\(run.errors)")
    #expect(last.last == "`kguard rollback --undo \(ended.run)` takes the rollback back", "\(run.errors)")
    #expect(lost?["names"]?.array?.contains("ConfigMap demo/late") == true, "\(lost?.text() ?? "")")
    let list = try Files.textIfPresent(lost?["list"]?.string ?? "") ?? ""
    #expect(list.contains(#""key":"/registry/configmaps/demo/late""#))
    // Nothing of what was there is gone.
    #expect(try node.names("/var/lib", containing: "etcd.kguard-aside-\(ended.rollback)").count == 1)
    #expect(ended.evidence("verify")?.at("milliseconds", "outage")?.int ?? 0 > 0)
    #expect(ended.evidence("verify")?["undo"]?.string == "kguard rollback --undo \(ended.run)")

    // What `objects` prints `cat` takes.
    for words in [
      ["last", "configmaps", "demo/cm1"], ["last", "configmaps demo/cm1"], ["configmaps/demo/cm1"], ["/registry/configmaps/demo/cm1"],
    ] {
      let seen = try runCaptured(
        Bench.binary, node.bench.command(["bundle", "cat"] + words, environment: ["KGUARD_ROOT": node.root]))
      #expect(seen.end.isSuccess && seen.text.contains("cm1"), "\(words): \(seen.errorText)")
    }
    for (words, says) in [
      (["cat", "last", "configmaps", "demo/nope"], "there is no configmaps/demo/nope: "),
      (["cat", "last", "configmap/demo/cm1"], "there is no resource `configmap` in it; did you mean `configmaps`?: known: "),
      (["objects", "-r", "secret"], "there is no resource `secret` in it; did you mean `secrets`?: known: "),
      (["objects", "-n", "typo"], "there is no namespace `typo` in it: known: default, demo"),
    ] {
      let seen = try runCaptured(Bench.binary, node.bench.command(["bundle"] + words, environment: ["KGUARD_ROOT": node.root]))
      #expect(seen.end == .exited(2) && seen.text == "" && seen.errorText.contains(says), "\(words): \(seen.errorText)")
    }
    // Whoever names the rollback is told the name of the upgrade.
    let other = try node.kguard("rollback", "--undo", ended.rollback, "--yes")
    #expect(other.exit == 2 && other.errors.contains("hint: say `kguard rollback --undo \(ended.run)`"), "\(other.errors)")
    let undone = try node.kguard("rollback", "--undo", ended.run, "--yes")
    #expect(undone.exit == 0, "\(undone.errors)")
    #expect(undone.errors.hasSuffix(" succeeded\nThe rollback of run \(ended.run) is taken back.\n"), "\(undone.errors)")
    #expect(try node.configmaps() == ["late"])
    let manifest = try Files.textIfPresent(node.root + "/etc/kubernetes/manifests/kube-apiserver.yaml") ?? ""
    #expect(manifest.contains("v1.28.0"))
    let again = try node.kguard("rollback", "--undo", ended.run, "--yes")
    #expect(again.exit == 2, "\(again.errors)")
    #expect(try node.configmaps() == ["late"])
    #expect(try node.show(ended.run)["undo"]?.string != nil)
    let story = try node.kguard("report", ended.run, "--format", "markdown", "-o", "-").output
    #expect(story.contains("took the rollback back") && !story.contains("kguard rollback --undo"), "\(story)")

    // Having been taken back, it can be rolled back once more, and that once more be taken back.
    let second = try node.kguard("rollback", ended.run, "--yes")
    #expect(second.exit == 0, "\(second.errors)")
    #expect(try node.configmaps() == ["cm1"])
    #expect(try node.files("/etc/kubernetes") == before)
    #expect(try node.kguard("rollback", ended.run, "--yes").exit == 2)
    #expect(try node.kguard("rollback", "--undo", ended.run, "--yes").exit == 0)
    #expect(try node.configmaps() == ["late"])
  }

  @Test func `where nothing changed nothing is restored, and no write is lost`() throws {
    let node = try GuardedNode()
    let run = try node.run("put late")
    #expect(run.exit == 1, "\(run.errors)")
    let ended = try node.ended()
    #expect(ended.state == "failed")
    #expect(ended.evidence("assess")?["verdict"] == "unchanged", "\(ended.evidence("assess")?.text() ?? "")")
    for step in ["rescue", "stage", "stop", "swap", "files", "packages", "start", "verify"] { #expect(ended.state(step) == "skipped") }
    #expect(try node.configmaps() == ["cm1", "late"])

    // Asked to, it restores all the same.
    #expect(try node.kguard("rollback", ended.run, "--etcd", "sometimes", "--yes").exit == 2)
    let always = try node.kguard("rollback", ended.run, "--etcd", "always", "--yes")
    #expect(always.exit == 0, "\(always.errors)")
    #expect(try node.configmaps() == ["cm1"])
    #expect(try node.kguard("rollback", "--undo", ended.run, "--yes").exit == 0)
    #expect(try node.configmaps() == ["cm1", "late"])

    // kubeadm took its manifests back, and left the certificates that it had renewed.
    let changed = try node.run("put later\nprintf '\\n' >> etc/kubernetes/pki/apiserver-etcd-client.crt")
    #expect(changed.exit == 4, "\(changed.errors)")
    let second = try node.ended()
    #expect(second.evidence("assess")?["verdict"] == "changed-back", "\(second.evidence("assess")?.text() ?? "")")
    #expect(second.state("swap") == "skipped")
    #expect(try node.configmaps() == ["cm1", "late", "later"])
  }

  @Test func `a dead etcd is saved by its database file, whatever kubelet does`() throws {
    let node = try GuardedNode()
    let run = try node.run(
      """
      put late
      mv etc/kubernetes/manifests/etcd.yaml .
      until_true sh -c '! crictl ps -o json | grep -q "\\"name\\": \\"etcd\\""'
      """)
    #expect(run.exit == 4, "\(run.errors)")
    let ended = try node.ended()
    #expect(ended.evidence("rescue")?["how"] == "db", "\(ended.evidence("rescue")?.text() ?? "")")
    #expect(ended.evidence("rescue")?.at("lost", "names")?.array?.contains("ConfigMap demo/late") == true)
    #expect(try node.configmaps() == ["cm1"])

    // And with kubelet away nobody ends the containers but the container runtime.
    let without = try node.run("put late\nsystemctl stop kubelet\nsed -i 's/^/#/' etc/kubernetes/manifests/kube-scheduler.yaml")
    #expect(without.exit == 4, "\(without.errors)")
    #expect(try node.configmaps() == ["cm1"])
  }

  @Test func `restored data that is gone or damaged is restored from the bundle again`() throws {
    let node = try GuardedNode()
    let gone = try node.run("put late\nrm -r var/lib/etcd.kguard-staged-*", baseline: false)
    #expect(gone.exit == 4, "\(gone.errors)")
    #expect(try node.configmaps() == ["cm1"])
    // One bit of a value.
    let damaged = try node.run(
      """
      put late
      db=$(ls -d var/lib/etcd.kguard-staged-*/member/snap/db)
      python3 - $db <<'END'
      import sys
      data = bytearray(open(sys.argv[1], "rb").read())
      at = data.find(b'"key":"value"')
      at = at if at >= 0 else data.find(b'"value"')
      data[at + 9] ^= 1
      open(sys.argv[1], "wb").write(data)
      END
      """, baseline: false)
    #expect(damaged.exit == 4, "\(damaged.errors)")
    #expect(damaged.errors.contains("is damaged: it is restored from the bundle again"), "\(damaged.errors)")
    #expect(try node.configmaps() == ["cm1"])
  }

  /// A label is a text for the kernel even where SELinux is off; a filesystem may have none.
  static let keepsLabels: Bool = {
    let bench = Bench()
    return (try? Files.setSecurityLabel(bench.path, Array("system_u:object_r:tmp_t:s0\0".utf8))) != nil
  }()

  @Test(.enabled(if: keepsLabels)) func `restored data has the SELinux labels of what it replaces`() throws {
    let node = try GuardedNode()
    let label = Array("system_u:object_r:container_file_t:s0\0".utf8)
    let paths = ["", "/member", "/member/snap", "/member/snap/db", "/member/wal"].map { node.root + "/var/lib/etcd" + $0 }
    for path in paths { try Files.setSecurityLabel(path, label) }
    let before = try paths.map { try Files.info($0)?.inode }
    let run = try node.run("put late\nprintf '\\n' >> etc/kubernetes/manifests/kube-scheduler.yaml")
    #expect(run.exit == 4, "\(run.errors)")
    for path in paths { #expect(try Files.securityLabel(path) == label, "\(path)") }
    #expect(try zip(paths, before).allSatisfy { try Files.info($0)?.inode != $1 }, "the data was not exchanged")
  }

  @Test func `a data directory that is a link is followed, and the link stays`() throws {
    let node = try GuardedNode()
    try node.sandbox("down")
    try Files.move(node.root + "/var/lib/etcd", to: node.root + "/var/lib/real")
    symlink("real", node.root + "/var/lib/etcd")
    try node.sandbox("up")
    let run = try node.run("put late", baseline: false)
    #expect(run.exit == 4, "\(run.errors)")
    #expect(try node.configmaps() == ["cm1"])
    #expect(try Files.info(node.root + "/var/lib/etcd", followLinks: false)?.kind == .link)
    #expect(try node.names("/var/lib", containing: "real.kguard-aside-").count == 1)
  }

  @Test(.enabled(if: Mount.isPossible)) func `a data directory that is a mount point keeps it, and member moves`() throws {
    let node = try GuardedNode()
    try node.sandbox("down")
    let mount = try Mount(over: node.root + "/var/lib/etcd")
    defer { mount.end() }
    try node.sandbox("up")
    let run = try node.run("put late", baseline: false)
    #expect(run.exit == 4, "\(run.errors)")
    #expect(try node.configmaps() == ["cm1"])
    #expect(try Files.isMountPoint(Files.real(node.root + "/var/lib/etcd") ?? ""))
    #expect(try node.names("/var/lib/etcd", containing: "member.kguard-aside-").count == 1)
    let ended = try node.ended()
    #expect(try node.kguard("rollback", "--undo", ended.run, "--yes").exit == 0)
    #expect(try node.configmaps() == ["cm1", "late"])
    try node.sandbox("down")
  }
}
