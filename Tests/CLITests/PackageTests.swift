import Glibc
import Host
import Model
import Testing

extension UpgradeNode {
  /// A built-in playbook with other waits, and with a step after one of its own.
  func edited(_ name: String, after step: String = "", _ own: String = "", onFailure: String = "continue") throws -> String {
    var text = try kguard("playbook", "show", name).output
    for wait in ["15s", "10s", "5s"] { text = text.split(separator: "backoff: \(wait)").joined(separator: "backoff: 10ms") }
    guard !own.isEmpty else { return text }
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let at = try #require(lines.firstIndex(of: "  - id: \(step)"))
    let next = lines[(at + 1)...].firstIndex { $0.hasPrefix("  - id:") || !$0.hasPrefix(" ") } ?? lines.endIndex
    lines.insert("  - id: own\n    run: [\"sh\", \"-c\", \"\(own)\"]\n    on-failure: \(onFailure)", at: next)
    return lines.joined(separator: "\n")
  }

  func place(_ text: String, as name: String) throws {
    try Files.makeDirectory(root + "/etc/kguard/playbooks")
    try Files.replace(root + "/etc/kguard/playbooks/\(name).yaml", with: Array(text.utf8), mode: 0o644)
  }

  func tool(_ argv: String...) throws -> String {
    let result = try runCaptured(root + "/usr/bin/" + argv[0], Command(argv))
    guard result.end.isSuccess else { throw Failure(what: argv.joined(separator: " "), why: result.lastWords, next: "") }
    return result.text
  }

  /// `kubeadm 1.27.4-1.1 …`, then what is held.
  func packages() throws -> String {
    try tool("dpkg-query", "-W", "-f=${Package} ${Version} ", "kubeadm", "kubelet", "kubectl", "cri-tools")
      + tool("apt-mark", "showhold").split(separator: "\n").joined(separator: ",")
  }

  static let former = "kubeadm 1.27.4-1.1 kubelet 1.27.4-1.1 kubectl 1.27.4-1.1 cri-tools 1.27.0-1.1 cri-tools,kubeadm,kubectl,kubelet"
  static let target = "kubeadm 1.28.0-1.1 kubelet 1.28.0-1.1 kubectl 1.28.0-1.1 cri-tools 1.28.0-1.1 cri-tools,kubeadm,kubectl,kubelet"

  func newest() throws -> JSON { try JSON(parsing: try kguard("show", "-o", "json").output) }
  func isReady() throws -> Bool { try request("GET", "/readyz", "") == 200 }
}

/// Packages come back without a repository, and nothing that is missing there costs a write.
@Suite(.serialized) struct `Way up and back: packages` {
  static func node() throws -> UpgradeNode {
    let node = try UpgradeNode(["--packages", "apt"])
    _ = try node.tool("apt-mark", "hold", "cri-tools")
    #expect(try node.packages() == UpgradeNode.former)
    return node
  }

  @Test func `packages that the repository has forgotten come back from the files that were kept`() throws {
    let node = try Self.node()
    try node.sandbox(["break", node.root, "old-packages"])
    try node.sandbox(["break", node.root, "apply-late"])
    let outcome = try node.kguard("upgrade", "v1.28.0", "--no-offsite", "--yes", timeout: .seconds(240))
    #expect(outcome.exit == 4, "\(outcome.errors)")
    #expect(try node.packages() == UpgradeNode.former)
    #expect(try node.image(of: "kube-apiserver").hasSuffix(":v1.27.4"))
    let run = try node.newest()
    let step = run["steps"]?.array?.first { $0["id"] == "kubeadm" }?["evidence"]
    #expect(step?.at("kept", "kubelet", "from")?.string == "packed again", "\(step?.text() ?? "")")
    #expect(step?.at("fetched", "kubelet")?.string == "1.28.0-1.1")
    let kept = node.root + "/var/lib/kguard/runs/\(run["run"]?.string ?? "")/packages.kept"
    #expect(try Files.info(kept)?.mode == 0o700)
    #expect(try Files.list(kept).count == 4)
  }

