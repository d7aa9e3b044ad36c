@testable import Cluster
import Model
import Testing

@Suite struct `Versions of Kubernetes` {
  @Test(arguments: [
    ("v1.28.0", "v1.28.0"), ("1.28.0", "v1.28.0"), ("Kubernetes v1.27.4", "v1.27.4"), ("v1.29.0-rc.1+abc", "v1.29.0-rc.1"),
    ("v1.30.1+k3s1", "v1.30.1"),
  ])
  func `are read as programs print them`(text: String, version: String) {
    #expect(KubernetesVersion(text)?.description == version)
  }

  @Test(arguments: ["", "v", "v1", "v1.28", "1.28.0.1", "v1.-2.0", "v99999.0.0", "vv1.2.3", "v1.2.3a", "latest"])
  func `are nothing else`(text: String) { #expect(KubernetesVersion(text) == nil) }

  @Test(arguments: [
    ("v1.27.4", "v1.28.0", nil), ("v1.27.4", "v1.27.9", nil), ("v1.27.4", "v1.27.4", nil), ("v1.27.4", "v1.29.0", "skips a minor"),
    ("v1.27.4", "v1.27.3", "older"), ("v1.27.4", "v2.0.0", "major"), ("v1.28.0", "v1.28.0-rc.1", "older"),
  ])
  func `allow what kubeadm allows`(from: String, to: String, word: String?) throws {
    let (from, to) = (try #require(KubernetesVersion(from)), try #require(KubernetesVersion(to)))
    let obstacle = from.obstacle(to: to)
    #expect(word == nil ? obstacle == nil : obstacle?.contains(word ?? "") == true)
  }

  @Test(arguments: [
    ("v1.27.4", "v1.28.0", true), ("v1.25.0", "v1.28.0", true), ("v1.24.0", "v1.28.0", false), ("v1.29.0", "v1.28.0", false),
    ("v1.25.0", "v1.27.0", true), ("v1.24.17", "v1.27.0", false), ("v1.28.9", "v1.28.0", true),
  ])
  func `let kubelet lag, and never lead`(kubelet: String, server: String, isFine: Bool) throws {
    let (kubelet, server) = (try #require(KubernetesVersion(kubelet)), try #require(KubernetesVersion(server)))
    #expect((kubelet.kubeletObstacle(server: server) == nil) == isFine)
  }
}

@Suite struct `Packages` {
  let madison = """
       kubeadm |  1.28.2-1.1 | https://pkgs.k8s.io/core:/stable:/v1.28/deb  Packages
       kubeadm |  1.28.0-1.1 | https://pkgs.k8s.io/core:/stable:/v1.28/deb  Packages
       kubeadm |  1.21.0-00 | http://lab  Packages
    """

  @Test(arguments: [("v1.28.0", "1.28.0-1.1"), ("v1.28.2", "1.28.2-1.1"), ("v1.21.0", "1.21.0-00"), ("v1.28.1", nil)])
  func `of apt are found by their release`(version: String, exact: String?) throws {
    #expect(Apt.match(madison, "kubeadm", try #require(KubernetesVersion(version))) == exact)
  }

  @Test func `of dnf are found by their release`() throws {
    let list = """
      Available Packages
      kubeadm.x86_64      1.28.0-150500.1.1      kubernetes
      kubeadm.x86_64      1.28.1-150500.1.1      kubernetes
      kubelet.x86_64      1.28.0-150500.1.1      kubernetes
      """
    #expect(Dnf.match(list, "kubeadm", try #require(KubernetesVersion("v1.28.0"))) == "1.28.0-150500.1.1")
    #expect(Dnf.match(list, "kubeadm", try #require(KubernetesVersion("v1.29.0"))) == nil)
    #expect(Dnf.name(ofLock: "kubernetes-cni-0:1.2.0-150500.2.1.*") == "kubernetes-cni")
    #expect(Dnf.name(ofLock: "kubeadm-0:1.28.0-150500.1.1.*") == "kubeadm")
  }

  @Test(arguments: [("1.28.0-1.1", "v1.28.0"), ("0:1.28.0-150500.1.1", "v1.28.0"), ("1.21.0-00", "v1.21.0"), ("2:9.1", nil)])
  func `name their release`(text: String, release: String?) { #expect(PackageManagers.release(text)?.description == release) }
}

@Suite struct `What kubeadm says` {
  @Test func `a plan's table is read whatever else is printed`() {
    let text = """
      [upgrade/versions] Cluster version: v1.27.4
      Components that must be upgraded manually after you have upgraded the control plane with 'kubeadm upgrade apply':
      COMPONENT   CURRENT       TARGET
      kubelet     1 x v1.27.4   v1.28.0

      COMPONENT                 CURRENT    TARGET
      kube-apiserver            v1.27.4    v1.28.0
      CoreDNS                   v1.10.1    v1.10.1
      etcd                      3.5.7-0    3.5.9-0
      kube-proxy   lab-node     1.20.2     v1.21.0
      """
    let changes = KubeadmPlan.changes(text)
    #expect(changes.map(\.component) == ["kubelet", "kube-apiserver", "CoreDNS", "etcd", "kube-proxy"])
    #expect(changes.first { $0.component == "etcd" } == KubeadmPlan.Change(component: "etcd", current: "3.5.7-0", target: "3.5.9-0"))
  }

  @Test func `extra arguments are a map or a list`() throws {
    let older = try ClusterConfiguration("kubernetesVersion: v1.27.4\nimageRepository: r\napiServer:\n  extraArgs: {audit-log-path: /a}\n")
    let newer = try ClusterConfiguration(
      "kubernetesVersion: v1.31.0\netcd: {external: {}}\napiServer:\n  extraArgs:\n  - {name: audit-log-path, value: /a}\n")
    #expect(older.extraArguments["kube-apiserver"] == ["audit-log-path": "/a"])
    #expect(newer.extraArguments["kube-apiserver"] == ["audit-log-path": "/a"])
    #expect(newer.isEtcdExternal && !older.isEtcdExternal)
  }

  @Test(arguments: [
    (["--advertise-address=1", "--audit-log-path=/a"], ["audit-log-path": "/a"], []),
    (["--advertise-address=1", "--audit-log-path=/a"], [:], ["--audit-log-path=/a"]),
    (["--advertise-address=1"], ["audit-log-path": "/a"], ["lacks --audit-log-path=/a, which kubeadm-config names"]),
    (["--audit-log-path=/b"], ["audit-log-path": "/a"], ["--audit-log-path=/b, where kubeadm-config says /a"]),
    (["--authorization-mode=Node,RBAC"], ["authorization-mode": "RBAC"], []),
  ])
  func `hand edits are what it would not write again`(flags: [String], extra: [String: String], found: [String]) {
    #expect(
      HandEdits.find(ContainerFlags(["kube-apiserver"] + flags), extra: extra, known: HandEdits.known["kube-apiserver"] ?? []) == found)
  }
}
