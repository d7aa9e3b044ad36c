import Cluster
import Glibc
import Host
import Model
import Testing

/// `--dry-run` says what would happen with this node's own paths and versions, and nothing of the node is touched.
@Suite(.serialized) struct `Dry runs` {
  /// What every step would do, by its id.
  private func would(_ outcome: Bench.Outcome) throws -> [String: [String]] {
    let steps = try JSON(parsing: outcome.output)["steps"]?.array ?? []
    return Dictionary(
      steps.map { ($0["id"]?.string ?? "", ($0["would"]?.array ?? []).compactMap(\.string)) }, uniquingKeysWith: { $1 })
  }

  private func refused(_ outcome: Bench.Outcome) throws -> [String] {
    (try JSON(parsing: outcome.output)["refused"]?.array ?? []).compactMap(\.string)
  }

  /// Everything below the node's root with its time, size, mode, inode and hash; what the stand-ins write all the time is left out.
  private func tree(_ root: String, but data: String) throws -> [String] {
    let out = ["run", "var/log", "usr/lib/kguard-sandbox", data].map { "-path ./\($0) -prune -o" }.joined(separator: " ")
    let script = "cd \(root) && find . \(out) -printf '%p %T@ %s %m %i\\n' && find . \(out) -type f -print0 | xargs -0 sha256sum"
    let result = try runCaptured("/bin/sh", Command(["sh", "-c", script]), timeout: .seconds(60))
    #expect(result.end.isSuccess, "\(result.errorText)")
    return result.text.split(separator: "\n").map(String.init).sorted()
  }

  private func configure(_ node: UpgradeNode, _ text: String) throws {
    try Files.replace(node.root + "/etc/kguard/config.yaml", with: Array(text.utf8), mode: 0o640)
  }

