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
    /// Of the newest pod, and of the manifest's image: how often its container was started anew; -1 where there is none.
    let attempts: Int64
    /// How many containers of that pod have ended.
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

    /// A manifest may name its image by tag, by digest, or by both.
    func runs(_ image: String) -> Bool {
      if tags.contains(image) { return true }
      return image.split(separator: "@").count == 2 && image.hasSuffix("@" + digest)
    }
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
        let newest = Self.newest(own, image, images)
        return Component(
          name: name, image: image, running: running.sorted { $0.id < $1.id }, attempts: newest.map(\.attempt).max() ?? -1,
          ended: newest.count { $0.state == .exited })
      })
  }

  /// The containers of the pod that was made last, if they are of this image: those of an earlier pod tell nothing of it.
  static func newest(
    _ containers: [ContainerRuntime.Container], _ image: String, _ images: [ContainerRuntime.Image]
  ) -> [ContainerRuntime.Container] {
    guard let last = containers.max(by: { $0.created < $1.created }) else { return [] }
    return containers.filter { container in
      guard container.podUID == last.podUID else { return false }
      let found = images.first { $0.isImage(of: container) }
      return Running(id: container.id, tags: found?.tags ?? [], digest: found?.digest ?? container.imageRef).runs(image)
    }
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
      return one.runs(component.image) ? [] : ["\(component.name) still runs \(one.tags.first ?? one.digest)"]
    }
  }

  /// What keeps it from being what the baseline has, component by component.
  func differences(from baseline: Baseline) -> [String] {
    let others = components.compactMap { component -> String? in
      let before = baseline.images[component.name]?.split(separator: " ").first.map(String.init)
      guard let before, before != component.image else { return nil }
      return "the manifest of \(component.name) has the image \(component.image), it had \(before)"
    }
    return others + notRunning
  }

  /// What does not run as its manifest says.
  var notRunning: [String] {
    components.compactMap { component in
      guard component.running.count == 1, let one = component.running.first else {
        return component.running.isEmpty
          ? "\(component.name) does not run" : "\(component.running.count) containers of \(component.name) run"
      }
      return one.runs(component.image)
        ? nil : "\(component.name) runs \(one.tags.first ?? one.digest), its manifest says \(component.image)"
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
