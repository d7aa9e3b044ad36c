import Host
import Model
import Testing
import YAML

@testable import Cluster

@Suite struct `Health, compared with before` {
  static func workload(_ kind: String, _ name: String, _ ready: Int64, _ desired: Int64) -> Workload {
    let parts = name.split(separator: "/")
    return Workload(kind: kind, namespace: String(parts[0]), name: String(parts[1]), desired: desired, ready: ready)
  }

  static func node(_ name: String, isReady: Bool = true) -> KubernetesNode {
    KubernetesNode(json: [
      "metadata": ["name": .string(name)],
      "status": [
        "conditions": [["type": "Ready", "status": .string(isReady ? "True" : "Unknown")]], "nodeInfo": ["kubeletVersion": "v1.27.4"],
      ],
    ])
  }

  static func before(_ names: [String] = ["a"], workloads: [Workload] = []) -> Baseline {
    `Baselines`.baseline(
      nodes: names.map { Baseline.Node(name: $0, isReady: true, isSchedulable: true, kubelet: "v1.27.4") }, workloads: workloads)
  }

  static func told(_ readiness: Readiness) -> [String] { readiness.problems.map { "\($0.weight): \($0.words)" } }

  @Test func `a container of a pod that the API server does not know is a phantom`() {
    func container(_ pod: String, _ state: ContainerRuntime.Container.State) -> ContainerRuntime.Container {
      ContainerRuntime.Container(
        id: pod, name: "c", pod: pod, podUID: "u", namespace: "demo", image: "i", imageRef: "i", attempt: 0, state: state, created: 1)
    }
    let known = ["known", "gone"].map { KubernetesPod(json: ["metadata": ["namespace": "demo", "name": .string($0)]]) }
    let found = Phantoms.find([container("known", .running), container("late", .running), container("ended", .exited)], known: known)
    #expect(
      found == [
        HealthProblem(.reported, "the pod demo/late runs on this node, and the API server does not know it: systemctl restart kubelet")
      ])
  }

  @Test func `other nodes are told, most of them are the cluster, and one that is gone is nobody's fault`() {
    func look(_ now: [KubernetesNode], before names: [String]) -> Readiness {
      Readiness.nodes(now, own: "a", kubelet: nil, Self.before(names))
    }
    #expect(look([Self.node("a")], before: ["a", "b"]) == Readiness(gone: ["the node b"]))
    #expect(
      Self.told(look([Self.node("a"), Self.node("b", isReady: false)], before: ["a", "b"])) == ["reported: the node b is not ready"])
    #expect(look([Self.node("a"), Self.node("new", isReady: false)], before: ["a"]) == Readiness())
    let most = [Self.node("a"), Self.node("b", isReady: false), Self.node("c", isReady: false)]
    #expect(Self.told(look(most, before: ["a", "b", "c"])) == ["cluster: the node b is not ready", "cluster: the node c is not ready"])
    #expect(Self.told(look([Self.node("a", isReady: false)], before: ["a"])) == ["controlPlane: the node a is not ready"])
    #expect(Self.told(look([Self.node("b")], before: ["a", "b"])) == ["controlPlane: the node a is missing"])
    let kubelet = KubernetesVersion("v1.28.0")
    #expect(
      Self.told(Readiness.nodes([Self.node("a")], own: "a", kubelet: kubelet, nil)) == [
        "controlPlane: the node a says that its kubelet is v1.27.4, not v1.28.0"
      ])
  }

  @Test func `a workload that is less ready is told, most of them are the cluster, and a deleted one is named`() {
    let apps = ["web", "shop", "mail", "chat"].map { Self.workload("Deployment", "demo/\($0)", 2, 2) }
    func look(_ now: [Workload]) -> Readiness {
      Readiness.workloads(now, daemons: [:], nodes: [Self.node("a")], Self.before(workloads: apps))
    }
    #expect(look(Array(apps.dropFirst())) == Readiness(gone: ["Deployment demo/web"]))
    let down = apps.map { Self.workload("Deployment", "demo/\($0.name)", 0, 2) }
    #expect(Self.told(look([down[0]] + apps.dropFirst())) == ["reported: Deployment demo/web has 0 of 2 pods ready"])
    #expect(look(Array(down.prefix(2)) + apps.dropFirst(2)).problems.allSatisfy { $0.weight == .reported })
    #expect(look(Array(down.prefix(3)) + apps.dropFirst(3)).problems.allSatisfy { $0.weight == .cluster })
    // Scaled down meanwhile, or not ready before either.
    #expect(look([Self.workload("Deployment", "demo/web", 0, 0)] + apps.dropFirst()).problems == [])
    #expect(look(apps + [Self.workload("Deployment", "demo/new", 0, 1)]).problems == [])
    // The only application there is, is no majority.
    let one = Readiness.workloads([down[0]], daemons: [:], nodes: [Self.node("a")], Self.before(workloads: [apps[0]]))
    #expect(one.problems.map(\.weight) == [.reported])
  }

  @Test func `CoreDNS counts, unless its pods have lost their node, and what came later does not`() {
    let dns = Self.workload("Deployment", "kube-system/coredns", 2, 2)
    let half = Self.workload("Deployment", "kube-system/coredns", 1, 2)
    let none = Self.workload("Deployment", "kube-system/coredns", 0, 2)
    func look(_ now: [Workload], _ nodes: [KubernetesNode]) -> [HealthProblem.Weight] {
      Readiness.workloads(now, daemons: [:], nodes: nodes, Self.before(["a", "b"], workloads: [dns])).problems.map(\.weight)
    }
    let whole = [Self.node("a"), Self.node("b")]
    #expect(look([half], whole) == [.cluster] && look([none], whole) == [.cluster])
    #expect(look([half], [Self.node("a")]) == [.reported])
    #expect(look([half], [Self.node("a"), Self.node("b", isReady: false)]) == [.reported])
    #expect(look([none], [Self.node("a")]) == [.cluster])
    #expect(look([dns, Self.workload("Deployment", "kube-system/metrics-server", 0, 1)], whole).isEmpty)
    #expect(
      Readiness.workloads([dns], daemons: [:], nodes: whole, Self.before(["a", "b"], workloads: [dns])) == Readiness())
    #expect(Readiness.workloads([], daemons: [:], nodes: whole, Self.before(["a", "b"], workloads: [dns])).gone == [dns.title])
  }

  @Test func `of a daemonset the pod on this node counts`() {
    let proxy = Self.workload("DaemonSet", "kube-system/kube-proxy", 3, 3)
    let less = Self.workload("DaemonSet", "kube-system/kube-proxy", 2, 3)
    var baseline = Self.before(["a", "b", "c"], workloads: [proxy])
    baseline.daemons = [proxy.title]
    func look(_ here: Bool?) -> [String] {
      let daemons = here.map { [proxy.title: $0] } ?? [:]
      return Self.told(Readiness.workloads([less], daemons: daemons, nodes: [Self.node("a")], baseline))
    }
    #expect(look(true) == ["reported: DaemonSet kube-system/kube-proxy has 2 of 3 pods ready"])
    #expect(look(false) == ["cluster: DaemonSet kube-system/kube-proxy has no ready pod on this node"])
    #expect(look(nil) == ["cluster: DaemonSet kube-system/kube-proxy has no ready pod on this node"])
    let pods = [("old", false), ("new", true)].map { name, isReady in
      KubernetesPod(json: [
        "metadata": [
          "name": .string(name), "namespace": "kube-system",
          "ownerReferences": [["kind": "DaemonSet", "name": "kube-proxy", "controller": true]],
        ], "status": ["conditions": [["type": "Ready", "status": .string(isReady ? "True" : "False")]]],
      ])
    }
    #expect(Workload.daemons(pods) == [proxy.title: true])
  }
}

