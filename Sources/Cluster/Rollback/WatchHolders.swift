internal import Engine
internal import Host
internal import Model

/// Programs that hold watches on the API server. Where a restore could not raise etcd's revisions, they go on believing what they saw
/// before, for hours; only a restart makes them read anew.
struct WatchHolders {
  /// Where kube-proxy, CoreDNS and the usual network plugins live.
  static let namespaces: Set<String> = [
    "kube-system", "kube-flannel", "calico-system", "calico-apiserver", "tigera-operator", "cilium", "kube-router", "weave",
  ]

  let context: StepContext
  private let file: String

  init(_ context: StepContext) {
    self.context = context
    file = context.state.directory(of: context.run) + "/watch-holders.json"
  }

  /// Writes down who has to be restarted, once: who was started after that needs no restart.
  func note() throws(Failure) {
    if try Files.exists(file) { return }
    let found = try ContainerRuntime(context.machine).containers().filter {
      $0.state == .running && Self.namespaces.contains($0.namespace) && !ControlPlaneSite.components.contains($0.name)
    }
    try Files.makeDirectory(Files.directory(of: file), mode: 0o700)
    let json: JSON = .array(found.map { ["id": .string($0.id), "name": .string($0.name)] })
    try Files.replace(file, with: Array(json.text(pretty: true).utf8))
  }

  /// Those that were noted and still run.
  func left() throws(Failure) -> [ContainerRuntime.Container] {
    let noted = try noted()
    if noted.isEmpty { return [] }
    return try ContainerRuntime(context.machine).containers().filter { $0.state == .running && noted[$0.id] != nil }
  }

  func names() throws(Failure) -> [String] { Set(try noted().values).sorted() }

  func restart() throws(Failure) {
    for container in try left() {
      context.message("restarting \(container.name), which watches the API server")
      try failpoint("\(context.step)/watcher-\(container.name).before")
      try ContainerRuntime(context.machine).stop(container.id)
    }
  }

  private func noted() throws(Failure) -> [String: String] {
    guard let text = try Files.textIfPresent(file) else { return [:] }
    let entries = (try JSON(parsing: text)).array ?? []
    return Dictionary(entries.compactMap { entry in entry["id"]?.string.map { ($0, entry["name"]?.string ?? "") } }) { $1 }
  }
}
