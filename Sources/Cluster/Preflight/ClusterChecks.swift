internal import Host
internal import Model

/// What the API server says of the cluster.
enum ClusterChecks {
  static func all(_ scene: PreflightScene) -> [Check] {
    let server = Check("api-server") { () throws(Failure) in
      let health = try scene.api.health("/readyz")
      if health.isOK { return .pass("ready") }
      return .fail(
        "not ready: \(health.failing.joined(separator: ", "))", remedy: "look at its log: crictl logs $(crictl ps -q --name kube-apiserver)"
      )
    }
    return [server, configuration(scene), nodes(scene), pods(scene), clock(scene), budgets(scene)]
  }

  private static func configuration(_ scene: PreflightScene) -> Check {
    Check("kubeadm-config") { () throws(Failure) in
      guard let found = try ClusterConfiguration.read(try scene.api) else {
        return .fail(
          "there is no configmap kubeadm-config in kube-system: this cluster was not made by kubeadm, or it was deleted",
          remedy: "upload it again: kubeadm init phase upload-config kubeadm --config FILE")
      }
      return .pass("kubernetesVersion \(found.kubernetesVersion), \(found.isEtcdExternal ? "external" : "stacked") etcd")
    }
  }

  private static func nodes(_ scene: PreflightScene) -> Check {
    Check("nodes") { () throws(Failure) in
      let nodes = try scene.api.nodes()
      let own = try ThisNode.name(scene.machine)
      guard nodes.contains(where: { $0.name == own }) else {
        return .fail("the cluster does not know this node (\(own))", remedy: "see `kubectl get nodes`, and kubelet's log")
      }
      let unready = nodes.filter { !$0.isReady }
      let grave = unready.filter { $0.isControlPlane || $0.name == own }
      if !grave.isEmpty {
        return .fail(
          "not ready: \(grave.map(\.name).joined(separator: ", "))",
          remedy: "look at `journalctl -u kubelet` there; kubeadm refuses as well")
      }
      // kubeadm's own health check is a Job, which must find a place.
      if !nodes.contains(where: { $0.isReady && $0.isSchedulable }) {
        return .fail("no node takes pods: all are cordoned", remedy: "kubectl uncordon \(own)")
      }
      if !unready.isEmpty {
        return .warn(
          "not ready: \(unready.map(\.name).joined(separator: ", "))", remedy: "look at these nodes; the upgrade does not need them")
      }
      return .pass(nodes.count == 1 ? "\(own) is ready" : "all \(nodes.count) nodes are ready")
    }
  }

  private static func pods(_ scene: PreflightScene) -> Check {
    Check("control-plane-pods") { () throws(Failure) in
      let own = try ThisNode.name(scene.machine)
      let pods = try scene.api.pods(namespace: "kube-system").filter { $0.node == own && $0.owner == "Node" }
      var wrong: [String] = []
      for name in ControlPlane.names {
        guard let pod = pods.first(where: { $0.name == "\(name)-\(own)" }) else {
          wrong.append("\(name) is missing")
          continue
        }
        if !pod.isReady { wrong.append("\(name) is not ready" + (pod.waiting.isEmpty ? "" : " (\(pod.waiting.joined(separator: ", ")))")) }
      }
      let controlPlane = try ControlPlane.read(scene.machine)
      for component in controlPlane.components where component.running.count != 1 {
        wrong.append("\(component.running.count) containers of \(component.name) run")
      }
      if wrong.isEmpty { return .pass("all are ready, by the API server and the container runtime") }
      return .fail(wrong.joined(separator: "; "), remedy: "look at them: crictl ps -a, crictl logs ID")
    }
  }

  /// Leases carry the time of the nodes that renew them. RFC 3339 times in UTC compare as texts.
  private static func clock(_ scene: PreflightScene) -> Check {
    Check("clock") { () throws(Failure) in
      let api = try scene.api
      let leases = try api.items("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases")
      let ready = Set(try api.nodes().filter(\.isReady).map(\.name))
      let now = scene.machine.now()
      let (latest, earliest) = ((now + .seconds(5)).description, (now + .seconds(-90)).description)
      var wrong: [String] = []
      for lease in leases {
        guard let name = lease.at("metadata", "name")?.string, ready.contains(name), let renewed = lease.at("spec", "renewTime")?.string
        else { continue }
        if renewed > latest { wrong.append("\(name) is ahead of this machine's clock (lease \(renewed))") }
        if renewed < earliest { wrong.append("\(name) is behind this machine's clock (lease \(renewed))") }
      }
      if wrong.isEmpty { return .pass("the nodes' leases agree with this machine's clock") }
      return .fail(
        wrong.joined(separator: "; "), remedy: "set the clocks (chronyc tracking, timedatectl), then wait for the leases to be renewed")
    }
  }

  /// A budget that allows nothing blocks a drain for ever.
  private static func budgets(_ scene: PreflightScene) -> Check {
    Check("disruption-budgets") { () throws(Failure) in
      let api = try scene.api
      if try api.nodes().count <= 1 { return .pass("a sole node is not drained") }
      // Before 1.21 there is the beta only.
      let group = try api.find("/apis/policy/v1") == nil ? "v1beta1" : "v1"
      let tight = try api.items("/apis/policy/\(group)/poddisruptionbudgets").filter {
        ($0.at("status", "disruptionsAllowed")?.int ?? 0) < 1 && ($0.at("status", "expectedPods")?.int ?? 0) > 0
      }
      let names = tight.compactMap { budget in
        budget.at("metadata", "name")?.string.map { "\(budget.at("metadata", "namespace")?.string ?? "")/\($0)" }
      }
      if names.isEmpty { return .pass("each allows a disruption") }
      return .warn(
        "these allow none now: \(names.joined(separator: ", "))", remedy: "a drain would wait for them; see `kubectl get pdb -A`")
    }
  }
}
