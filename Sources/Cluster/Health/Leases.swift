internal import Host
internal import Model
internal import YAML

/// The leases that show that controllers and this node's kubelet are alive: they are renewed every few seconds.
struct Leases {
  struct Lease: Equatable {
    let path: String
    /// Whose it is.
    let name: String
  }

  let watched: [Lease]

  init(_ watched: [Lease]) { self.watched = watched }

  /// This node's, and those that the manifests' flags name.
  static func read(_ machine: any Machine, node: String) throws(Failure) -> Leases {
    var found: [Lease] = []
    for component in ["kube-controller-manager", "kube-scheduler"] {
      let manifest = try StaticPodManifest.read(machine, "\(ControlPlane.manifests)/\(component).yaml", program: component)
      if let lease = try election(manifest, machine) { found.append(lease) }
    }
    found.append(Lease(path: path("kube-node-lease", node), name: nodeName(node)))
    return Leases(found)
  }

  private static func path(_ namespace: String, _ name: String) -> String {
    "/apis/coordination.k8s.io/v1/namespaces/\(namespace)/leases/\(name)"
  }

  /// Nil where the component elects no leader, keeps that elsewhere than in a lease, or says it in a file that cannot be read.
  static func election(_ manifest: StaticPodManifest, _ machine: any Machine) throws(Failure) -> Lease? {
    let flags = manifest.flags
    var settings: Node?
    if let file = flags["config"] {
      guard let host = manifest.hostPath(file), let bytes = try? machine.read(host, limit: 1 << 20),
        let node = try? Node.load(String(decoding: bytes, as: UTF8.self), file: host)
      else { return nil }
      settings = node["leaderElection"]
    }
    // A flag comes before the file.
    let isElected = flags.has("leader-elect") ? flags.isOn("leader-elect") : settings?["leaderElect"]?.bool ?? true
    let kind = flags["leader-elect-resource-lock"] ?? settings?["resourceLock"]?.text ?? "leases"
    guard isElected, kind.hasSuffix("leases") else { return nil }
    let namespace = flags["leader-elect-resource-namespace"] ?? settings?["resourceNamespace"]?.text ?? "kube-system"
    let name = flags["leader-elect-resource-name"] ?? settings?["resourceName"]?.text ?? manifest.container
    return Lease(path: path(namespace, name), name: manifest.container)
  }

  /// The leases that are missing or that nobody holds; whether they are renewed shows over a window.
  func problems(_ api: KubernetesAPI) throws(Failure) -> [String] {
    var problems: [String] = []
    for one in watched {
      guard let lease = try api.find(one.path) else {
        problems.append("there is no lease of \(one.name)")
        continue
      }
      if (lease.at("spec", "holderIdentity")?.string ?? "").isEmpty { problems.append("nobody holds the lease of \(one.name)") }
    }
    return problems
  }

  /// When each was renewed last, by its name; those that cannot be read are left out.
  func renewals(_ api: KubernetesAPI) -> [String: String] {
    var found: [String: String] = [:]
    for one in watched { found[one.name] = (try? api.find(one.path))?.at("spec", "renewTime")?.string }
    return found
  }

  /// Of this node's control plane, as it is asked now.
  static func renewals(_ machine: any Machine, stop: StopSignal?) throws(Failure) -> [String: String] {
    try read(machine, node: try ThisNode.name(machine)).renewals(try ThisNode.api(machine, stop: stop))
  }

  static func nodeName(_ node: String) -> String { "the node \(node)" }
}
