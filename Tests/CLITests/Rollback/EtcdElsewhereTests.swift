import Glibc
import Host
import Model
import Testing

/// etcd that is not this node's alone: an external one, or a member of several. No rollback of this node may exchange its data.
@Suite(.serialized) struct `Rollback with etcd elsewhere` {
  /// The flags of the node's etcd with paths that a process outside of it can open, but for its data directory.
  private func ownFlags(_ node: GuardedNode) throws -> [String] {
    let manifest = try #require(try Files.textIfPresent(node.root + "/etc/kubernetes/manifests/etcd.yaml"))
    return manifest.split(separator: "\n").compactMap { line in
      guard let flag = line.split(separator: " ").last, flag.hasPrefix("--"), !flag.hasPrefix("--data-dir=") else { return nil }
      return flag.split(separator: "=").map { $0.hasPrefix("/etc/kubernetes") ? node.root + $0 : String($0) }.joined(separator: "=")
    }
  }

  /// The sandbox's etcd, moved out of the node: no static pod any more, another data directory, the same address.
  private func takeOut(_ node: GuardedNode) throws -> pid_t {
    let flags = try ownFlags(node)
    let manifest = node.root + "/etc/kubernetes/manifests/etcd.yaml"
    let data = node.bench.path + "/external"
    try node.shell(
      """
      mv \(manifest) \(node.bench.path)/etcd.yaml
      until_true sh -c '! crictl ps | grep -q etcd'
      mv \(node.root)/var/lib/etcd \(data)
      setsid etcd \(flags.joined(separator: " ")) --data-dir=\(data) > \(node.bench.path)/etcd.log 2>&1 < /dev/null &
      echo $! > \(node.bench.path)/etcd.pid
      until_true e endpoint health
      until_true kubectl get --raw /readyz
      """)
    return try #require(pid_t((try Files.textIfPresent(node.bench.path + "/etcd.pid") ?? "").filter(\.isNumber)))
  }

  @Test(arguments: ["auto", "always"])
  func `puts the node back, leaves the data, and says what its owner would do`(mode: String) throws {
    let node = try GuardedNode()
    let etcd = try takeOut(node)
    defer { kill(etcd, SIGKILL) }
    let port = try #require(try JSON(parsing: try Files.textIfPresent(node.root + "/.kguard-sandbox") ?? "").at("ports", "etcd")?.int)
    let pki = "/etc/kubernetes/pki/etcd"
    try node.configure(
      """
      health: {timeout: 20s, soak: 1s}
      etcd:
        endpoints: ["https://127.0.0.1:\(port)"]
        ca-file: \(pki)/ca.crt
        cert-file: \(pki)/healthcheck-client.crt
        key-file: \(pki)/healthcheck-client.key
        restore: \(mode)

      """)
    let before = try node.files("/etc/kubernetes")
    let member = node.bench.path + "/external/member"
    let inode = try #require(try Files.info(member)?.inode)

    let run = try node.run("put late\ndelete cm1\necho '# changed' >> etc/kubernetes/manifests/kube-scheduler.yaml")
    #expect(run.exit == 4, "\(run.errors)")
    let ended = try node.ended()
    #expect(ended.state == "rolled-back")
    let assessed = ended.evidence("assess")
    #expect(assessed?["external"] == true && assessed?["etcd"] == false && assessed?["restore"] == true, "\(assessed?.text() ?? "")")
    let advice = assessed?["reasons"]?.text() ?? ""
    #expect(advice.contains("kguard does not restore it") && advice.contains("\(ended.run)/snapshot.db"), "\(advice)")
    #expect(run.errors.contains("failed, and the node is as it was\n"), "\(run.errors)")
    #expect(run.errors.contains("kguard does not restore it"), "\(run.errors)")
    for step in ["rescue", "stage", "swap"] { #expect(ended.state(step) == "skipped") }
    // Its owner's process and files were never touched, nor what was written since.
    #expect(kill(etcd, 0) == 0)
    #expect(try Files.info(member)?.inode == inode)
    #expect(try node.configmaps() == ["late"])
    #expect(try node.files("/etc/kubernetes") == before)
    #expect(!node.exists("/var/lib/etcd") && !node.exists("/etc/kubernetes/manifests/etcd.yaml"))

    let undone = try node.kguard("rollback", "--undo", ended.run, "--yes")
    #expect(undone.exit == 0, "\(undone.errors)")
    #expect(try node.configmaps() == ["late"])
    #expect(try node.files("/etc/kubernetes") != before)
  }
  /// A second member beside the node's own.
  private func addMember(_ node: GuardedNode) throws -> pid_t {
    var flags = try ownFlags(node).filter { !$0.hasPrefix("--initial-") && !$0.hasPrefix("--listen-") && !$0.hasPrefix("--advertise-") }
    let address = try #require(try JSON(parsing: try Files.textIfPresent(node.root + "/.kguard-sandbox") ?? "")["node_ip"]?.string)
    let script = "import socket, sys\ns = [socket.create_server((sys.argv[1], 0)) for _ in 'ab']\nprint(*[x.getsockname()[1] for x in s])"
    let ports = try runCaptured("/usr/bin/python3", Command(["python3", "-c", script, address]))
      .text.split(whereSeparator: \.isWhitespace).map(String.init)
    try #require(ports.count == 2)
    let (client, peer) = ("https://\(address):\(ports[0])", "https://\(address):\(ports[1])")
    flags += [
      "--advertise-client-urls=\(client)", "--listen-client-urls=\(client)", "--initial-advertise-peer-urls=\(peer)",
      "--listen-peer-urls=\(peer)", "--initial-cluster-state=existing", "--name=second", "--data-dir=\(node.bench.path)/second",
    ]
    try node.shell(
      """
      e member add second --peer-urls=\(peer) > \(node.bench.path)/added
      cluster=$(sed -n 's/^ETCD_INITIAL_CLUSTER="\\(.*\\)"$/\\1/p' \(node.bench.path)/added)
      setsid etcd \(flags.joined(separator: " ")) --initial-cluster=$cluster > \(node.bench.path)/second.log 2>&1 < /dev/null &
      echo $! > \(node.bench.path)/second.pid
      until_true e endpoint health
      until_true kubectl get --raw /readyz
      """)
    return try #require(pid_t((try Files.textIfPresent(node.bench.path + "/second.pid") ?? "").filter(\.isNumber)))
  }

  @Test func `does not restore one member of several, stops nothing, and names both ways on`() throws {
    let node = try GuardedNode()
    try node.configure("health: {timeout: 20s, soak: 1s}\n")
    let second = try addMember(node)
    defer { kill(second, SIGKILL) }
    let before = try node.files("/etc/kubernetes")
    let run = try node.run("put late\necho '# changed' >> etc/kubernetes/manifests/kube-scheduler.yaml")
    #expect(run.exit == 5 && run.errors.contains("it has 2 members"), "\(run.errors)")
    let refused = try node.ended()
    #expect(refused.state == "needs-operator" && refused.state("assess") == "failed")
    #expect(try node.configmaps() == ["cm1", "late"])
    // As the hint says.
    #expect(run.errors.contains("`kguard rollback \(refused.run) --etcd never`"), "\(run.errors)")
    let back = try node.kguard("rollback", refused.run, "--etcd", "never", "--yes")
    #expect(back.exit == 0 && back.errors.contains("the node is as it was before it\n"), "\(back.errors)")
    #expect(try node.files("/etc/kubernetes") == before)
    #expect(try node.configmaps() == ["cm1", "late"])
    #expect(kill(second, 0) == 0)
  }
}
