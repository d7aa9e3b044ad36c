internal import Host
internal import Model
internal import Playbooks

/// One look at everything that an upgrade must leave well.
struct ClusterHealth {
  /// What is not well, in words; empty where all is.
  let problems: [String]
  /// Containers of the control plane and restarts of its pods: whoever is started anew is not healthy for a whole window.
  let lives: [String]

  struct Expectation {
    /// Of the control plane; nil: whatever the manifests say.
    var version: KubernetesVersion?
    /// Of this node's kubelet; nil: that of the installed program.
    var kubelet: KubernetesVersion?
    var baseline: Baseline?
  }

  /// Never throws: what cannot be asked is a problem.
  static func look(_ machine: any Machine, _ configuration: Configuration, _ expected: Expectation, stop: StopSignal) -> ClusterHealth {
    var (problems, lives): ([String], [String]) = ([], [])
    func ask(_ what: String, _ body: () throws(Failure) -> [String]) {
      do throws(Failure) { problems += try body() } catch { problems.append("\(what): \(error.why)") }
    }
    ask("containers") { () throws(Failure) in
      let controlPlane = try ControlPlane.read(machine)
      lives += controlPlane.containers
      return Self.ownProblems(controlPlane, expected.version)
    }
    ask("etcd") { () throws(Failure) in
      let survey = try configuration.etcdCluster(machine, timeout: .seconds(5), stop: stop).survey()
      return survey.warnings.map(\.description) + (survey.leader == 0 ? ["etcd has no leader"] : [])
    }
    ask("kubelet") { () throws(Failure) in
      try Kubelet.isActive(machine) ? [] : ["kubelet does not run on this node"]
    }
    ask("API server") { () throws(Failure) in
      let api = try ThisNode.api(machine, stop: stop)
      let health = try api.health("/readyz")
      guard health.isOK else { return ["the API server is not ready: \(health.failing.joined(separator: ", "))"] }
      return try apiProblems(api, machine, expected, &lives)
    }
    return ClusterHealth(problems: problems, lives: lives)
  }

  private static func ownProblems(_ controlPlane: ControlPlane, _ version: KubernetesVersion?) -> [String] {
    if let version { return controlPlane.differences(from: version) }
    return controlPlane.components.compactMap { component in
      guard component.running.count == 1, let one = component.running.first else {
        return "\(component.running.count) containers of \(component.name) run"
      }
      return one.tags.contains(component.image)
        ? nil : "\(component.name) runs \(one.tags.first ?? one.digest), its manifest says \(component.image)"
    }
  }

  private static func apiProblems(
    _ api: KubernetesAPI, _ machine: any Machine, _ expected: Expectation, _ lives: inout [String]
  ) throws(Failure) -> [String] {
    var problems: [String] = []
    if let version = expected.version {
      let served = try api.version()
      if KubernetesVersion(served) != version { problems.append("the API server says that it is \(served)") }
      problems += try ControlPlane.recorded(api, differsFrom: version)
    }
    let name = try ThisNode.name(machine)
    let nodes = try api.nodes()
    var kubelet = expected.kubelet
    if kubelet == nil { kubelet = try ThisNode.version(of: "kubelet", machine) }
    problems += nodeProblems(nodes, name, kubelet, expected.baseline)
    let pods = try api.pods(namespace: "kube-system")
    for component in ["etcd"] + ControlPlane.names {
      let mirrors = pods.filter { $0.node == name && $0.owner == "Node" && $0.name == "\(component)-\(name)" }
      if component == "etcd" && mirrors.isEmpty { continue }
      guard let pod = mirrors.first else {
        problems.append("the pod of \(component) is missing")
        continue
      }
      lives.append("\(pod.name) \(pod.restarts)")
      if !pod.isReady {
        problems.append("the pod \(pod.name) is not ready" + (pod.waiting.isEmpty ? "" : " (\(pod.waiting.joined(separator: ", ")))"))
      }
    }
    problems += try leaseProblems(api, name)
    problems += workloadProblems(try Workload.all(api), expected.baseline)
    return problems
  }

  static func nodeProblems(_ nodes: [KubernetesNode], _ own: String, _ kubelet: KubernetesVersion?, _ baseline: Baseline?) -> [String] {
    var problems: [String] = []
    guard let here = nodes.first(where: { $0.name == own }) else { return ["the node \(own) is missing"] }
    if let kubelet, KubernetesVersion(here.kubeletVersion) != kubelet {
      problems.append("the node \(own) says that its kubelet is \(here.kubeletVersion), not \(kubelet)")
    }
    let before = Dictionary((baseline?.nodes ?? []).map { ($0.name, $0) }) { $1 }
    for node in nodes where !node.isReady && before[node.name]?.isReady != false { problems.append("the node \(node.name) is not ready") }
    for (name, _) in before where !nodes.contains(where: { $0.name == name }) { problems.append("the node \(name) is gone") }
    return problems.sorted()
  }

  /// Workloads of the system, and those of the baseline, are as ready as before.
  static func workloadProblems(_ now: [Workload], _ baseline: Baseline?) -> [String] {
    let before = Dictionary((baseline?.workloads ?? []).map { ($0.title, $0) }) { $1 }
    let present = Set(now.map(\.title))
    var problems = before.keys.filter { !present.contains($0) }.sorted().map { "\($0) is gone" }
    for workload in now {
      let isSystem = workload.namespace == "kube-system"
      guard let wanted = before[workload.title].map({ min($0.ready, workload.desired) }) ?? (isSystem ? workload.desired : nil) else {
        continue
      }
      if workload.ready < wanted { problems.append("\(workload.title) has \(workload.ready) of \(wanted) pods ready") }
    }
    return problems
  }

  /// The leases of leader election and of this node are held; whether they are renewed shows over the window.
  private static func leaseProblems(_ api: KubernetesAPI, _ node: String) throws(Failure) -> [String] {
    var problems: [String] = []
    for (path, name) in Leases.watched(node) {
      guard let lease = try api.find(path) else {
        problems.append("there is no lease of \(name)")
        continue
      }
      if (lease.at("spec", "holderIdentity")?.string ?? "").isEmpty { problems.append("nobody holds the lease of \(name)") }
    }
    return problems
  }
}

/// The leases that show that controllers and this node's kubelet are alive: they are renewed every few seconds.
enum Leases {
  static func watched(_ node: String) -> [(path: String, name: String)] {
    let base = "/apis/coordination.k8s.io/v1/namespaces/"
    return [
      (base + "kube-system/leases/kube-controller-manager", "kube-controller-manager"),
      (base + "kube-system/leases/kube-scheduler", "kube-scheduler"), (base + "kube-node-lease/leases/\(node)", "the node \(node)"),
    ]
  }

  /// When each was renewed last, by its name; those that cannot be read are left out.
  static func renewals(_ api: KubernetesAPI, _ node: String) -> [String: String] {
    var found: [String: String] = [:]
    for (path, name) in watched(node) { found[name] = (try? api.find(path))?.at("spec", "renewTime")?.string }
    return found
  }
}