  @Test func `where packages cannot be put back the control plane runs all the same, and resume ends it`() throws {
    let node = try Self.node()
    try node.place(try node.edited("rollback"), as: "rollback")
    for fault in ["apply-late", "dpkg-lock", "old-packages"] { try node.sandbox(["break", node.root, fault]) }
    let outcome = try node.kguard("upgrade", "v1.28.0", "--no-offsite", "--yes", timeout: .seconds(240))
    #expect(outcome.exit == 5, "\(outcome.errors)")
    #expect(outcome.errors.contains("the cluster is as it was, but its packages are not"), "\(outcome.errors)")
    #expect(outcome.errors.contains("kubeadm is 1.28.0-1.1, it was 1.27.4-1.1"))
    #expect(outcome.errors.contains("by hand: `dpkg --force-confold -i /"))
    #expect(outcome.errors.contains("kubeadm_1.27.4-1.1_amd64.deb"))
    #expect(try node.image(of: "kube-apiserver").hasSuffix(":v1.27.4"))
    #expect(try node.isReady())
    #expect(try node.request("POST", "/api/v1/namespaces/default/configmaps", #"{"metadata":{"name":"kept"}}"#) == 201)

    try node.sandbox(["mend", node.root, "dpkg-lock"])
    let resumed = try node.kguard("resume", timeout: .seconds(240))
    #expect(resumed.exit == 4, "\(resumed.errors)")
    #expect(try node.packages() == UpgradeNode.former)
    // What was written in between is not lost to a second restore.
    #expect(try node.get("/api/v1/namespaces/default/configmaps/kept").at("metadata", "name") == "kept")
  }

  @Test func `a newer kubelet that a rollback had to leave is replaced by the resume, and etcd is not restored twice`() throws {
    let node = try Self.node()
    try node.place(try node.edited("rollback"), as: "rollback")
    try node.place(try node.edited("upgrade", after: "kubelet", "exit 3", onFailure: "rollback"), as: "upgrade")
    try node.sandbox(["break", node.root, "dpkg-lock"])
    let outcome = try node.kguard("upgrade", "v1.28.0", "--no-offsite", "--yes", timeout: .seconds(300))
    #expect(outcome.exit == 5, "\(outcome.errors)")
    #expect(outcome.errors.contains("kubelet is 1.28.0-1.1, it was 1.27.4-1.1"), "\(outcome.errors)")
    #expect(try node.isReady())
    #expect(try node.request("POST", "/api/v1/namespaces/default/configmaps", #"{"metadata":{"name":"kept"}}"#) == 201)

    try node.sandbox(["mend", node.root, "dpkg-lock"])
    let resumed = try node.kguard("resume", timeout: .seconds(300))
    #expect(resumed.exit == 4, "\(resumed.errors)")
    #expect(try node.packages() == UpgradeNode.former)
    #expect(try node.get("/api/v1/nodes/sandbox-node").at("status", "nodeInfo", "kubeletVersion")?.string == "v1.27.4")
    #expect(try node.get("/api/v1/namespaces/default/configmaps/kept").at("metadata", "name") == "kept")
  }