@Suite struct `Leader election` {
  let directory = TemporaryDirectory()

  private func manifest(_ flags: [String]) throws -> StaticPodManifest {
    let text = """
      kind: Pod
      metadata: {name: kube-scheduler, namespace: kube-system}
      spec:
        containers:
        - name: kube-scheduler
          image: r/kube-scheduler:v1.27.4
          command: [\((["kube-scheduler"] + flags).joined(separator: ", "))]
          volumeMounts: [{name: c, mountPath: /etc/scheduler}]
        volumes: [{name: c, hostPath: {path: /etc/sched}}]
      """
    return try StaticPodManifest(try Node.load(text, file: "x"), path: "x", program: "kube-scheduler")
  }

  @Test(arguments: [
    (["--kubeconfig=x"], "kube-system/leases/kube-scheduler"), (["--leader-elect=true"], "kube-system/leases/kube-scheduler"),
    (["--leader-elect"], "kube-system/leases/kube-scheduler"), (["--leader-elect=false"], nil),
    (["--leader-elect-resource-name=mine"], "kube-system/leases/mine"),
    (["--leader-elect-resource-namespace=locks", "--leader-elect-resource-name=mine"], "locks/leases/mine"),
    (["--leader-elect-resource-lock=endpoints"], nil),
    (["--leader-elect-resource-lock=endpointsleases"], "kube-system/leases/kube-scheduler"),
    (["--config=/etc/scheduler/off.yaml"], nil), (["--config=/etc/scheduler/named.yaml"], "locks/leases/filed"),
    (["--config=/etc/scheduler/off.yaml", "--leader-elect=true"], "kube-system/leases/kube-scheduler"),
    (["--config=/etc/scheduler/gone.yaml"], nil), (["--config=/etc/scheduler/empty.yaml"], "kube-system/leases/kube-scheduler"),
  ])
  func `is read from the flags and the file`(flags: [String], path: String?) throws {
    try Files.makeDirectory(directory.path + "/etc/sched")
    for (name, text) in [
      ("off", "kind: KubeSchedulerConfiguration\nleaderElection: {leaderElect: false}\n"),
      ("named", "leaderElection: {resourceName: filed, resourceNamespace: locks}\n"), ("empty", "kind: KubeSchedulerConfiguration\n"),
    ] {
      try Files.replace(directory.path + "/etc/sched/\(name).yaml", with: Array(text.utf8))
    }
    let lease = try Leases.election(try manifest(flags), try LocalMachine(root: directory.path))
    #expect(lease?.path.split(separator: "/namespaces/").last.map(String.init) == path)
  }
}