  @Test func `an upgrade is told with paths, versions, commands and targets, without a secret, and nothing is touched`() throws {
    let node = try UpgradeNode(["--packages", "apt", "--data-dir", "/srv/etcd-data"])
    let root = node.root
    let recipient = try AgeRecipientOfTest.make(root)
    try Files.replace(root + "/etc/kguard/s3", with: Array("AWS_ACCESS_KEY_ID=me\nAWS_SECRET_ACCESS_KEY=s3cr3t-word\n".utf8), mode: 0o600)
    try configure(
      node,
      """
      offsite:
        - {url: "s3://bucket/prod", credentials-file: /etc/kguard/s3}
        - {url: "file:///srv/offsite", same-disk: true, required: false}
      encryption: {recipients: [\(recipient)]}
      notify: [{webhook: "https://hooks.invalid/s3cr3t-hook", on: [failure]}]
      """)
    let before = try tree(root, but: "srv/etcd-data")
    let outcome = try node.kguard("upgrade", "v1.28.0", "--dry-run", "-o", "json")
    #expect(outcome.exit == 0, "\(outcome.errors)")
    let text = try node.kguard("upgrade", "v1.28.0", "--dry-run")
    #expect(text.exit == 0)
    #expect(try tree(root, but: "srv/etcd-data") == before)
    #expect(try !Files.exists(root + "/var/lib/kguard"))
    for output in [outcome.output, text.output, text.errors] { #expect(!output.contains("s3cr3t")) }

    let steps = try would(outcome)
    let all = steps.mapValues { $0.joined(separator: "\n") }
    let endpoint = try EtcdLocation.find(try LocalMachine(root: root)).endpoints[0].url
    #expect(all["snapshot"]?.contains("from \(endpoint) (member sandbox-node, etcd 3.") == true)
    #expect(all["snapshot"]?.contains("to \(root)/var/lib/kguard/bundles/<run>/snapshot.db") == true)
    #expect(all["drill"]?.contains("into \(root)/srv/etcd-data.kguard-staged-<run>") == true)
    #expect(all["copy"]?.contains("/var/lib/kguard/bundles/<run> → s3://bucket/prod\n") == true)
    #expect(all["copy"]?.contains("→ file:///srv/offsite, which may fail") == true)
    #expect(all["copy"]?.contains("encrypted to \(recipient)") == true)
    #expect(all["kubeadm"]?.contains("kubeadm 1.27.4-1.1 → 1.28.0-1.1 with apt, its hold put back") == true)
    #expect(steps["packages"]?.first == "kubelet 1.27.4-1.1 → 1.28.0-1.1 with apt, its hold put back")
    #expect(all["apply"]?.contains("runs `kubeadm upgrade apply v1.28.0 -y`") == true)
    #expect(all["apply"]?.contains("kube-apiserver, kube-controller-manager, kube-scheduler: v1.27.4 → v1.28.0") == true)
    #expect(all["preflight"]?.contains("`kguard check v1.28.0`") == true)
    #expect(steps.allSatisfy { !$0.value.isEmpty })
    // In text every line stands below its step; sizes have changed since.
    for line in steps.values.joined() where !line.contains("iB") { #expect(text.output.contains("     \(line)\n"), "\(line)") }

    #expect(try refused(outcome) == [])

    // Two minor versions at once: said, all steps are told, and the exit is that of the refusal.
    let far = try node.kguard("upgrade", "v1.29.0", "--dry-run", "-o", "json")
    #expect(far.exit == 3)
    let skips = "from v1.27.4 to v1.29.0 skips a minor version; the next is v1.28"
    #expect(try would(far)["preflight"]?.last == "would be refused: " + skips)
    #expect(try would(far).keys == steps.keys && refused(far) == [skips])
    let farText = try node.kguard("upgrade", "v1.29.0", "--dry-run")
    #expect(farText.exit == 3 && farText.errors.hasSuffix("\nIt would be refused now: \(skips)\nNothing was changed.\n"))
    #expect(try node.kguard("upgrade", "1.28", "--dry-run").exit == 2)
  }

  @Test func `where etcd and the API server are down, the lines say so and the rest is told`() throws {
    let node = try UpgradeNode()
    try node.sandbox(["down", node.root])
    let before = try tree(node.root, but: "none")
    let outcome = try node.kguard("upgrade", "v1.28.0", "--no-offsite", "--dry-run", "-o", "json")
    #expect(outcome.exit == 0, "\(outcome.errors)")
    #expect(try tree(node.root, but: "none") == before)
    let steps = try would(outcome)
    #expect(steps["snapshot"]?.first?.hasPrefix("from etcd, which gives none now: ") == true)
    #expect(steps["snapshot"]?.first?.contains("connection refused") == true)
    #expect(steps["drain"]?.first?.hasPrefix("cannot be told now: ") == true)
    #expect(steps["drill"]?.contains { $0.hasPrefix("into \(node.root)/var/lib/etcd.kguard-staged-<run>") } == true)
    #expect(steps["copy"] == ["no target is configured: the only copy stays in \(node.root)/var/lib/kguard/bundles/<run>"])
    let backup = try node.kguard("backup", "--no-drill", "--dry-run", "-o", "json")
    #expect(backup.exit == 3)
    #expect(try would(backup)["drill"] == ["skipped: `when: ${inputs.drill}` is false"])
    #expect(try would(backup)["copy"]?.first?.hasPrefix("would be refused: there is no off-site copy") == true)
  }

  @Test func `a rollback is told with what goes where and what would be lost, before and in the middle of it`() throws {
    let node = try UpgradeNode(["--packages", "apt"])
    let root = node.root
    try node.sandbox(["objects", root])
    #expect(try node.kguard("upgrade", "v1.28.0", "--no-offsite").exit == 0)
    let body = #"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"late","namespace":"demo"},"data":{"a":"b"}}"#
    #expect(try node.request("POST", "/api/v1/namespaces/demo/configmaps", body) == 201)
    let run = try JSON(parsing: try node.kguard("status", "-o", "json").output)["run"]?.string ?? ""

    let before = try tree(root, but: "var/lib/etcd")
    let outcome = try node.kguard("rollback", "--dry-run", "-o", "json")
    #expect(outcome.exit == 0, "\(outcome.errors)")
    let touched = Set(try tree(root, but: "var/lib/etcd")).symmetricDifference(before).sorted()
    #expect(touched == [], "\(touched)")
    let steps = try would(outcome)
    let (etcd, kubernetes) = (root + "/var/lib/etcd", root + "/etc/kubernetes")
    #expect(steps["assess"]?.first?.hasPrefix("decides, as the node is now: etcd and the node are put back: ") == true)
    #expect(steps["rescue"]?.contains { $0.hasSuffix(" revisions were written since") } == true)
    #expect(steps["rescue"]?.contains { $0.contains("would be lost: ") && $0.contains("configmaps demo/late") } == true)
    #expect(steps["stage"]?.first?.hasPrefix("restores \(root)/var/lib/kguard/bundles/\(run)/snapshot.db again, with etcd") == true)
    #expect(
      steps["stop"]?.first
        == "etcd.yaml, kube-apiserver.yaml, kube-controller-manager.yaml, kube-scheduler.yaml: \(kubernetes)/manifests → \(kubernetes)/kguard-stopped-<run>"
    )
    #expect(steps["swap"]?.first == "\(etcd) → \(etcd).kguard-aside-<run>")
    #expect(steps["swap"]?.dropFirst().first?.hasPrefix("\(etcd).kguard-staged-\(run) → \(etcd)") == true)
    #expect(steps["files"]?.contains("what gives way goes to \(kubernetes)/kguard-aside-<run>") == true)
    #expect(steps["packages"]?.contains("kubelet 1.28.0-1.1 → 1.27.4-1.1 with apt") == true)
    #expect(steps["packages"]?.contains("from the files in \(root)/var/lib/kguard/runs/\(run)/packages.kept") == true)

    // With etcd left alone, its steps would be skipped.
    let kept = try would(try node.kguard("rollback", "--dry-run", "--etcd", "never", "-o", "json"))
    #expect(kept["swap"] == ["skipped: `when: ${steps.assess.etcd}` is false"])

    // Killed in the middle: the id is known, and what is done is done.
    #expect(try node.kguard("rollback", "--yes", environment: ["KGUARD_FAILPOINT": "stop/kubelet.before=crash"]).wasKilled)
    let rollback = try JSON(parsing: try node.kguard("status", "-o", "json").output)["rollback"]?.string ?? ""
    let middle = try would(try node.kguard("rollback", "--dry-run", "-o", "json"))
    #expect(middle["assess"] == ["succeeded already"])
    #expect(middle["stop"]?.first == "no manifest is in \(kubernetes)/manifests")
    #expect(middle["swap"]?.first == "\(etcd) → \(etcd).kguard-aside-\(rollback)")
    #expect(middle["start"]?.first?.hasPrefix("etcd.yaml, kube-apiserver.yaml, ") == true)
    let next = try node.kguard("backup", "--no-offsite", "--dry-run")
    #expect(next.exit == 6)
    #expect(next.errors.contains("It would be refused now: cannot start a new run"))
    // It is finished as if nobody had asked; then the undo is told.
    #expect(try node.kguard("resume").exit == 0)
    let undo = try would(try node.kguard("rollback", "--undo", "--dry-run", run, "-o", "json"))
    #expect(undo["swap"]?.last == "\(etcd).kguard-aside-\(rollback) → \(etcd)")
  }

  @Test func `steps of one's own are told as they would be run, conditions as far as they are known`() throws {
    let bench = Bench()
    let playbook = try bench.write(
      "own.yaml",
      """
      name: own
      inputs:
        who: {default: me}
      steps:
        - id: look
          run: [sh, -c, "echo ${inputs.who}", "${config.etcd.restore}"]
          check: [test, -e, "/tmp/${run.id}"]
          env: {HIDDEN: word-of-env}
        - id: script
          shell: |
            echo one
            echo two
        - id: later
          run: [echo, "${steps.look.exit}"]
          when: ${steps.look.exit} == "0"
        - id: not-me
          run: [echo]
          when: ${inputs.who} == "you" and ${steps.look.exit}
      """)
    let outcome = try bench.kguard("playbook", "run", playbook, "--dry-run", "-o", "json")
    #expect(outcome.exit == 0, "\(outcome.errors)")
    #expect(!outcome.output.contains("word-of-env"))
    #expect(try !Files.exists(bench.state))
    let steps = try would(outcome)
    #expect(steps["look"] == ["nothing, where `test -e /tmp/<run>` ends with 0", "runs `sh -c 'echo me' ${config.etcd.restore}`"])
    #expect(steps["script"] == ["runs a script with sh: `echo one` and 1 more line"])
    #expect(
      steps["later"] == [
        "only where `${steps.look.exit} == \"0\"`, which is known when the steps before it have looked", "runs `echo ${steps.look.exit}`",
      ])
    #expect(steps["not-me"]?.first?.hasPrefix("skipped: ") == true)
  }
}

private enum AgeRecipientOfTest {
  /// A new key's public half; the secret one lies beside the node.
  static func make(_ root: String) throws -> String {
    let file = root + ".key"
    let made = try runCaptured(Bench.binary, Command(["kguard", "key", "new", file]))
    unlink(file)
    return made.text.filter { !$0.isNewline }
  }
}