  @Test func `an upgrade that fails before the apply leaves no package behind`() throws {
    let node = try Self.node()
    try node.place(try node.edited("rollback"), as: "rollback")
    try node.place(try node.edited("upgrade"), as: "upgrade")
    try node.sandbox(["break", node.root, "missing-image"])
    try node.sandbox(["break", node.root, "dpkg-lock"])
    let before = try node.manifests()
    let outcome = try node.kguard("upgrade", "v1.28.0", "--no-offsite", "--yes", timeout: .seconds(240))
    #expect(outcome.exit == 5, "\(outcome.errors)")
    #expect(outcome.errors.contains("kubeadm is 1.28.0-1.1, it was 1.27.4-1.1"), "\(outcome.errors)")

    try node.sandbox(["mend", node.root, "dpkg-lock"])
    let resumed = try node.kguard("resume")
    #expect(resumed.exit == 1, "\(resumed.errors)")
    #expect(try node.packages() == UpgradeNode.former)
    #expect(try node.manifests() == before)
    #expect(try node.newest()["state"] == "failed")

    // A cluster that ails is no reason to restore etcd after a run that has not touched it.
    let again = try node.kguard("upgrade", "v1.28.0", "--no-offsite", "--yes", timeout: .seconds(240))
    #expect(again.exit == 1, "\(again.errors)")
    #expect(try node.packages() == UpgradeNode.former)
    #expect(again.errors.contains("the run had not begun to change the cluster: nothing is restored, no write is lost"), "\(again.errors)")
    for name in ["stop", "swap", "files", "start"] { #expect(!again.errors.contains("\n  \(name): ")) }
  }

  @Test func `kubelet is fetched before the apply, so that a repository that goes away does no harm`() throws {
    let node = try Self.node()
    let script = node.root + ".sh"
    let repository = GuardedNode.repository
    try Files.replace(script, with: Array("\(repository)/scripts/sandbox break \(node.root) repository\n".utf8))
    defer { unlink(script) }
    try node.place(try node.edited("upgrade", after: "kubeadm", "sh \(script)"), as: "upgrade")
    let outcome = try node.kguard("upgrade", "v1.28.0", "--no-offsite", "--yes", timeout: .seconds(240))
    #expect(outcome.exit == 0, "\(outcome.errors)")
    #expect(try node.packages() == UpgradeNode.target)

    // What was kept is the way back, as the run's bundle is: both outlast the retention as long as it is the newest upgrade.
    let run = try node.newest()["run"]?.string ?? ""
    let kept = node.root + "/var/lib/kguard/runs/\(run)/packages.kept"
    #expect(try Files.exists(kept))
    try Files.replace(
      node.root + "/etc/kguard/config.yaml",
      with: Array("retention: {keep-last: 1, keep-daily: 0, keep-weekly: 0, keep-monthly: 0}\n".utf8), mode: 0o644)
    func bundles() throws -> Int { try Files.list(node.root + "/var/lib/kguard/bundles").count }
    for _ in 0..<2 {
      let backup = try node.kguard("backup", "--no-offsite", "--no-drill")
      #expect(backup.exit == 0, "\(backup.errors)")
    }
    #expect(try Files.exists(kept))
    #expect(try Files.exists(node.root + "/var/lib/kguard/bundles/\(run)/snapshot.db"))
    #expect(try bundles() == 2)
    // What is rolled back needs it no more.
    #expect(try node.kguard("rollback", run, "--yes", timeout: .seconds(240)).exit == 0)
    #expect(try node.kguard("backup", "--no-offsite", "--no-drill").exit == 0)
    #expect(try !Files.exists(kept))
    #expect(try bundles() == 1)
  }

  @Test func `kubelet that cannot be had after the apply waits for the operator, and no write is lost`() throws {
    let node = try Self.node()
    let script = node.root + ".sh"
    let break_ = "\(GuardedNode.repository)/scripts/sandbox break \(node.root) repository"
    try Files.replace(script, with: Array("\(break_) && \(node.root)/usr/bin/apt-get clean\n".utf8))
    defer { unlink(script) }
    try node.place(try node.edited("upgrade", after: "apply", "sh \(script)"), as: "upgrade")
    let outcome = try node.kguard("upgrade", "v1.28.0", "--no-offsite", "--yes", timeout: .seconds(240))
    #expect(outcome.exit == 5, "\(outcome.errors)")
    #expect(
      outcome.errors.contains("the control plane is at v1.28.0 and healthy, kubelet is at v1.27.4, which is supported"), "\(outcome.errors)"
    )
    #expect(outcome.errors.contains("`kguard resume` tries on, `kguard rollback` puts it back"))
    #expect(try node.image(of: "kube-apiserver").hasSuffix(":v1.28.0"))
    #expect(try node.isReady())

    try node.sandbox(["mend", node.root, "repository"])
    let resumed = try node.kguard("resume", timeout: .seconds(240))
    #expect(resumed.exit == 0, "\(resumed.errors)")
    #expect(try node.packages() == UpgradeNode.target)
  }

  @Test func `killed anywhere, packages go up and come back the same`() throws {
    let node = try Self.node()
    try node.sandbox(["break", node.root, "old-packages"])
    try node.place("name: back\nsteps:\n  - {id: undo, action: packages/restore}\n", as: "back")
    try node.place(
      """
      name: there
      rollback: back
      steps:
        - {id: kubeadm, action: packages/kubeadm, with: {version: v1.28.0}}
        - {id: kubelet, action: packages/kubelet, with: {version: v1.28.0}}
        - {id: fails, run: ["false"], on-failure: rollback}

      """, as: "there")
    let log = node.root + ".points"
    defer { unlink(log) }
    // Nothing but packages was changed, and they are back.
    let first = try node.kguard("playbook", "run", "there", environment: ["KGUARD_FAILPOINT_LOG": log])
    #expect(first.exit == 1, "\(first.errors)")
    #expect(try node.packages() == UpgradeNode.former)
    let points = try `Crash matrix`.points(log).filter { $0.hasPrefix("packages/") }
    #expect(points.count >= 15, "\(points)")
    // One run that is killed at every one of them.
    var armed = Set(points)
    var outcome = try node.kguard("playbook", "run", "there", environment: ["KGUARD_FAILPOINT": "\(points[0])=crash"])
    armed.remove(points[0])
    for _ in points where outcome.wasKilled {
      unlink(log)
      outcome = try node.kguard(
        "resume", environment: ["KGUARD_FAILPOINT": armed.map { "\($0)=crash" }.joined(separator: ","), "KGUARD_FAILPOINT_LOG": log])
      if outcome.wasKilled, let last = try `Crash matrix`.points(log).last { armed.remove(last) }
    }
    #expect(outcome.exit == 1, "\(outcome.errors)")
    #expect(armed.isEmpty)
    #expect(try node.packages() == UpgradeNode.former)
  }
}