@Suite struct `Crash loops` {
  static func containers(_ list: [(pod: String, image: String, attempt: Int, state: String, created: Int)]) throws
    -> [ContainerRuntime.Container]
  {
    try ContainerRuntime.containers([
      "containers": .array(
        list.enumerated().map { place, one in
          [
            "id": .string("c\(place)"), "podSandboxId": .string("s-" + one.pod),
            "metadata": ["name": "kube-scheduler", "attempt": .int(Int64(one.attempt))], "image": ["image": .string(one.image)],
            "state": .string("CONTAINER_" + one.state), "createdAt": .string(String(one.created)),
            "labels": ["io.kubernetes.pod.uid": .string(one.pod)],
          ]
        })
    ])
  }

  static let images = [
    ContainerRuntime.Image(id: "sha256:1", tags: ["r/s:v1.27.4"], digests: []),
    ContainerRuntime.Image(id: "sha256:2", tags: ["r/s:v1.28.0"], digests: ["r/s@sha256:9"]),
  ]

  @Test func `restarts of the pod before, and of its image, do not count`() throws {
    let old = (pod: "old", image: "sha256:1", attempt: 7, state: "EXITED", created: 100)
    let all = try Self.containers([old, ("new", "sha256:2", 0, "EXITED", 300), ("new", "sha256:2", 1, "EXITED", 400)])
    #expect(ControlPlane.newest(all, "r/s:v1.28.0", Self.images).map(\.attempt) == [0, 1])
    #expect(ControlPlane.newest(all, "r/s@sha256:9", Self.images).count == 2)
    // The new pod is not there yet: nothing is known of it.
    #expect(ControlPlane.newest(try Self.containers([old]), "r/s:v1.28.0", Self.images) == [])
  }

