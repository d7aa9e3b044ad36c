internal import Host
internal import Model
internal import Playbooks

/// One look at everything that an upgrade must leave well.
struct ClusterHealth {
  private(set) var problems: [HealthProblem]
  /// Nodes and workloads of the baseline that somebody deleted since.
  let gone: [String]
  /// Containers of the control plane and restarts of its pods: whoever is started anew is not healthy for a whole window.
  let lives: [String]

  /// Those that say that the control plane or the cluster is not well.
  var decisive: [String] { problems.filter { $0.weight != .reported }.map(\.words) }
  var reported: [String] { problems.filter { $0.weight == .reported }.map(\.words) }

  mutating func add(_ more: [HealthProblem]) { problems += more }

  struct Expectation {
    enum Versions {
      /// Whatever the manifests say.
      case manifests
      /// All of the control plane, kube-proxy and kubeadm-config at one version.
      case all(KubernetesVersion)
      /// What the baseline has of each. `records`: what lives in etcd, too.
      case before(Baseline, records: Bool)
    }

    enum KubeletVersion {
      case installed
      case exactly(KubernetesVersion)
      case any
    }

    var versions = Versions.manifests
    /// Of this node.
    var kubelet = KubeletVersion.installed
    var baseline: Baseline?
  }

  /// Never throws: what cannot be asked is a problem.
  static func look(_ machine: any Machine, _ configuration: Configuration, _ expected: Expectation, stop: StopSignal?) -> ClusterHealth {
    var (readiness, lives) = (Readiness(), [String]())
    func ask(_ what: String, _ body: () throws(Failure) -> [String]) {
      do throws(Failure) {
        readiness.problems += try body().map { HealthProblem(.controlPlane, $0) }
      } catch {
        readiness.problems.append(HealthProblem(.controlPlane, "\(what): \(error.why)"))
      }
    }
    ask("containers") { () throws(Failure) in
      let controlPlane = try ControlPlane.read(machine)
      lives += controlPlane.containers
      return switch expected.versions {
      case .manifests: controlPlane.notRunning
      case .all(let version): controlPlane.differences(from: version)
      case .before(let baseline, _): controlPlane.differences(from: baseline)
      }
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
      readiness = readiness + (try compared(api, machine, expected))
      return try apiProblems(api, machine, expected, &lives)
    }
    return ClusterHealth(problems: readiness.problems, gone: readiness.gone, lives: lives)
  }

  private static func apiProblems(
    _ api: KubernetesAPI, _ machine: any Machine, _ expected: Expectation, _ lives: inout [String]
  ) throws(Failure) -> [String] {
    var problems: [String] = []
    switch expected.versions {
    case .manifests, .before(_, records: false): break
    case .all(let version):
      let served = try api.version()
      if KubernetesVersion(served) != version { problems.append("the API server says that it is \(served)") }
      problems += try ClusterRecords.read(api).differences(from: version)
    case .before(let baseline, records: true): problems += try ClusterRecords.read(api).differences(from: baseline)
    }
    let name = try ThisNode.name(machine)
    let pods = try api.pods(on: name).filter { $0.namespace == "kube-system" && $0.owner == "Node" }
    for component in ["etcd"] + ControlPlane.names {
      guard let pod = pods.first(where: { $0.name == "\(component)-\(name)" }) else {
        if component != "etcd" { problems.append("the pod of \(component) is missing") }
        continue
      }
      lives.append("\(pod.name) \(pod.restarts)")
      if !pod.isReady {
        problems.append("the pod \(pod.name) is not ready" + (pod.waiting.isEmpty ? "" : " (\(pod.waiting.joined(separator: ", ")))"))
      }
    }
    return problems + (try Leases.read(machine, node: name).problems(api))
  }

  /// Nodes and workloads, against the baseline.
  private static func compared(_ api: KubernetesAPI, _ machine: any Machine, _ expected: Expectation) throws(Failure) -> Readiness {
    let name = try ThisNode.name(machine)
    let nodes = try api.nodes()
    var kubelet: KubernetesVersion?
    switch expected.kubelet {
    case .installed: kubelet = try ThisNode.version(of: "kubelet", machine)
    case .exactly(let version): kubelet = version
    case .any: break
    }
    return Readiness.nodes(nodes, own: name, kubelet: kubelet, expected.baseline)
      + Readiness.workloads(
        try Workload.all(api), daemons: Workload.daemons(try api.pods(on: name)), nodes: nodes, expected.baseline)
  }
}
