import Glibc
import Host
import Model
import Testing

/// The way up, on a sandbox: kubeadm and kubelet are stand-ins there, etcd is real.
@Suite(.serialized) struct `Way up` {
  @Test func `packages, control plane and kubelet go to the target, and holds stay`() throws {
    let node = try UpgradeNode(["--packages", "apt"], steps: UpgradeNode.whole)
    try node.sandbox(["objects", node.root])
    let outcome = try node.upgrade()
    #expect(outcome.exit == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("pull: 7 of 7 images are there"), "\(outcome.errors)")
    for component in ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
      #expect(try node.image(of: component).hasSuffix(":v1.28.0"))
    }
    #expect(try node.get("/api/v1/nodes/sandbox-node").at("status", "nodeInfo", "kubeletVersion")?.string == "v1.28.0")
    let held = try runCaptured(node.root + "/usr/bin/apt-mark", Command(["apt-mark", "showhold"]))
    #expect(held.text == "kubeadm\nkubectl\nkubelet\n")
    let verified = try node.evidence(of: "verify")
    #expect((verified.at("availability", "samples")?.int ?? 0) > 3)
    // Between two samples the stand-in's API server may have come back: it may be 0.
    #expect(verified.at("availability", "outageMilliseconds")?.int != nil)
    let kinds = Set((verified["differences"]?.array ?? []).compactMap { $0["kind"]?.string })
    #expect(kinds.isSubset(of: ["version", "manifest", "image", "count"]), "\(verified["differences"]?.text() ?? "")")
    // Once more: there is nothing to do, and no bundle takes the place of the one that leads back.
    let (applies, bundles) = (try node.applies(), try node.bundles())
    let again = try node.kguard("upgrade", "v1.28.0", "--no-offsite", "--yes")
    #expect(again.exit == 3 && again.errors.contains("the cluster is at v1.28.0 already"), "\(again.errors)")
    #expect(try node.applies() == applies && node.bundles() == bundles)
    #expect(try node.kguard("status").output.contains(", 0 of "))
    // kubelet is behind: that is something to do.
    try node.sandbox(["install", node.root, "kubelet", "v1.27.4"])
    let rest = try node.kguard("check", "v1.28.0", "--no-offsite")
    #expect(rest.exit == 0 && rest.output.contains("the cluster is at v1.28.0 already, but kubelet is v1.27.4"), "\(rest.output)")
  }

  @Test func `packages of a run that is rolled back are the old ones again, and held`() throws {
    let node = try UpgradeNode(["--packages", "apt"])
    try Files.makeDirectory(node.root + "/etc/kguard/playbooks")
    try Files.replace(
      node.root + "/etc/kguard/playbooks/back.yaml", with: Array("name: back\nsteps:\n  - {id: undo, action: run/undo}\n".utf8))
    let file = node.root + ".packages.yaml"
    try Files.replace(
      file,
      with: Array(
        """
        name: packages
        rollback: back
        steps:
          - {id: kubeadm, action: packages/kubeadm, with: {version: v1.28.0}}
          - {id: kubelet, action: packages/kubelet, with: {version: v1.28.0}}
          - {id: fails, run: ["false"], on-failure: rollback}

        """.utf8))
    defer { unlink(file) }
    let outcome = try node.kguard("playbook", "run", file)
    #expect(outcome.exit == 4, "\(outcome.errors)")
    #expect(outcome.errors.contains("kubelet 1.28.0-1.1 (held), kubectl 1.28.0-1.1 (held)"), "\(outcome.errors)")
    for tool in ["kubeadm", "kubelet", "kubectl"] {
      let version = try runCaptured(node.root + "/usr/bin/dpkg-query", Command(["dpkg-query", "-W", "-f=${Version}", tool]))
      #expect(version.text == "1.27.4-1.1")
    }
    let held = try runCaptured(node.root + "/usr/bin/apt-mark", Command(["apt-mark", "showhold"]))
    #expect(held.text == "kubeadm\nkubectl\nkubelet\n")
  }

  @Test func `kubeadm says SUCCESS over a controller-manager that crashes, and kguard does not`() throws {
    let node = try UpgradeNode()
    try node.sandbox(["break", node.root, "kcm-image"])
    let outcome = try node.upgrade()
    #expect(outcome.exit == 5)
    let said = "kubeadm said SUCCESS: kube-controller-manager v1.28.0 exits again and again (broken on purpose by sandbox break)"
    #expect(outcome.errors.contains(said), "\(outcome.errors)")
    // The container may be gone by now: its last words are not.
    let log = try node.kguard("logs", "last", "apply").output
    let parts = log.split(separator: "\n==> the end of the log of kube-controller-manager, which crashes (container ")
    #expect(parts.count == 2 && parts.last?.contains("broken on purpose by sandbox break\n") == true, "\(log)")
    #expect(outcome.errors.contains("read the end of kube-controller-manager's log"))
  }

  @Test func `while kubeadm waits for an API server that crashes, it is said`() throws {
    let node = try UpgradeNode()
    try Files.replace(node.root + "/etc/sandbox.json", with: Array(#"{"kubeadm_limit": 75}"#.utf8))
    try node.sandbox(["break", node.root, "apiserver-image"])
    let outcome = try node.kguard("playbook", "run", node.playbook, "--set", "version=v1.28.0", timeout: .seconds(300))
    #expect(outcome.exit == 5, "\(outcome.errors)")
    let said = "kube-apiserver v1.28.0 exits again and again (broken on purpose by sandbox break): kubeadm waits up to 5 minutes for it"
    let ended = "kubeadm ended with exit status 1"
    let words = outcome.errors.split(separator: "\n")
    let first = try #require(words.firstIndex { $0.contains(said) }, "\(outcome.errors)")
    #expect(first < (try #require(words.firstIndex { $0.contains(ended) })))
    #expect(words.count { $0.contains(said) } == 1)
    #expect(outcome.errors.contains("before that, kube-apiserver v1.28.0 exits again and again (broken on purpose"), "\(outcome.errors)")
    #expect(try node.kguard("logs", "last", "apply").output.contains("==> the end of the log of kube-apiserver"))
    #expect(try node.image(of: "kube-apiserver").hasSuffix(":v1.27.4"))
  }

  @Test func `a kubeadm that fails late leaves a cluster that is not taken for upgraded`() throws {
    let node = try UpgradeNode()
    try node.sandbox(["break", node.root, "apply-late"])
    let outcome = try node.upgrade()
    #expect(outcome.exit == 5)
    #expect(outcome.errors.contains("kubeadm ended with exit status 1"), "\(outcome.errors)")
    #expect(outcome.errors.contains("the cluster has been changed"))
  }

  @Test func `a missing image is found before anything is changed`() throws {
    let node = try UpgradeNode()
    try node.sandbox(["break", node.root, "missing-image"])
    let before = try node.manifests()
    let outcome = try node.upgrade()
    #expect(outcome.exit == 1, "\(outcome.errors)")
    #expect(outcome.errors.contains("pull: failed"))
    #expect(try node.manifests() == before)
    #expect(try node.applies() == 0)
  }

  @Test func `kguard killed during apply, resume waits for the same kubeadm`() throws {
    let node = try UpgradeNode()
    try node.sandbox(["break", node.root, "slow-apply", "--for", "4"])
    let pid = try node.startUpgrade()
    try node.wait("kubeadm to have moved the API server") { try node.image(of: "kube-apiserver").hasSuffix(":v1.28.0") }
    kill(pid, SIGKILL)
    _ = Spawn.wait(pid)
    let running = try node.kubeadms()
    #expect(running.count == 1)
    let resumed = try node.kguard("resume")
    #expect(resumed.exit == 0, "\(resumed.errors)")
    let waits = "waiting for `kubeadm upgrade apply v1.28.0 -y` of the step apply (process \(running[0].pid)), which the earlier kguard"
    #expect(resumed.errors.contains(waits), "\(resumed.errors)")
    #expect(resumed.errors.contains("Let it end by itself") && !resumed.errors.contains("`kill "))
    #expect(try node.applies() == 1)
    #expect(try node.image(of: "kube-scheduler").hasSuffix(":v1.28.0"))
    #expect((try node.evidence(of: "verify").at("availability", "samples")?.int ?? 0) > 3)
  }

  @Test func `kguard and kubeadm killed half way, resume carries it to the end`() throws {
    let node = try UpgradeNode()
    try node.sandbox(["break", node.root, "slow-apply", "--for", "60"])
    let pid = try node.startUpgrade()
    try node.wait("kubeadm to have moved the API server") { try node.image(of: "kube-apiserver").hasSuffix(":v1.28.0") }
    let kubeadm = try #require(try node.kubeadms().first)
    kill(pid, SIGKILL)
    _ = Spawn.wait(pid)
    kubeadm.signal(SIGKILL)
    try node.sandbox(["mend", node.root])
    #expect(try node.image(of: "kube-controller-manager").hasSuffix(":v1.27.4"))
    // Its age would keep kubeadm from being started; going on is better than going back.
    try node.makeBundleOld()
    let resumed = try node.kguard("resume")
    #expect(resumed.exit == 0, "\(resumed.errors)")
    #expect(try node.applies() == 2)
    #expect(try node.image(of: "kube-scheduler").hasSuffix(":v1.28.0"))
  }

  @Test func `kubeadm is not started on a snapshot of hours ago`() throws {
    let node = try UpgradeNode()
    let pid = try node.startUpgrade(["KGUARD_FAILPOINT": "kubeadm-apply/begin.before=crash"])
    _ = Spawn.wait(pid)
    try node.makeBundleOld()
    let resumed = try node.kguard("resume")
    #expect(resumed.exit == 5, "\(resumed.errors)")
    #expect(resumed.errors.contains("no upgrade on an old snapshot: "), "\(resumed.errors)")
    #expect(try node.applies() == 0)
  }

  @Test func `a kubeadm that is killed half way is noticed, and what is old and what new is said`() throws {
    let node = try UpgradeNode()
    try node.sandbox(["break", node.root, "apply-killed"])
    let outcome = try node.upgrade()
    #expect(outcome.exit == 5)
    #expect(outcome.errors.contains("killed by signal 9"), "\(outcome.errors)")
    #expect(outcome.errors.contains("the manifest of kube-controller-manager has the image"))
  }

  @Test func `what lives in the cluster comes and goes meanwhile, and a good upgrade stays`() throws {
    let node = try UpgradeNode()
    try node.sandbox(["objects", node.root])
    try Files.replace(
      node.root + "/etc/kguard/config.yaml", with: Array("health: {soak: 2s, timeout: 15s, interval: 500ms}\n".utf8), mode: 0o644)
    let signs = node.root + "/signs"
    try Files.makeDirectory(signs)
    let life = """
        - id: life
          shell: touch "$SIGNS/ready"; until [ -e "$SIGNS/go" ]; do sleep 0.05; done
          env: {SIGNS: "\(signs)"}
      """
    var text = UpgradeNode.head + life + "\n" + UpgradeNode.short
    text = text.replacing("action: cluster/verify\n", with: "action: cluster/verify\n    on-failure: rollback\n") + "\nrollback: rollback\n"
    try Files.replace(node.playbook, with: Array(text.utf8), mode: 0o644)
    let apps = "/apis/apps/v1/namespaces/demo/deployments"
    let more = """
      {"metadata": {"name": "short"}, "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "short"}}, "template": {"metadata": {"labels": {"app": "short"}}, "spec": {"containers": [{"name": "c", "image": "busybox"}]}}}}
      """
    #expect(try node.request("POST", apps, more) == 201)
    #expect(
      try node.request(
        "POST", "/api/v1/nodes", #"{"metadata": {"name": "worker"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}"#)
        == 201)
    try node.wait("both deployments") {
      try node.get(apps)["items"]?.array?.allSatisfy { $0.at("status", "readyReplicas")?.int ?? 0 > 0 } == true
    }
    let pid = try node.startUpgrade()
    try node.wait("the upgrade to have its baseline") { try Files.exists(signs + "/ready") }
    // An autoscaler, a pipeline, and a bad release of an application.
    #expect(try node.request("DELETE", "/api/v1/nodes/worker", "") == 200)
    #expect(try node.request("DELETE", apps + "/short", "") == 200)
    let web = try node.get(apps + "/web").text()
    let bad = web.replacing(#""containers":"#, with: #""nodeName":"nowhere","containers":"#)
    #expect(bad != web)
    #expect(try node.request("PUT", apps + "/web", bad) == 200)
    try node.wait("web to be down") { try node.get(apps + "/web").at("status", "readyReplicas")?.int ?? 0 == 0 }
    try Files.replace(signs + "/go", with: [])
    let end = Spawn.wait(pid)
    let log = try Files.textIfPresent(node.root + ".log") ?? ""
    #expect(end == .exited(5), "\(log)")
    #expect(log.contains("upgraded to v1.28.0, and the control plane is healthy"), "\(log)")
    #expect(log.contains("Deployment demo/web has 0 of 2 pods ready") && !log.contains("demo/short has"), "\(log)")
    #expect(try JSON(parsing: try node.kguard("show", "-o", "json").output)["state"] == "needs-operator")
    for component in ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
      #expect(try node.image(of: component).hasSuffix(":v1.28.0"))
    }
    // The release is taken back: resume looks again, and does nothing else.
    let now = try node.get(apps + "/web").text().replacing(#""nodeName":"nowhere","#, with: "")
    #expect(try node.request("PUT", apps + "/web", now) == 200)
    let resumed = try node.kguard("resume")
    #expect(resumed.exit == 0, "\(resumed.errors)")
    #expect(try node.applies() == 1)
    let gone = try node.evidence(of: "verify")["gone"]?.text() ?? ""
    #expect(gone.contains("the node worker") && gone.contains("Deployment demo/short"), "\(gone)")
  }

  @Test func `preflight refuses with every reason at once, and says what to do`() throws {
    let node = try UpgradeNode()
    let began = monotonicNow()
    let good = try node.kguard("check", "v1.28.0", "--no-offsite")
    #expect(good.exit == 0, "\(good.output)")
    #expect(monotonicNow() - began < .seconds(10))
    #expect(good.output.contains("pass  data-dir"))

    func fails(_ arguments: String, _ words: String..., isWarning: Bool = false) throws {
      let result = try runCaptured(
        Bench.binary,
        Command(["kguard"] + arguments.split(separator: " ").map(String.init) + ["--root", node.root, "--no-color", "--no-offsite"]))
      #expect(result.end == .exited(isWarning ? 0 : 3), "\(result.text)")
      for word in words { #expect(result.text.contains(word), "\(word): \(result.text)") }
    }
    try fails("check v1.30.0", "skips a minor version", "install kubeadm v1.30.0")
    try fails("check v1.27.3", "kubeadm does not downgrade")
    let down = try node.kguard("check", "v1.26.0", "--no-offsite")
    #expect(down.exit == 3 && down.output.contains("v1.26.0 is older than the cluster's v1.27.4"), "\(down.output) \(down.errors)")
    #expect(down.output.contains(", 1 failed") && !down.output.contains("install kubeadm"), "\(down.output)")

    let alt = node.root + ".alt.yaml"
    try Files.replace(alt, with: Array("offsite: []\n".utf8))
    defer { unlink(alt) }
    #expect(try node.kguard("check", "v1.28.0", "--config", alt).output.contains("name one in \(alt), or say --no-offsite"))

    let manifests = node.root + "/etc/kubernetes/manifests"
    let etcd = try Files.read(manifests + "/etcd.yaml")
    try Files.replace(manifests + "/.hidden.yaml", with: etcd)
    try Files.replace(manifests + "/notes.txt", with: Array("not a pod".utf8))
    try fails("check v1.28.0", "holds notes.txt, which kubelet runs as well")
    try fails("check v1.28.0 --ignore-check stray-files", "(ignored)", isWarning: true)
    unlink(manifests + "/notes.txt")
    unlink(manifests + "/.hidden.yaml")

    // An expired certificate, made by openssl with the cluster's own authority.
    let pki = node.root + "/etc/kubernetes/pki"
    let old = try Files.read(pki + "/front-proxy-client.crt")
    let made = try runCaptured(
      "/bin/sh",
      Command(
        [
          "sh", "-c",
          "openssl req -new -key front-proxy-client.key -subj /CN=front-proxy-client -out /tmp/kguard-$$.csr && "
            + "openssl x509 -req -in /tmp/kguard-$$.csr -CA front-proxy-ca.crt -CAkey front-proxy-ca.key -days -1 -set_serial 7 "
            + "-out front-proxy-client.crt; rm -f /tmp/kguard-$$.csr",
        ], directory: pki))
    #expect(made.end.isSuccess, "\(made.errorText)")
    try fails("check v1.28.0", "front-proxy-client.crt expired", "kubeadm certs renew all")
    try Files.replace(pki + "/front-proxy-client.crt", with: old, mode: 0o644)

    // What the upgrade will ask at the end is asked before: no leader holds the lock that the flags name.
    let scheduler = try Files.read(manifests + "/kube-scheduler.yaml")
    func elect(_ flag: String) throws {
      let text = String(decoding: scheduler, as: UTF8.self).replacing("--leader-elect=true", with: flag)
      try Files.replace(manifests + "/kube-scheduler.yaml", with: Array(text.utf8), mode: 0o600)
      try node.wait("the new scheduler") {
        let lives = try node.get("/api/v1/namespaces/kube-system/pods/kube-scheduler-sandbox-node")
        return lives.text().contains(flag) && lives.text().contains(#""Ready","status":"True""#)
      }
    }
    try elect("--leader-elect=false")
    #expect(try node.request("DELETE", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler", "") == 200)
    let unelected = try node.kguard("check", "v1.28.0", "--no-offsite")
    #expect(unelected.exit == 0 && unelected.output.contains("pass  health"), "\(unelected.output)")
    try elect("--leader-elect-resource-lock=leases")
    try node.wait("the lease") { try node.kguard("check", "v1.28.0", "--no-offsite").exit == 0 }

    // Several at once, and the upgrade itself refuses before it touches anything.
    try node.sandbox(["break", node.root, "node-notready"])
    try fails("check v1.30.0", "kubelet does not run", "not ready: sandbox-node", "skips a minor version")
    let whole = node.root + ".whole.yaml"
    try Files.replace(
      whole, with: Array("name: only\nsteps:\n  - id: preflight\n    action: node/preflight\n    with: {no-offsite: \"true\"}\n".utf8))
    let run = try node.kguard("playbook", "run", whole)
    unlink(whole)
    #expect(run.exit == 3, "\(run.errors)")
    #expect(run.errors.contains("kubelet does not run") && run.errors.contains("not ready: sandbox-node"))
    // Each on a line of its own at the end, and all in one line where a step has one.
    let status = try node.kguard("status").output
    let line = try #require(status.split(separator: "\n").first { $0.contains("node/preflight") })
    #expect(line.contains("checks failed: ") && line.contains("kubelet does not run") && line.contains("; "), "\(line)")
    #expect(status.split(separator: "\n").count { $0.contains("not ready: sandbox-node") } == 2, "\(status)")
  }
}

/// Where kguard is called on the wrong machine.
@Suite struct `A machine that is no control-plane node` {
  let bench = Bench()

  init() throws { try Files.makeDirectory(bench.path + "/root/etc/kubernetes") }

  func check(_ arguments: String...) throws -> Bench.Outcome {
    let command = bench.command(["check"] + arguments, environment: ["KGUARD_ROOT": bench.path + "/root"])
    let result = try runCaptured(Bench.binary, command)
    return Bench.Outcome(end: result.end, output: result.text, errors: result.errorText)
  }

  @Test func `is told so once, instead of by every check`() throws {
    let stranger = try check()
    #expect(stranger.exit == 3)
    #expect(
      stranger.output == """
        FAIL  control-plane  this is no node of kubeadm: there is no /etc/kubernetes/kubelet.conf
                             → run kguard on a control-plane node made by kubeadm
        0 checks passed, 1 failed

        """)
    _ = try bench.write("root/etc/kubernetes/kubelet.conf", "")
    let worker = try check("v1.28.0")
    #expect(worker.exit == 3 && worker.output.hasPrefix("FAIL  control-plane  this is a worker"), "\(worker.output)")
    #expect(worker.output.hasSuffix("\n0 checks passed, 1 failed\n"))
    #expect(try check("--ignore-check", "contol-plane").exit == 2)
  }

  @Test func `is none where a control plane was stopped`() throws {
    _ = try bench.write("root/etc/kubernetes/kubelet.conf", "")
    // As administrators like to have it on every node.
    _ = try bench.write("root/etc/kubernetes/admin.conf", "")
    #expect(try check().output.contains("this is a worker"))
    try Files.makeDirectory(bench.path + "/root/etc/kubernetes/pki")
    _ = try bench.write("root/etc/kubernetes/pki/apiserver.crt", "")
    let stopped = try check()
    #expect(stopped.exit == 3 && !stopped.output.contains("worker"), "\(stopped.output)")
    #expect(stopped.output.contains("its control plane is stopped\n") && stopped.output.contains("`kguard resume` goes on with it"))
    #expect(stopped.output.split(separator: "\n").count { $0.hasPrefix("FAIL") } > 3, "\(stopped.output)")
  }

  @Test func `is refused by an upgrade with every check's name`() throws {
    _ = try bench.write("root/etc/kubernetes/kubelet.conf", "")
    let file = try bench.write(
      "only.yaml", "name: only\nsteps:\n  - {id: look, action: node/preflight, with: {ignore: control-plane, no-offsite: \"true\"}}\n")
    let refused = try bench.kguard("playbook", "run", file, environment: ["KGUARD_ROOT": bench.path + "/root"])
    #expect(refused.exit == 3)
    #expect(refused.errors.contains("sole-control-plane, version, kubelet-skew, hand-edits, api-server, "), "\(refused.errors)")
  }

  @Test func `and is looked at all the same where that is wished, what failed last and the same cause once`() throws {
    let all = try check("--ignore-check", "control-plane")
    #expect(all.exit == 3)
    let marks = all.output.split(separator: "\n").map { $0.prefix(4) }.filter { ["pass", "warn", "FAIL"].contains($0) }
    #expect(marks == marks.filter { $0 == "pass" } + marks.filter { $0 == "warn" } + marks.filter { $0 == "FAIL" } && marks.count > 9)
    let cause = "cannot read the kubeconfig /etc/kubernetes/admin.conf: No such file or directory"
    #expect(all.output.split(separator: "\n").count { $0.hasSuffix(cause) } == 1, "\(all.output)")
    #expect(all.output.contains("the same: version, kubelet-skew, hand-edits, api-server"), "\(all.output)")
    let json = try JSON(parsing: try check("--ignore-check", "control-plane", "-o", "json").output)
    let names = (json["checks"]?.array ?? []).compactMap { $0["name"]?.string }
    // As the manual lists them, whatever they found.
    #expect(names.first == "root" && names.last == "offsite" && names.count > 20, "\(names)")
  }
}

/// What later steps could not bear is refused by the first.
@Suite(.serialized) struct `Preflight refuses` {
  func fails(_ node: UpgradeNode, _ version: String, _ words: String) throws {
    let outcome = try node.kguard("check", version, "--no-offsite")
    #expect(outcome.exit == 3, "\(outcome.output)")
    #expect(outcome.output.contains(words), "\(outcome.output)")
  }

  @Test func `a second control-plane node, an etcd that cannot go to 3.6, and a database at its quota`() throws {
    let node = try UpgradeNode()
    try fails(node, "v1.34.0", "would go to 3.6, which is safe from 3.5.26 only")

    let second = #"{"metadata": {"name": "other", "labels": {"node-role.kubernetes.io/control-plane": ""}}}"#
    #expect(try node.request("POST", "/api/v1/nodes", second) == 201)
    try fails(node, "v1.28.0", "the cluster has 2 control-plane nodes (other, sandbox-node)")
    #expect(try node.request("DELETE", "/api/v1/nodes/other", "") == 200)

    // kubelet would restart etcd with the quota, which would then refuse all writes.
    try node.sandbox(["break", node.root, "node-notready"])
    let manifest = node.root + "/etc/kubernetes/manifests/etcd.yaml"
    let size = try #require(try Files.info(node.root + "/var/lib/etcd/member/snap/db")?.size)
    let text = String(decoding: try Files.read(manifest), as: UTF8.self)
    let flag = "- --quota-backend-bytes=\(size * 100 / 95)"
    try Files.replace(manifest, with: Array(text.replacing("- --name=", with: flag + "\n    - --name=").utf8), mode: 0o600)
    try fails(node, "v1.28.0", "FAIL  etcd-quota")
  }

  @Test(.enabled(if: Mount.isPossible)) func `a disk that kubeadm's own copy of etcd would fill`() throws {
    let node = try UpgradeNode()
    let path = node.root + "/etc/kubernetes/tmp"
    try Files.makeDirectory(path, mode: 0o700)
    let mounted = try runCaptured("/bin/mount", Command(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path]))
    #expect(mounted.end.isSuccess, "\(mounted.errorText)")
    defer { _ = try? runCaptured("/bin/umount", Command(["umount", "-l", path])) }
    try fails(node, "v1.28.0", "/etc/kubernetes/tmp:")
    #expect(try node.applies() == 0)
  }
}

/// A drain needs a second node: one that exists for the API server only, and says that it is ready.
@Suite(.serialized) struct `Drain` {
  static let steps = """
    name: drain
    steps:
      - id: drain
        action: node/drain
        with: {patience: 3s}
        on-failure: continue
      - id: uncordon
        action: node/uncordon

    """

  @Test func `a drain respects budgets, gives up in time, and is taken back`() throws {
    let node = try UpgradeNode()
    try node.sandbox(["objects", node.root])
    let file = node.root + ".drain.yaml"
    try Files.replace(file, with: Array(Self.steps.utf8))
    defer { unlink(file) }
    let apply = try node.request(
      "POST", "/api/v1/nodes",
      """
      {"metadata": {"name": "other"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
      """)
    #expect(apply == 201)
    _ = try node.request(
      "POST", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
      """
      {"metadata": {"name": "other"}, "spec": {"holderIdentity": "other", "leaseDurationSeconds": 40, "renewTime": "2099-01-01T00:00:00.000000Z"}}
      """)
    _ = try node.request(
      "POST", "/apis/policy/v1/namespaces/demo/poddisruptionbudgets",
      """
      {"metadata": {"name": "web"}, "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}, "status": {"disruptionsAllowed": 0}}
      """)
    try node.wait("the pods of web") {
      try node.get("/api/v1/namespaces/demo/pods")["items"]?.array?.count { $0.at("spec", "nodeName")?.string != nil } == 2
    }
    let bare = #"{"metadata": {"name": "bare"}, "spec": {"nodeName": "sandbox-node", "containers": [{"name": "c", "image": "busybox"}]}}"#
    #expect(try node.request("POST", "/api/v1/namespaces/demo/pods", bare) == 201)
    let stuck = try node.kguard("playbook", "run", file)
    #expect(stuck.errors.contains("is not drained") && stuck.errors.contains("disruption budget"), "\(stuck.errors)")
    #expect(stuck.errors.contains("sandbox-node takes pods again"))
    #expect(try node.get("/api/v1/nodes/sandbox-node").at("spec", "unschedulable")?.bool != true)

    #expect(try node.request("DELETE", "/apis/policy/v1/namespaces/demo/poddisruptionbudgets/web", "") == 200)
    let drained = try node.kguard("playbook", "run", file)
    #expect(drained.errors.contains("sandbox-node is cordoned; 1 pods are left running"), "\(drained.errors)")
    #expect(drained.errors.contains("left running: demo/bare has no controller"), "\(drained.errors)")
    #expect(try node.get("/api/v1/namespaces/demo/pods/bare").at("status", "phase")?.string == "Running")
    // That it was empty the step has seen; uncordoned it takes pods again, and the deployment's new ones may land on it.
    #expect(try node.get("/api/v1/nodes/sandbox-node").at("spec", "unschedulable")?.bool != true)
  }
}