  @Test func `one that has to be started three times and then runs does not crash`() throws {
    let version = try #require(KubernetesVersion("v1.28.0"))
    func look(_ attempts: Int64, _ ended: Int, running: String? = nil) -> ControlPlane {
      let running = running.map { [ControlPlane.Running(id: $0, tags: ["r/s:v1.28.0"], digest: "")] } ?? []
      return ControlPlane(components: [
        .init(name: "kube-scheduler", image: "r/s:v1.28.0", running: running, attempts: attempts, ended: ended)
      ])
    }
    var watch = CrashWatch(version)
    #expect(watch.see(look(7, 1), at: .seconds(0)) == nil)
    #expect(watch.see(look(7, 1), at: .seconds(40)) == nil)
    // Seen running for a moment only, it still crashes.
    #expect(watch.see(look(8, 1, running: "x"), at: .seconds(41)) == nil)
    #expect(watch.see(look(8, 2), at: .seconds(46))?.words == "kube-scheduler v1.28.0 exits again and again")

    var other = CrashWatch(version)
    #expect(other.see(look(2, 2), at: .seconds(0)) == nil)
    #expect(other.see(look(3, 2, running: "y"), at: .seconds(20)) == nil)
    #expect(other.see(look(3, 2, running: "y"), at: .seconds(31)) == nil)
    #expect(other.see(look(3, 3), at: .seconds(50)) == nil)
    #expect(other.see(look(1, 1), at: .seconds(200)) == nil)
  }
}

@Suite struct `Last words of a container` {
  @Test(arguments: [
    (
      "I0816 12:00:00.1 1 server.go:1] starting\nE0816 12:00:01.2 1 run.go:74] \"command failed\" err=\"no such file\"\nI0816 bye\n",
      "\"command failed\" err=\"no such file\""
    ),
    ("panic: nil map\n\ngoroutine 1 [running]:\nmain.main()\n", "panic: nil map"),
    ("Error: unknown flag: --feature\n  --help   shows help\n", "Error: unknown flag: --feature"),
    ("one\n  two  \n\n", "two"), ("Everything [ended] badly\nlast", "last"), (" \n", nil), ("\u{1b}[31mE\u{0}\n", "\u{1b}[31mE\u{0}"),
  ])
  func `are the last error, else the last line`(text: String, words: String?) {
    #expect(CrashLog(component: "kube-scheduler", container: "c", text: text).lastWords == words)
  }

  @Test func `are those of the newest pod only`() throws {
    let list: [(String, Int, String, Int)] = [("old", 9, "EXITED", 900), ("new", 0, "EXITED", 950), ("new", 1, "EXITED", 960)]
    var containers: JSON = ["containers": []]
    containers["containers"] = .array(
      list.map { pod, attempt, state, created in
        [
          "id": .string("\(pod)\(attempt)"), "metadata": ["name": "kube-scheduler", "attempt": .int(Int64(attempt))],
          "state": .string("CONTAINER_" + state), "createdAt": .string(String(created)),
          "labels": ["io.kubernetes.pod.uid": .string(pod), "io.kubernetes.pod.namespace": "kube-system"],
        ]
      })
    let found = CrashLog.newestExited(try ContainerRuntime.containers(containers), "kube-scheduler")
    #expect(found.map(\.id) == ["new1", "new0"])
    #expect(CrashLog.newestExited(try ContainerRuntime.containers(containers), "kube-apiserver") == [])
  }
}

