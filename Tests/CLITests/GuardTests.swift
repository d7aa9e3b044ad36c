import Glibc
import Host
import Model
import Testing

/// The guard can't be edited away, and can't be talked out of its proof.
@Suite struct `The guard` {
  static let steps = """
      - {id: snapshot, action: etcd/snapshot}
      - {id: bundle, action: bundle/verify}
      - {id: drill, action: etcd/drill}
      - {id: copy, action: bundle/copy, with: {no-offsite: "true"}}
    """

  @Test func `kubeadm is not run when the bundle that was proven is gone`() throws {
    let node = try SandboxNode()
    defer { node.down() }
    let file = try node.bench.write(
      "tampered.yaml",
      """
      name: tampered
      steps:
      \(Self.steps)
        - id: lose
          run: ["rm", "\(node.bench.path)/state/bundles/${run.id}/bundle.json"]
        - {id: apply, action: kubeadm/apply, with: {version: v1.28.0}}
      """)
    let outcome = try node.kguard(["playbook", "run", file], state: node.bench.path + "/state")
    #expect(outcome.exit == 3 || outcome.exit == 5, "\(outcome.errors)")
    #expect(outcome.errors.contains("no bundle in") || outcome.errors.contains("can be trusted"), "\(outcome.errors)")
    let manifest = try Files.textIfPresent(node.root + "/etc/kubernetes/manifests/kube-apiserver.yaml") ?? ""
    #expect(manifest.contains("v1.27.4") && !manifest.contains("v1.28.0"))
  }

  @Test(arguments: ["etcd/snapshot", "bundle/verify", "etcd/drill", "bundle/copy"])
  func `a playbook without one of the steps before kubeadm is refused`(missing: String) throws {
    let bench = Bench()
    let kept = Self.steps.split(separator: "\n").filter { !$0.contains(missing) }.joined(separator: "\n")
    let file = try bench.write(
      "edited.yaml", "name: edited\nsteps:\n\(kept)\n  - {id: apply, action: kubeadm/apply, with: {version: v1.28.0}}\n")
    let outcome = try bench.kguard("playbook", "check", file)
    #expect(outcome.exit == 2)
    #expect(outcome.errors.contains(missing), "\(outcome.errors)")
  }
}
