import Glibc
import Host
import Model
import Testing

/// What a rollback must not take for damage, and what it must not forget when it does not go straight.
@Suite(.serialized) struct `Rollback, second look` {
  /// Makes the pods of demo/web wait for a node that does not exist.
  private static let breakWeb = """
    key=/registry/deployments/demo/web
    e put $key "$(e get --print-value-only $key | sed 's/"containers"/"nodeName":"nowhere","containers"/')"
    until_true sh -c "kubectl get --raw /apis/apps/v1/namespaces/demo/deployments/web | grep -q 'readyReplicas.: *0'"

    """

  @Test func `an application that is down, a deleted one, a pinned kube-proxy: nothing of it brings old data back`() throws {
    let node = try GuardedNode()
    try node.configure("health: {timeout: 8s, soak: 1s}\n")
    let pinned = node.request
    let patch = """
      {"spec": {"template": {"spec": {"containers": [{"name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.27.1"}]}}}}
      """
    #expect(
      try pinned("PATCH", "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy", patch, "application/merge-patch+json") == 200)
    try node.bench.wait("the pinned kube-proxy") {
      try node.get("/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy").at("status", "numberReady") == 1
    }
    try node.bench.wait("web") { try node.get("/apis/apps/v1/namespaces/demo/deployments/web").at("status", "readyReplicas") == 2 }
    let run = try node.run("put late\n" + Self.breakWeb)
    #expect(run.exit == 1, "\(run.errors)")
    let ended = try node.ended()
    #expect(ended.state == "failed")
    let assessed = ended.evidence("assess")
    #expect(assessed?["verdict"] == "unchanged", "\(assessed?.text() ?? "")")
    #expect(assessed?["unready"]?.text().contains("Deployment demo/web has 0 of 2 pods ready") == true, "\(assessed?.text() ?? "")")
    #expect(try node.configmaps() == ["cm1", "late"])

    // Days later: somebody has deleted it, and asks for the rollback himself.
    #expect(try node.request("DELETE", "/apis/apps/v1/namespaces/demo/deployments/web", "") == 200)
    let later = try node.kguard("rollback", ended.run, "--yes")
    #expect(later.exit == 0 || later.exit == 1, "\(later.errors)")
    #expect(try node.configmaps() == ["cm1", "late"])
    #expect(later.errors.contains("nothing changed: nothing is restored"), "\(later.errors)")
  }

  @Test func `without a restore of etcd the node is put back, what stays is said, and pods may come again`() throws {
    let node = try GuardedNode()
    try node.configure("health: {timeout: 20s, soak: 1s}\netcd: {restore: never}\n")
    try addOtherNode(node.root)
    let before = try node.files("/etc/kubernetes")
    let file = try node.bench.write("drained.yaml", Self.drained(try node.bench.write("fails.sh", "exit 3\n")))
    let run = try node.kguard("playbook", "run", file)
    #expect(run.exit == 4, "\(run.errors)")
    let ended = try node.ended()
    #expect(ended.state == "rolled-back")
    #expect(ended.state("swap") == "skipped" && ended.state("uncordon") == "succeeded")
    #expect(run.errors.contains("failed, and the node is as it was\n"), "\(run.errors)")
    #expect(run.errors.contains("What etcd holds is as it was left: etcd is never restored, as asked."), "\(run.errors)")
    let ticket = try node.kguard("report", ended.run, "--format", "markdown").output
    #expect(ticket.contains("was rolled back: the node is as it was before the run"), "\(ticket)")
    #expect(try node.files("/etc/kubernetes") == before)
    let left = ended.evidence("verify")?["stillAtTarget"]?.text() ?? ""
    #expect(left.contains("kubeadm-config says v1.28.0"), "\(ended.evidence("verify")?.text() ?? "")")
    #expect(left.contains("kubectl -n kube-system set image daemonset/kube-proxy kube-proxy=registry.k8s.io/kube-proxy:v1.27.4"))
    #expect(try node.get("/api/v1/nodes/sandbox-node").at("spec", "unschedulable")?.bool != true)
  }

  private static func drained(_ script: String) -> String {
    """
    name: drained
    steps:
      - {id: baseline, action: cluster/baseline}
      - {id: archive, action: node/archive}
      - {id: snapshot, action: etcd/snapshot}
      - {id: sealed, action: bundle/verify}
      - {id: drill, action: etcd/drill}
      - {id: copy, action: bundle/copy, with: {no-offsite: "true"}}
      - {id: apply, action: kubeadm/apply, with: {version: v1.28.0}, on-failure: rollback}
      - {id: drain, action: node/drain, with: {patience: 10s}, on-failure: rollback}
      - {id: damage, run: [sh, "\(script)"], on-failure: rollback}
    rollback: rollback

    """
  }

  @Test func `a second rollback restarts whoever watched before the first one's swap`() throws {
    let node = try GuardedNode()
    try node.configure("health: {timeout: 30s, soak: 1s}\n")
    try node.sandbox("break", ["apply-late"])
    let first = try node.run("put late\nkubeadm upgrade apply v1.28.0 -y", environment: ["KGUARD_FAILPOINT": "start/kubelet.before=fail"])
    #expect(first.exit == 5, "\(first.errors)")
    let failed = try node.ended()
    #expect(failed.state("swap") == "succeeded" && failed.state("start") == "failed")
    let resumed = try node.kguard("resume")
    #expect(resumed.exit == 4, "\(resumed.errors)")
    let ended = try node.ended()
    #expect(ended.rollback != failed.rollback && ended.state("swap") == "skipped")
    let restarted = (ended.evidence("start")?["restarted"]?.array ?? []).compactMap(\.string)
    #expect(restarted.contains("kube-proxy") && restarted.contains("coredns"), "\(ended.evidence("start")?.text() ?? "")")
    #expect(try node.configmaps() == ["cm1"])
  }

  @Test(arguments: ["stop/commit.after", "swap/commit.after"])
  func `a kubelet that a reboot has started in the middle is stopped again, and started anew at the end`(point: String) throws {
    let node = try GuardedNode()
    try node.configure("health: {timeout: 30s, soak: 1s}\n")
    try node.sandbox("break", ["apply-late"])
    let first = try node.run("put late\nkubeadm upgrade apply v1.28.0 -y", environment: ["KGUARD_FAILPOINT": "\(point)=crash"])
    #expect(first.wasKilled, "\(first.errors)")
    let systemctl = node.root + "/usr/bin/systemctl"
    #expect(try runCaptured(systemctl, Command(["systemctl", "start", "kubelet"]), timeout: .seconds(30)).end.isSuccess)
    let resumed = try node.kguard("resume")
    #expect(resumed.exit == 4, "\(resumed.errors)")
    #expect(resumed.errors.contains("not stopped any more: kubelet runs"), "\(resumed.errors)")
    #expect(try node.configmaps() == ["cm1"])
    let log = try Files.textIfPresent(node.root + "/var/log/systemctl.log") ?? ""
    let calls = log.split(separator: "\n").filter { $0.hasSuffix(" stop kubelet") || $0.hasSuffix("start kubelet") }
    #expect(calls.last?.hasSuffix("restart kubelet") == true, "\(calls)")
    #expect(calls.suffix(2).first?.hasSuffix("stop kubelet") == true, "\(calls)")
  }
}