@Suite struct `Soak windows` {
  @Test func `open when all is well, and begin anew with whatever is started anew`() {
    var window = SoakWindow(.seconds(20))
    window.see(isWell: true, ["a"], ["lock": "1", "node": "1"], at: .seconds(0))
    #expect(!window.isOver)
    window.see(isWell: true, ["a"], ["lock": "2", "node": "1"], at: .seconds(20))
    #expect(window.isOver && window.stale == ["node"])
    window.see(isWell: true, ["a"], ["lock": "2", "node": "2"], at: .seconds(21))
    #expect(window.isOver && window.stale == [])
    window.see(isWell: true, ["b"], [:], at: .seconds(22))
    #expect(!window.isOver)
    window.see(isWell: true, ["b"], [:], at: .seconds(43))
    #expect(window.isOver)
    window.see(isWell: false, ["b"], [:], at: .seconds(44))
    #expect(!window.isOver)
  }
}

@Suite struct `Records of kubeadm` {
  @Test func `a pinned kube-proxy and a patched manifest are as they were, and no reason to go back`() throws {
    var before = `Baselines`.baseline(kubernetes: "v1.27.4")
    before.addons = ["kube-proxy": "r/kube-proxy:v1.27.1", "coredns": "r/coredns:v1.10.1"]
    let same = ClusterRecords(kubernetes: "v1.27.4", addons: before.addons)
    #expect(same.differences(from: before) == [] && same.advice(before) == [])
    #expect(same.differences(from: try #require(KubernetesVersion("v1.27.4"))) == ["kube-proxy has the image r/kube-proxy:v1.27.1"])
    // Deleted by somebody: nothing that a restore is for.
    #expect(ClusterRecords(kubernetes: "v1.27.4", addons: [:]).differences(from: before) == [])

    let moved = ClusterRecords(kubernetes: "v1.28.0", addons: ["kube-proxy": "r/kube-proxy:v1.28.0", "coredns": "r/coredns:v1.11.0"])
    #expect(
      moved.differences(from: before) == [
        "kubeadm-config says v1.28.0, it said v1.27.4", "kube-proxy has the image r/kube-proxy:v1.28.0, it had r/kube-proxy:v1.27.1",
      ])
    let advice = moved.advice(before).joined(separator: "\n")
    #expect(advice.contains("kubectl -n kube-system edit configmap kubeadm-config"))
    #expect(advice.contains("kubectl -n kube-system set image daemonset/kube-proxy kube-proxy=r/kube-proxy:v1.27.1"))
    #expect(advice.contains("kubectl -n kube-system set image deployment/coredns coredns=r/coredns:v1.10.1"))
  }

  @Test func `each component is compared with its own image of before`() {
    func plane(_ image: String) -> ControlPlane {
      ControlPlane(components: [
        .init(
          name: "kube-apiserver", image: image, running: [.init(id: "1", tags: [image], digest: "sha256:1")], attempts: 0, ended: 0)
      ])
    }
    let before = Baseline(
      node: "a", kubernetes: "v1.27.4", etcd: "", programs: [:], manifests: [:], images: ["kube-apiserver": "r/a:v1.27.6 sha256:1"],
      nodes: [], namespaces: [], counts: [:], workloads: [])
    #expect(plane("r/a:v1.27.6").differences(from: before) == [])
    #expect(
      plane("r/a:v1.28.0").differences(from: before) == ["the manifest of kube-apiserver has the image r/a:v1.28.0, it had r/a:v1.27.6"])
    // By digest, as some write it.
    #expect(ControlPlane.Running(id: "1", tags: [], digest: "sha256:1").runs("r/a:v1.27.6@sha256:1"))
    #expect(!ControlPlane.Running(id: "1", tags: ["r/a:v1.27.6"], digest: "sha256:1").runs("r/a:v1.27.7"))
  }
}
