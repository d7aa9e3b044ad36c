import Model
import Playbooks
import Testing

let catalogue = Catalogue([
  ActionSignature(
    "node/preflight", summary: "Refuse before anything is touched.", inputs: [ActionInput("version", description: "the target")]),
  ActionSignature(
    "etcd/snapshot", summary: "Take a snapshot.",
    inputs: [
      ActionInput("rate", .int, description: "MiB a second"), ActionInput("deadline", .duration, description: "how long"),
      ActionInput("defragment", .bool, description: "shrink first"),
      ActionInput("from", .choice(["leader", "follower", "any"]), description: "whom to ask"),
    ]),
  ActionSignature("bundle/verify", summary: "Verify."),
  ActionSignature("etcd/drill", summary: "Prove the restore."),
  ActionSignature("bundle/copy", summary: "Copy off-site."),
  ActionSignature(
    "kubeadm/apply", summary: "Upgrade.", inputs: [ActionInput("version", isRequired: true, description: "the target version")],
    requiresBefore: ["bundle/verify", "etcd/drill", "bundle/copy"]),
])

let upgrade = """
  name: upgrade
  description: Upgrade this control-plane node, or put it back.
  inputs:
    version: {required: true, pattern: 'v\\d+\\.\\d+\\.\\d+', description: the target}
    channel: {default: stable}
    note:
  steps:
    - id: preflight
      action: node/preflight
      with: {version: "${inputs.version}"}
    - id: snapshot
      description: Save etcd.
      action: etcd/snapshot
      with:
        rate: 50
        deadline: 10m
        defragment: false
        from: follower
      retries: {max: 3, backoff: 2s, limit: 1m}
    - {id: verify, action: bundle/verify, retries: 2}
    - {id: drill, action: etcd/drill}
    - {id: copy, action: bundle/copy}
    - id: apply
      action: kubeadm/apply
      with:
        version: ${inputs.version}
      timeout: 30m
      on-failure: rollback
    - id: velero
      run: [velero, backup, create, "pre-${run.id}", --wait]
      env: {BUNDLE: "${steps.copy.bundle}"}
      when: ${config.values.velero} and ${inputs.channel} != "edge"
      check: [velero, backup, get, "pre-${run.id}"]
      undo: [velero, backup, delete, "pre-${run.id}", "${steps.velero.name}"]
      on-failure: continue
    - id: tell
      shell: |
        echo "$VERSION ${HOME}"
      env: {VERSION: "${inputs.version}"}
      changes: false
  rollback: rollback
  """

@Suite struct `A playbook` {
  @Test func `a playbook is read whole`() throws {
    let playbook = try Playbook.load(text: upgrade, file: "upgrade.yaml", catalogue: catalogue)
    #expect(playbook.steps.map(\.id) == ["preflight", "snapshot", "verify", "drill", "copy", "apply", "velero", "tell"])
    #expect(playbook.text == upgrade)
    #expect(playbook.rollback == "rollback")
    #expect(playbook.inputs.map(\.name) == ["version", "channel", "note"])
    #expect(playbook.steps[1].retries == Retries(max: 3, backoff: .seconds(2), limit: .seconds(60)))
    #expect(playbook.steps[2].retries == Retries(max: 2))
    #expect(playbook.steps[5].timeout == .seconds(1800))
    #expect(playbook.steps[5].onFailure == .rollback)
    #expect(playbook.steps[5].with.map(\.name) == ["version"])
    #expect(playbook.steps.map(\.changes) == [true, true, true, true, true, true, true, false])
    #expect(playbook.steps[7].work == .shell("echo \"$VERSION ${HOME}\"\n"))
    #expect(try playbook == Playbook.load(text: upgrade, file: "upgrade.yaml", catalogue: catalogue))
  }
}
