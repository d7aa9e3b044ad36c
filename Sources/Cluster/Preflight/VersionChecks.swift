internal import Host
internal import Model
internal import Playbooks

/// From which version to which: what kubeadm and kubelet allow.
enum VersionChecks {
  static func all(_ scene: PreflightScene) -> [Check] {
    let recorded = Result { () throws(Failure) in try ClusterConfiguration.read(try scene.api)?.kubernetesVersion ?? "" }
    let current = (try? recorded.get()).flatMap { KubernetesVersion($0) }
    // On the way down there is no way: what the check `version` refuses, no other gives advice for.
    let target = scene.target.flatMap { target in current.map { target < $0 } == true ? nil : target }
    return [version(scene, recorded), kubelets(scene, target)] + (target.map { [packages(scene, $0)] } ?? [])
  }

  private static func version(_ scene: PreflightScene, _ recorded: Result<String, Failure>) -> Check {
    Check("version") { () throws(Failure) in
      let recorded = try recorded.get()
      let served = try scene.api.version()
      guard let current = KubernetesVersion(recorded), let running = KubernetesVersion(served) else {
        return .fail("kubeadm-config says `\(recorded)`, the API server `\(served)`", remedy: "correct kubernetesVersion in kubeadm-config")
      }
      guard let target = scene.target else { return .pass("the cluster is at \(current)") }
      if let obstacle = current.obstacle(to: target) {
        return .fail(obstacle, remedy: "choose a version from \(current) up to the newest v\(current.major).\(current.minor + 1)")
      }
      if current == target && running == target {
        let left = try left(scene, target)
        if left.isEmpty {
          return .fail("the cluster is at \(target) already", remedy: "there is nothing to upgrade; `kguard backup` takes a bundle of it")
        }
        return .warn("the cluster is at \(target) already, but \(left.joined(separator: ", "))", remedy: "the upgrade does the rest")
      }
      if running != current {
        return .warn(
          "kubeadm-config says \(current), and the API server is \(running)", remedy: "an earlier upgrade ended half way: look at it first")
      }
      return .pass("from \(current) to \(target)")
    }
  }

  /// What an upgrade of a cluster that says to be at the target would still do. Where it is nothing, its bundle would be of the cluster
  /// after the upgrade, and take the place of the one that leads back.
  private static func left(_ scene: PreflightScene, _ target: KubernetesVersion) throws(Failure) -> [String] {
    var left = try ControlPlane.read(scene.machine).differences(from: target)
    left += try ClusterRecords.read(try scene.api).differences(from: target)
    let kubelet = try ThisNode.version(of: "kubelet", scene.machine)
    if kubelet != target, !(try PackageManagers.find(scene.machine, scene.configuration.packages) is NoPackages) {
      left.append("kubelet is \(kubelet)")
    }
    let name = try ThisNode.name(scene.machine)
    let running = try scene.api.nodes().first { $0.name == name }.flatMap { KubernetesVersion($0.kubeletVersion) }
    if let running, running != kubelet { left.append("the kubelet that runs is \(running)") }
    return left
  }

  private static func kubelets(_ scene: PreflightScene, _ target: KubernetesVersion?) -> Check {
    Check("kubelet-skew") { () throws(Failure) in
      let nodes = try scene.api.nodes()
      var server = target
      if server == nil { server = KubernetesVersion(try scene.api.version()) }
      guard let server else { return .fail("the API server does not tell its version", remedy: "see the check version") }
      let wrong = nodes.compactMap { node in
        KubernetesVersion(node.kubeletVersion)?.kubeletObstacle(server: server).map { "\(node.name): \($0)" }
      }
      if wrong.isEmpty { return .pass("\(nodes.count == 1 ? "kubelet" : "\(nodes.count) kubelets") may work with \(server)") }
      return .fail(wrong.joined(separator: "; "), remedy: "upgrade these kubelets first, one minor version after the other")
    }
  }

  private static func packages(_ scene: PreflightScene, _ target: KubernetesVersion) -> Check {
    Check("packages") { () throws(Failure) in
      let manager = try PackageManagers.find(scene.machine, scene.configuration.packages)
      let kubeadm = try ThisNode.version(of: "kubeadm", scene.machine)
      if manager is NoPackages {
        guard kubeadm == target else {
          return .fail(
            "kubeadm is \(kubeadm), and no package manager has installed it here",
            remedy: "install kubeadm \(target) by your own way, then try again")
        }
        let kubelet = try ThisNode.version(of: "kubelet", scene.machine)
        if kubelet == target { return .pass("kubeadm and kubelet are \(target)") }
        return .warn(
          "kubeadm is \(target); kubelet stays at \(kubelet), since no package manager has installed it",
          remedy: "install kubelet \(target) after the upgrade and restart it")
      }
      if kubeadm == target { return .pass("kubeadm is \(target) already, by \(manager.name)") }
      if let exact = try manager.available("kubeadm", target) { return .pass("\(manager.name) offers kubeadm \(exact)") }
      return .warn(
        "\(manager.name) does not list kubeadm \(target); the upgrade will read its lists anew",
        remedy: "add the repository https://pkgs.k8s.io/core:/stable:/v\(target.major).\(target.minor)/ if it is not there")
    }
  }
}
