internal import Host
internal import Model

/// Which kind of node this is. Only the one control-plane node of a cluster made by kubeadm is upgraded for now.
enum RoleChecks {
  static func all(_ scene: PreflightScene) -> [Check] { [controlPlane(scene), sole(scene)] }

  /// The one check that says that there is no control plane on this node at all; nil where there is one, or part of one.
  static func stranger(_ scene: PreflightScene) -> Check? {
    // A control plane that a rollback or a person has stopped has its manifests elsewhere, and is one all the same.
    let check = controlPlane(scene)
    return check.result == .fail && (try? isElsewhere(scene)) == true ? check : nil
  }

  private static func isElsewhere(_ scene: PreflightScene) throws(Failure) -> Bool {
    guard try missing(scene).count == ControlPlane.names.count else { return false }
    return try scene.machine.info(ownCertificate) == nil
  }

  /// A worker has none, though it may have a copy of admin.conf.
  private static let ownCertificate = "/etc/kubernetes/pki/apiserver.crt"

  private static func missing(_ scene: PreflightScene) throws(Failure) -> [String] {
    var missing: [String] = []
    for name in ControlPlane.names where try scene.machine.info("\(ControlPlane.manifests)/\(name).yaml") == nil { missing.append(name) }
    return missing
  }

  private static func controlPlane(_ scene: PreflightScene) -> Check {
    Check("control-plane") { () throws(Failure) in
      let missing = try missing(scene)
      if missing.count == ControlPlane.names.count {
        guard try scene.machine.info(ownCertificate) == nil else {
          return .fail(
            "\(ControlPlane.manifests) has no manifests, but this node has \(ownCertificate): its control plane is stopped",
            remedy: "where a rollback was cut short, `kguard resume` goes on with it; else put the manifests back")
        }
        let isWorker = try scene.machine.info(ThisNode.kubeletConfig) != nil
        return .fail(
          isWorker
            ? "this is a worker: \(ControlPlane.manifests) has no control plane"
            : "this is no node of kubeadm: there is no \(ThisNode.kubeletConfig)",
          remedy: isWorker
            ? "upgrade the control-plane node first, then this one with `kubeadm upgrade node`; kguard does not do that yet"
            : "run kguard on a control-plane node made by kubeadm")
      }
      if !missing.isEmpty {
        return .fail(
          "the manifests of \(missing.joined(separator: ", ")) are missing",
          remedy: "put them back; kubeadm's own backups are in /etc/kubernetes/tmp")
      }
      guard try scene.machine.info(KubeConfig.admin) != nil else {
        return .fail("\(KubeConfig.admin) is missing", remedy: "make it with `kubeadm init phase kubeconfig admin`")
      }
      return .pass("the control plane runs as static pods of kubeadm")
    }
  }

  private static func sole(_ scene: PreflightScene) -> Check {
    Check("sole-control-plane") { () throws(Failure) in
      let api = try scene.api
      let others = try api.nodes().filter(\.isControlPlane).map(\.name)
      let own = try ThisNode.name(scene.machine)
      let manifests = try ControlPlane.manifestVersions(scene.machine).values.min()
      if let recorded = try ClusterConfiguration.read(api).flatMap({ KubernetesVersion($0.kubernetesVersion) }), let manifests,
        manifests < recorded, others.contains(where: { $0 != own })
      {
        return .fail(
          "the cluster is at \(recorded) already and this node at \(manifests): it is a second control-plane node",
          remedy: "upgrade it with `kubeadm upgrade node`; kguard does not do that yet")
      }
      if others.count > 1 {
        return .fail(
          "the cluster has \(others.count) control-plane nodes (\(others.sorted().joined(separator: ", ")))",
          remedy: "kguard can put etcd back on one node only, for now; upgrade such a cluster by kubeadm's own guide")
      }
      return .pass("\(own) is the only control-plane node")
    }
  }
}
