import Glibc
import Host
import Model
import Testing

/// What of the node's files a rollback brings back, and what it leaves.
@Suite(.serialized) struct `Node files` {
  /// Changes the API server's manifest, so that a rollback has something to do, and lets kubelet see it.
  static let half = "sed -i 's|^    - --secure-port|    - --v=2\\n    - --secure-port|' etc/kubernetes/manifests/kube-apiserver.yaml"

  private func rolledBack(_ node: GuardedNode, _ damage: String) throws -> GuardedNode.Ended {
    let run = try node.run(damage + "\n" + Self.half)
    #expect(run.exit == 4, "\(run.errors)")
    return try node.ended()
  }

  @Test func `linked certificates, static pods and encryption keys come back, as links and by content`() throws {
    let node = try GuardedNode()
    let pod = """
      apiVersion: v1
      kind: Pod
      metadata:
        name: kube-vip
        namespace: kube-system
      spec:
        containers:
        - name: kube-vip
          image: registry.k8s.io/pause:3.9
          command:
          - sleep
          - infinity

      """
    try Files.makeDirectory(node.root + "/opt/vip")
    try Files.replace(node.root + "/opt/vip/kube-vip.yaml", with: Array(pod.utf8), mode: 0o600)
    try node.sandbox("down")
    try node.shell(
      """
      mkdir -p data keys && mv etc/kubernetes/pki data/pki && ln -s ../../data/pki etc/kubernetes/pki
      echo 'kind: EncryptionConfiguration' > keys/v1.yaml && ln -s v1.yaml keys/current.yaml
      ln -s ../../keys/current.yaml etc/kubernetes/encryption.yaml
      sed -i 's|^    - --secure-port|    - --encryption-provider-config=/etc/kubernetes/encryption.yaml\\n    - --secure-port|' etc/kubernetes/manifests/kube-apiserver.yaml
      ln -s ../../../opt/vip/kube-vip.yaml etc/kubernetes/manifests/kube-vip.yaml
      """)
    try node.sandbox("up")
    let check = try JSON(parsing: try node.kguard("check", "-o", "json", "--no-offsite").output)
    func result(_ name: String) -> JSON? { check["checks"]?.array?.first { $0["name"]?.string == name } }
    #expect(result("node-files")?["result"] == "pass", "\(result("node-files")?.text() ?? "")")
    #expect(result("encryption-config")?["result"] != "fail", "\(result("encryption-config")?.text() ?? "")")

    let key = try Files.read(node.root + "/data/pki/apiserver-etcd-client.crt")
    let ended = try rolledBack(
      node,
      """
      rm etc/kubernetes/encryption.yaml keys/current.yaml; echo other > keys/v1.yaml
      printf '\\n' >> data/pki/apiserver-etcd-client.crt
      echo '# changed' >> opt/vip/kube-vip.yaml
      """)
    #expect(try Files.linkTarget(node.root + "/etc/kubernetes/encryption.yaml") == "../../keys/current.yaml")
    #expect(try Files.linkTarget(node.root + "/keys/current.yaml") == "v1.yaml")
    #expect(try Files.textIfPresent(node.root + "/keys/v1.yaml") == "kind: EncryptionConfiguration\n")
    #expect(try Files.linkTarget(node.root + "/etc/kubernetes/pki") == "../../data/pki")
    #expect(try Files.read(node.root + "/data/pki/apiserver-etcd-client.crt") == key)
    #expect(try Files.linkTarget(node.root + "/etc/kubernetes/manifests/kube-vip.yaml") == "../../../opt/vip/kube-vip.yaml")
    #expect(try Files.textIfPresent(node.root + "/opt/vip/kube-vip.yaml") == pod)
    #expect(try Files.info(node.root + "/opt/vip/kube-vip.yaml")?.mode == 0o600)

    #expect(try node.kguard("rollback", "--undo", ended.run, "--yes").exit == 0)
    #expect(try Files.textIfPresent(node.root + "/keys/v1.yaml") == "other\n")
    #expect(!node.exists("/etc/kubernetes/encryption.yaml"))
    #expect(try Files.linkTarget(node.root + "/etc/kubernetes/manifests/kube-vip.yaml") == "../../../opt/vip/kube-vip.yaml")
  }

  @Test func `what the upgrade has created goes aside, and comes again with undo`() throws {
    let node = try GuardedNode()
    try node.shell("mkdir -p etc/systemd/system/kubelet.service.d && echo '[Service]' > etc/systemd/system/kubelet.service.d/10-a.conf")
    let created = [
      "/etc/kubernetes/super-admin.conf", "/etc/kubernetes/pki/new.key", "/etc/kubernetes/pki/more/ca.crt",
      "/etc/systemd/system/kubelet.service.d/20-new.conf", "/etc/default/kubelet",
    ]
    let ended = try rolledBack(
      node,
      created.map { "mkdir -p $(dirname .\($0)); echo new > .\($0)" }.joined(separator: "\n") + "\necho note > etc/kubernetes/notes.txt")
    for path in created { #expect(!node.exists(path), "\(path)") }
    #expect(node.exists("/etc/systemd/system/kubelet.service.d/10-a.conf"))
    // Nobody's business but its owner's.
    #expect(node.exists("/etc/kubernetes/notes.txt"))
    #expect(ended.evidence("files")?["movedAside"]?.array?.count == 5, "\(ended.evidence("files")?.text() ?? "")")
    #expect(try node.kguard("rollback", "--undo", ended.run, "--yes").exit == 0)
    for path in created { #expect(try Files.textIfPresent(node.root + path) == "new\n", "\(path)") }
  }

  @Test func `a large file and a log in kubeadm's directory block nothing and decide nothing`() throws {
    let node = try GuardedNode()
    try node.shell(
      """
      truncate -s 200M etc/kubernetes/etcd-backup.db
      mkdir -p etc/kubernetes/audit && echo begin > etc/kubernetes/audit/audit.log && echo rules > etc/kubernetes/audit/policy.yaml
      ln -s nowhere etc/kubernetes/pki/dangling.crt
      """)
    let check = try JSON(parsing: try node.kguard("check", "-o", "json", "--no-offsite").output)
    let files = check["checks"]?.array?.first { $0["name"] == "node-files" }
    #expect(files?["result"] == "warn" && files?["evidence"]?.string?.contains("dangling.crt") == true, "\(files?.text() ?? "")")
    let run = try node.run("echo more >> etc/kubernetes/audit/audit.log; echo x >> etc/kubernetes/etcd-backup.db")
    #expect(run.exit == 1 && run.errors.contains("etcd-backup.db"), "\(run.errors)")
    #expect(try node.ended().evidence("assess")?["verdict"] == "unchanged")
    let ended = try rolledBack(node, "echo again >> etc/kubernetes/audit/audit.log")
    #expect(ended.state("files") == "succeeded")
    let log = try Files.textIfPresent(node.root + "/etc/kubernetes/audit/audit.log")
    #expect(log == "begin\nmore\nagain\n")
  }
}
