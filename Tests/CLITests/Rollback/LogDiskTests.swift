import Glibc
import Host
import Model
import Testing

/// etcd's write-ahead log on a disk of its own, the usual reason for `--wal-dir`.
@Suite(.serialized, .enabled(if: Mount.isPossible)) struct `A log on its own disk` {
  /// Moves the log of a node that is down to a mount point, as an operator would.
  private func moveLog(_ node: GuardedNode, to directory: String) throws -> Mount {
    try node.sandbox("down")
    let path = node.root + directory
    try Files.makeDirectory(path, mode: 0o700)
    let mount = try Mount(over: path)
    do {
      try moveLog(node, into: path, directory)
      return mount
    } catch {
      mount.end()
      throw error
    }
  }

  private func moveLog(_ node: GuardedNode, into path: String, _ directory: String) throws {
    try Files.makeDirectory(path + "/lost+found", mode: 0o700)
    // Below the data directory it is in its volume.
    let volume =
      directory.hasPrefix("/var/lib/etcd/")
      ? ""
      : """
      s|^    volumeMounts:|    volumeMounts:\\n    - mountPath: \(directory)\\n      name: etcd-log|
      s|^  volumes:|  volumes:\\n  - hostPath:\\n      path: \(directory)\\n      type: DirectoryOrCreate\\n    name: etcd-log|
      """
    let script = """
      cd \(node.root) && mv var/lib/etcd/member/wal/* \(path)/ && rmdir var/lib/etcd/member/wal &&
      sed -i 's|^\\( *- --data-dir=.*\\)|\\1\\n    - --wal-dir=\(directory)|
      \(volume)' etc/kubernetes/manifests/etcd.yaml
      """
    let moved = try runCaptured("/bin/sh", Command(["sh", "-c", script]))
    guard moved.end.isSuccess else { throw Failure(what: "cannot move the log", why: moved.lastWords, next: "") }
    try node.sandbox("up")
  }

  @Test(arguments: ["/var/lib/etcd-log", "/var/lib/etcd/log"])
  func `is exchanged file by file, killed anywhere, and undone`(directory: String) throws {
    let node = try GuardedNode()
    let mount = try moveLog(node, to: directory)
    defer { mount.end() }
    let logs = try Files.list(node.root + directory).filter { $0.hasSuffix(".wal") }
    #expect(!logs.isEmpty)
    let check = try node.kguard("check", "-o", "json", "--no-offsite")
    let data = try JSON(parsing: check.output)["checks"]?.array?.first { $0["name"] == "data-dir" }
    #expect(data?["result"] == "pass", "\(data?.text() ?? check.errors)")

    let log = node.bench.path + "/points"
    let outcome = try node.run("put late", baseline: false, environment: ["KGUARD_FAILPOINT": "run/roll-back.after=crash"])
    #expect(outcome.wasKilled, "\(outcome.errors)")
    var armed: Set<String> = []
    for point in [
      "swap/wal-begun", "swap/wal-file-aside.before", "swap/wal-file-aside.after", "swap/wal-access.after",
      "swap/wal-file-restored.before", "swap/wal-file-restored.after", "swap/wal-restored.after",
      "swap/data-aside.after", "swap/data-restored.after", "swap/marker.before",
    ] { armed.insert(point) }
    var resumed: Bench.Outcome
    var kills = 0
    repeat {
      unlink(log)
      resumed = try node.kguard(
        "resume", environment: ["KGUARD_FAILPOINT": armed.map { "\($0)=crash" }.joined(separator: ","), "KGUARD_FAILPOINT_LOG": log])
      guard resumed.wasKilled else { break }
      kills += 1
      armed.remove((try Files.textIfPresent(log) ?? "").split(separator: "\n").last.map(String.init) ?? "")
    } while kills < 40
    #expect(resumed.exit == 4, "after \(kills) kills: \(resumed.errors)")
    #expect(armed.isEmpty, "\(armed)")
    #expect(try node.configmaps() == ["cm1"])
    #expect(try Files.isMountPoint(Files.real(node.root + directory) ?? ""))
    let ended = try node.ended()
    let aside = try node.names(directory, containing: "kguard-")
    #expect(aside == ["kguard-aside-\(ended.rollback)"])
    #expect(try Files.list(node.root + directory + "/" + (aside.first ?? "")).filter { $0.hasSuffix(".wal") } == logs)

    #expect(try node.kguard("rollback", "--undo", ended.run, "--yes").exit == 0)
    #expect(try node.configmaps() == ["cm1", "late"])
    // A second time, since the first left its traces.
    let again = try node.run("put later", baseline: false)
    #expect(again.exit == 4, "\(again.errors)")
    #expect(try node.configmaps() == ["cm1", "late"])
    try node.sandbox("down")
  }

  @Test(arguments: [true, false])
  func `and the data never stay of two times after a failure between them`(isMounted: Bool) throws {
    let node = try GuardedNode()
    try node.configure("health: {timeout: 30s, soak: 1s}\n")
    var mount: Mount?
    if isMounted {
      mount = try moveLog(node, to: "/var/lib/etcd-log")
    } else {
      try node.sandbox("down")
      try Files.makeDirectory(node.root + "/var/lib/etcd-log", mode: 0o700)
      try moveLog(node, into: node.root + "/var/lib/etcd-log", "/var/lib/etcd-log")
    }
    defer { mount?.end() }
    try node.sandbox("break", ["apply-late"])
    let first = try node.run(
      "put late\ndelete cm1\nkubeadm upgrade apply v1.28.0 -y", environment: ["KGUARD_FAILPOINT": "swap/data-aside.before=fail"])
    #expect(first.exit == 5, "\(first.errors)")
    let run = try node.ended().run
    let never = try node.kguard("rollback", run, "--etcd", "never", "--yes")
    #expect(never.exit == 5 || never.exit == 2, "\(never.errors)")
    #expect(try node.ended().state("swap") != "succeeded")
    // What was asked last is still meant, and is refused again, until something else is asked.
    #expect(try node.kguard("resume").exit == 5)
    let resumed = try node.kguard("rollback", run, "--etcd", "auto", "--yes")
    #expect(resumed.exit == 0, "\(resumed.errors)")
    #expect(try node.configmaps() == ["cm1"])
    #expect(try node.ended().state("swap") == "succeeded")
    #expect(try node.kguard("rollback", "--undo", run, "--yes").exit == 0)
    #expect(try node.configmaps() == ["late"])
    try node.sandbox("down")
  }

  @Test func `in the middle of the data is refused before anything stops`() throws {
    let node = try GuardedNode()
    try node.sandbox("down")
    let mount = try Mount(over: node.root + "/var/lib/etcd/member/wal")
    defer { mount.end() }
    try node.sandbox("up")
    let check = try node.kguard("check", "-o", "json", "--no-offsite")
    let data = try JSON(parsing: check.output)["checks"]?.array?.first { $0["name"] == "data-dir" }
    #expect(data?["result"] == "fail" && data?["remedy"]?.string?.contains("--wal-dir") == true, "\(data?.text() ?? check.errors)")
    try node.sandbox("down")
  }
}
