internal import Bundles
internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// What has to be known of this node's control plane while its manifests are away: kept in a file of the target's, since the next
/// rollback may begin with the manifests moved out already.
struct ControlPlaneSite: Equatable {
  struct Socket: Hashable {
    let host: String
    let port: UInt16
  }

  /// Names of the static pods, as their manifests have them.
  var pods: Set<String> = []
  /// Where etcd and the API server listen.
  var sockets: Set<Socket> = []
  /// etcd's data directory, where it really is; nil where etcd is external.
  var data: String?

  static let components: Set<String> = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]

  /// The manifests as they are now, and what was seen before.
  static func read(_ context: StepContext, _ target: RollbackTarget) throws(Failure) -> ControlPlaneSite {
    let (site, known) = (try look(context, target), try seen(context, target))
    if site != known {
      let path = record(context, target)
      try Files.makeDirectory(Files.directory(of: path), mode: 0o700)
      try Files.replace(path, with: Array(site.json.text(pretty: true).utf8))
    }
    return site
  }

  /// The same, and nothing is kept.
  static func look(_ context: some StepSight, _ target: RollbackTarget) throws(Failure) -> ControlPlaneSite {
    var site = try seen(context, target)
    try site.addManifests(context)
    if let plan = try target.stagingPlan(context) { site.data = plan.live }
    // A manifest that lies beside another's etcd is not what this control plane uses.
    if let bundle = try target.bundle(context), bundle.etcd["stacked"]?.bool == false { site.data = nil }
    return site
  }

  private static func record(_ context: some StepSight, _ target: RollbackTarget) -> String {
    context.state.directory(of: target.run) + "/site.json"
  }

  private static func seen(_ context: some StepSight, _ target: RollbackTarget) throws(Failure) -> ControlPlaneSite {
    var site = ControlPlaneSite()
    if let text = try Files.textIfPresent(record(context, target)), let json = try? JSON(parsing: text) { site.add(json) }
    return site
  }

  private mutating func addManifests(_ context: some StepSight) throws(Failure) {
    for name in try StaticPodFiles.names(context.machine) {
      // A stray file that is no pod is moved out too; what it would run is not known.
      guard let manifest = try? StaticPodManifest.read(context.machine, "\(ControlPlane.manifests)/\(name)") else { continue }
      pods.insert(manifest.name)
      switch manifest.container {
      case "kube-apiserver":
        let port = manifest.flags["secure-port"].flatMap { UInt16($0) } ?? 6443
        sockets.insert(Socket(host: manifest.flags["bind-address"] ?? "", port: port))
      case "etcd":
        for url in manifest.flags.list("listen-client-urls") + manifest.flags.list("listen-peer-urls") {
          if let socket = Self.socket(url) { sockets.insert(socket) }
        }
        guard data == nil, let etcd = try? EtcdManifest(manifest) else { continue }
        let directory = try context.settings.etcd.dataDir ?? etcd.dataDirectory
        data = Files.real(context.machine.locate(directory)) ?? context.machine.locate(directory)
      default: break
      }
    }
  }

  /// `https://127.0.0.1:2379`
  static func socket(_ url: String) -> Socket? {
    guard let scheme = url.firstIndex(of: ":"), url[scheme...].hasPrefix("://") else { return nil }
    let rest = url[url.index(scheme, offsetBy: 3)...].prefix { $0 != "/" }
    guard let colon = rest.lastIndex(of: ":"), let port = UInt16(rest[rest.index(after: colon)...]) else { return nil }
    return Socket(host: String(rest[..<colon]), port: port)
  }

  /// The sockets on which somebody still listens.
  func open() throws(Failure) -> [String] {
    let listeners = try Listeners.now()
    return sockets.filter { listeners.holds($0.host, $0.port) }.map { "\($0.host.isEmpty ? "*" : $0.host):\($0.port)" }.sorted()
  }

  /// True where a container belongs to the control plane, or to another of the pods that were moved out.
  func owns(_ container: ContainerRuntime.Container, node: String?) -> Bool {
    guard container.state == .running || container.state == .created else { return false }
    if container.namespace == "kube-system" && Self.components.contains(container.name) { return true }
    guard let node else { return false }
    return pods.contains { container.pod == "\($0)-\(node)" }
  }

  private var json: JSON {
    [
      "pods": JSON(pods.sorted()), "data": JSON(data),
      "sockets": .array(
        sockets.sorted { ($0.port, $0.host) < ($1.port, $1.host) }.map { ["host": .string($0.host), "port": .int(Int64($0.port))] }),
    ]
  }

  private mutating func add(_ json: JSON) {
    pods.formUnion((json["pods"]?.array ?? []).compactMap(\.string))
    data = json["data"]?.string ?? data
    for entry in json["sockets"]?.array ?? [] {
      guard let host = entry["host"]?.string, let port = entry["port"]?.int.flatMap({ UInt16(exactly: $0) }) else { continue }
      sockets.insert(Socket(host: host, port: port))
    }
  }
}

/// The files that kubelet runs: every file of the manifests directory that does not begin with a dot, whatever it is called.
enum StaticPodFiles {
  static func names(_ machine: any Machine) throws(Failure) -> [String] {
    guard try machine.info(ControlPlane.manifests) != nil else { return [] }
    var names: [String] = []
    for name in try machine.list(ControlPlane.manifests) where !name.hasPrefix(".") {
      // kubelet follows links; what is gone meanwhile is no file.
      guard let info = try machine.info("\(ControlPlane.manifests)/\(name)", followLinks: false), info.kind != .directory else { continue }
      names.append(name)
    }
    return names
  }

  static func path(_ machine: any Machine, _ name: String) -> String { machine.locate("\(ControlPlane.manifests)/\(name)") }

  /// Where a run puts what it takes out: beside the manifests directory, never in it.
  static func out(_ context: some StepSight) -> String { context.machine.locate("/etc/kubernetes/kguard-stopped-\(context.run)") }

  static let outKind = "manifest-out"
  static let inKind = "manifest-in"
}
