internal import Host
internal import Model

/// The control plane of this node as three witnesses see it: the manifests, the container runtime, and kubeadm's own record.
struct ControlPlane {
  struct Component: Equatable {
    let name: String
    /// In the manifest: `registry.k8s.io/kube-apiserver:v1.28.0`.
    let image: String
    /// What runs under that name now.
    let running: [Running]
    /// How often its newest container was started anew; -1 where there is none.
    let attempts: Int64
    /// The ids of containers that have ended.
    let ended: Int

    var version: KubernetesVersion? { Self.version(image) }

    static func version(_ image: String) -> KubernetesVersion? {
      guard let colon = image.prefix(while: { $0 != "@" }).lastIndex(of: ":") else { return nil }
      return KubernetesVersion(image[image.index(after: colon)...].prefix { $0 != "@" })
    }
  }

  struct Running: Equatable {
    let id: String
    let tags: [String]
    let digest: String
  }

  static let names = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]
  static let manifests = "/etc/kubernetes/manifests"

  let components: [Component]

  /// Manifests and containers; the API server is not asked.
  static func read(_ machine: any Machine) throws(Failure) -> ControlPlane {
    var manifests: [(String, String)] = []
    for name in names {
      manifests.append((name, try StaticPodManifest.read(machine, "\(Self.manifests)/\(name).yaml", program: name).image))
    }
    let runtime = ContainerRuntime(machine)
    let (containers, images) = (try runtime.containers(), try runtime.images())
    return ControlPlane(
      components: manifests.map { name, image in
        let own = containers.filter { $0.name == name && $0.namespace == "kube-system" }
        let running = own.filter { $0.state == .running }.map { container in
          let found = images.first { $0.isImage(of: container) }
          return Running(id: container.id, tags: found?.tags ?? [], digest: found?.digest ?? container.imageRef)
        }
        return Component(
          name: name, image: image, running: running.sorted { $0.id < $1.id }, attempts: own.map(\.attempt).max() ?? -1,
          ended: own.count { $0.state == .exited })
      })
  }

  /// Versions in the manifests, without asking anything but files.
  static func manifestVersions(_ machine: any Machine) throws(Failure) -> [String: KubernetesVersion] {
    var versions: [String: KubernetesVersion] = [:]
    for name in names {
      let manifest = try StaticPodManifest.read(machine, "\(manifests)/\(name).yaml", program: name)
      versions[name] = Component.version(manifest.image)
    }
    return versions
  }

  /// What keeps the control plane from being at `version`, in words; empty where manifests and containers say that it is.
  func differences(from version: KubernetesVersion) -> [String] {
    components.flatMap { component -> [String] in
      if component.version != version { return ["the manifest of \(component.name) has the image \(component.image)"] }
      guard let one = component.running.first else { return ["\(component.name) does not run"] }
      if component.running.count > 1 { return ["\(component.running.count) containers of \(component.name) run"] }
      return one.tags.contains(component.image) ? [] : ["\(component.name) still runs \(one.tags.first ?? one.digest)"]
    }
  }

  /// The containers that run, to tell later whether one was started anew.
  var containers: [String] { components.flatMap { $0.running.map(\.id) } }

  var json: JSON {
    var members = JSON.Members()
    for component in components {
      members[component.name] = ["image": .string(component.image), "digest": JSON(component.running.first?.digest)]
    }
    return .object(members)
  }
}

extension ControlPlane {
  /// kube-proxy's daemonset and kubeadm's record of the cluster's version, from the API server.
  static func recorded(_ api: KubernetesAPI, differsFrom version: KubernetesVersion) throws(Failure) -> [String] {
    var words: [String] = []
    guard let configuration = try ClusterConfiguration.read(api) else { return ["there is no kubeadm-config"] }
    if KubernetesVersion(configuration.kubernetesVersion) != version {
      words.append("kubeadm-config says \(configuration.kubernetesVersion)")
    }
    // Some clusters do without kube-proxy.
    if let proxy = try api.find("/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy") {
      let image = proxy.at("spec", "template", "spec", "containers")?[0]?["image"]?.string ?? ""
      if Component.version(image) != version { words.append("kube-proxy has the image \(image)") }
    }
    return words
  }
}
