import Host
import Model
import Testing

/// What a nightly bundle has of the node besides etcd.
@Suite struct `The node in a backup` {
  /// etcd by the configuration alone, on a machine that is no node of kubeadm; `files` of the node are there.
  private func elsewhere(_ node: SandboxNode, _ files: [String]) throws -> (root: String, result: Bench.Outcome, step: JSON?) {
    let root = node.bench.path + "/elsewhere-\(files.count)"
    let pki = node.root + "/etc/kubernetes/pki/etcd"
    for directory in ["/etc/kguard/etcd", "/tmp"] + files.map({ Files.directory(of: $0) }) { try Files.makeDirectory(root + directory) }
    for file in files { try Files.replace(root + file, with: try Files.read(node.root + file)) }
    for name in ["ca.crt", "server.crt", "server.key"] {
      try Files.replace(root + "/etc/kguard/etcd/" + name, with: try Files.read(pki + "/" + name))
    }
    let manifest = try Files.textIfPresent(node.root + "/etc/kubernetes/manifests/etcd.yaml") ?? ""
    let flag = try #require(manifest.split(separator: "\n").first { $0.contains("--advertise-client-urls=") })
    let url = String(try #require(flag.split(separator: "=").last))
    let text = """
      etcd:
        endpoints: ["\(url)"]
        ca-file: /etc/kguard/etcd/ca.crt
        cert-file: /etc/kguard/etcd/server.crt
        key-file: /etc/kguard/etcd/server.key
      """
    try Files.replace(root + "/etc/kguard/config.yaml", with: Array(text.utf8))
    let state = root + "/state"
    let result = try node.kguard(["backup", "--no-offsite"], state: state, environment: ["KGUARD_ROOT": root])
    let status = try node.kguard(["status", "-o", "json"], state: state, environment: ["KGUARD_ROOT": root])
    let steps = try JSON(parsing: status.output)["steps"]?.array ?? []
    return (root, result, steps.first { $0["action"]?.string == "node/archive" })
  }

  @Test func `is its files, of a control-plane node`() throws {
    let node = try SandboxNode()
    defer { node.down() }
    let state = node.bench.path + "/state"
    let done = try node.kguard(["backup", "--no-offsite"], state: state)
    #expect(done.exit == 0, "\(done.errors)")
    let shown = try JSON(parsing: try node.kguard(["bundle", "show", "-o", "json"], state: state).output)
    #expect(shown.at("manifest", "files")?.array?.compactMap { $0["name"]?.string } == ["snapshot.db", "node.tar.zst"])
    let archive = try #require(shown["directory"]?.string) + "/node.tar.zst"
    let listed = try runCaptured("/bin/sh", Command(["sh", "-c", "tar --zstd -tf \"$0\"", archive])).text
    for path in ["etc/kubernetes/pki/ca.key", "etc/kubernetes/manifests/etcd.yaml", "etc/kubernetes/admin.conf"] {
      #expect(listed.contains(path + "\n"), "\(listed)")
    }
    // A file that the node cannot do without is missed, and etcd is saved all the same.
    try Files.move(node.root + "/etc/kubernetes/admin.conf", to: node.root + "/admin.conf")
    let less = try node.kguard(["backup", "--no-offsite"], state: state)
    #expect(less.exit == 0 && less.errors.contains("/etc/kubernetes/admin.conf is not in it"), "\(less.errors)")
    let bundles = try JSON(
      parsing: "[" + (try node.kguard(["bundle", "list", "-o", "json"], state: state).output).split(separator: "\n").joined(separator: ",")
        + "]")
    #expect(bundles.array?.count == 2)
  }

  @Test func `is nothing on a machine that has etcd alone, and what there is on others`() throws {
    let node = try SandboxNode()
    defer { node.down() }
    let alone = try elsewhere(node, [])
    #expect(alone.result.exit == 0, "\(alone.result.errors)")
    #expect(alone.step?["state"] == "succeeded")
    #expect(alone.result.errors.contains("nothing to archive: this machine has no /etc/kubernetes"), "\(alone.result.errors)")
    #expect(alone.result.errors.contains("without a node archive"), "\(alone.result.errors)")

    // As kubeadm makes the machines of an external etcd: certificates, and no API server.
    let some = try elsewhere(node, ["/etc/kubernetes/pki/etcd/ca.crt", "/etc/kubernetes/pki/etcd/ca.key"])
    #expect(some.result.exit == 0, "\(some.result.errors)")
    #expect(some.result.errors.contains("has no /etc/kubernetes/manifests/kube-apiserver.yaml; what there is was archived"))
    let archive = try runCaptured("/bin/sh", Command(["sh", "-c", "tar --zstd -tf \"$0\"/state/bundles/*/node.tar.zst", some.root]))
    #expect(archive.text.contains("etc/kubernetes/pki/etcd/ca.key\n"), "\(archive.errorText)")
  }
}
