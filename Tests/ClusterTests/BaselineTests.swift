@testable import Cluster
import Model
import Testing

@Suite struct `Baselines` {
  static func baseline(
    kubernetes: String = "v1.27.4", nodes: [Baseline.Node] = [.init(name: "a", isReady: true, isSchedulable: true, kubelet: "v1.27.4")],
    namespaces: [String] = ["default", "demo"], counts: [String: Int64] = ["configmaps": 5, "pods": 9], workloads: [Workload] = [web(2, 2)],
    manifests: [String: String] = ["etcd.yaml": "aa"]
  ) -> Baseline {
    Baseline(
      node: "a", kubernetes: kubernetes, etcd: "3.5.16", programs: ["kubeadm": "v1.28.0"], manifests: manifests,
      images: ["kube-apiserver": "x"],
      nodes: nodes, namespaces: namespaces, counts: counts, workloads: workloads)
  }

  static func web(_ ready: Int64, _ desired: Int64) -> Workload {
    Workload(kind: "Deployment", namespace: "demo", name: "web", desired: desired, ready: ready)
  }

  @Test func `the same is no difference, also after it was written and read`() throws {
    var one = Self.baseline()
    one.addons = ["kube-proxy": "r/kube-proxy:v1.27.4"]
    one.daemons = ["DaemonSet kube-system/kube-proxy"]
    one.uncounted = ["widgets.example.com"]
    #expect(one.compare(one) == [])
    #expect(Baseline(json: try JSON(parsing: one.json.text(pretty: true))) == one)
  }

  @Test(arguments: [
    (Self.baseline(kubernetes: "v1.28.0"), ["version kubernetes: v1.28.0, it was v1.27.4"]),
    (Self.baseline(namespaces: ["default"]), ["namespace demo: not there, it was there"]),
    (Self.baseline(counts: ["configmaps": 4, "pods": 7]), ["count configmaps: 4, it was 5"]),
    (Self.baseline(workloads: [web(1, 2)]), ["workload Deployment demo/web: 1 of 2 ready, it was 2 of 2 ready"]),
    (Self.baseline(workloads: []), ["workload Deployment demo/web: not there, it was 2 of 2 ready"]),
    (Self.baseline(workloads: [web(3, 3)]), []),
    (Self.baseline(manifests: ["etcd.yaml": "bb"]), ["manifest etcd.yaml: bb, it was aa"]),
    (
      Self.baseline(nodes: [.init(name: "a", isReady: true, isSchedulable: false, kubelet: "v1.27.4")]),
      ["node a: Ready, cordoned, it was Ready"]
    ),
  ])
  func `differences are told in words`(now: Baseline, words: [String]) {
    #expect(Self.baseline().compare(now).map(\.description) == words)
  }

  @Test func `what could not be counted is no difference`() {
    var now = Self.baseline(counts: ["configmaps": 5])
    now.uncounted = ["pods", "widgets.example.com"]
    var before = Self.baseline(counts: ["configmaps": 5, "widgets.example.com": 3])
    before.uncounted = ["other.example.com"]
    #expect(before.compare(now) == [])
  }
}

@Suite struct `Availability of the API server` {
  @Test(arguments: [
    ("boot a\n1000 up\n2000 up\n", 2, 0, 0, 0, 0),
    ("boot a\n1000 up\n2000 down\n3000 down\n4000 up\n", 4, 2, 2000, 1, 0),
    ("boot a\n1000 down\n2000 up\n3000 down\n4000 up\n", 4, 2, 2000, 2, 0),
    // kguard was away in between: what happened then nobody saw.
    ("boot a\n1000 up\n2000 down\nboot a\n60000 up\n", 3, 1, 0, 1, 58000),
    // After a reboot the clock begins anew.
    ("boot a\n90000 down\nboot b\n1000 up\n2000 up\n", 3, 1, 0, 1, 0),
    ("boot a\n1000 up\n20", 1, 0, 0, 0, 0), ("", 0, 0, 0, 0, 0), ("junk\nx y z\n5 sideways\n", 0, 0, 0, 0, 0),
  ])
  func `is summed from its samples`(text: String, samples: Int64, failed: Int64, outage: Int64, outages: Int64, unobserved: Int64) {
    let sum = Availability(text)
    #expect(
      [sum.samples, sum.failed, sum.outage.milliseconds, sum.outages, sum.unobserved.milliseconds] == [
        samples, failed, outage, outages, unobserved,
      ])
  }

  @Test func `is not told of the time in which nobody asked`() {
    #expect(Availability("boot a\n1000 up\n2000 up\n").words == "the API server answered all the time")
    let gap = Availability("boot a\n1000 up\n2000 up\n60000 up\n")
    #expect(gap.words == "the API server answered whenever it was asked; nobody asked it for 58 s")
  }
}

@Suite struct `What the container runtime says` {
  @Test func `a component runs its image, by whatever name the runtime gives`() throws {
    let images = try ContainerRuntime.images([
      "images": [["id": "sha256:1", "repoTags": ["r/kube-scheduler:v1.28.0"], "repoDigests": ["r/kube-scheduler@sha256:9"]]]
    ])
    for name in ["sha256:1", "r/kube-scheduler:v1.28.0", "r/kube-scheduler@sha256:9"] {
      let containers = try ContainerRuntime.containers([
        "containers": [
          [
            "id": "c", "metadata": ["name": "kube-scheduler", "attempt": 2], "image": ["image": .string(name)], "state": "CONTAINER_EXITED",
          ]
        ]
      ])
      #expect(images[0].isImage(of: containers[0]))
      #expect(containers[0].state == .exited && containers[0].attempt == 2)
    }
  }

  @Test(arguments: [
    ("v1.28.0", ["v1.28.0"], []), ("v1.28.0", [], ["kube-apiserver does not run"]),
    ("v1.28.0", ["v1.27.4"], ["kube-apiserver still runs r/kube-apiserver:v1.27.4"]),
    ("v1.27.4", ["v1.27.4"], ["the manifest of kube-apiserver has the image r/kube-apiserver:v1.27.4"]),
    ("v1.28.0", ["v1.28.0", "v1.27.4"], ["2 containers of kube-apiserver run"]),
  ])
  func `manifest and container must both be at the version`(manifest: String, running: [String], words: [String]) throws {
    let component = ControlPlane.Component(
      name: "kube-apiserver", image: "r/kube-apiserver:\(manifest)",
      running: running.map { .init(id: $0, tags: ["r/kube-apiserver:\($0)"], digest: "") }, attempts: 0, ended: 0)
    #expect(ControlPlane(components: [component]).differences(from: try #require(KubernetesVersion("v1.28.0"))) == words)
  }

  @Test(arguments: [
    ("r/kube-apiserver:v1.28.0", "v1.28.0"), ("localhost:5000/kube-apiserver:v1.28.0", "v1.28.0"), ("r/a:v1.28.0@sha256:00", "v1.28.0"),
    ("localhost:5000/kube-apiserver", nil), ("r/a:latest", nil),
  ])
  func `an image names its version`(image: String, version: String?) {
    #expect(ControlPlane.Component.version(image)?.description == version)
  }

  @Test func `the node's name comes from kubelet's certificate`() {
    #expect(ThisNode.name(ofSubject: "CN=system:node:lab-node,O=system:nodes") == "lab-node")
    #expect(ThisNode.name(ofSubject: "CN=kubernetes-admin,O=system:masters") == nil)
  }
}
