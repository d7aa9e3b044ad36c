internal import Engine
internal import Host
internal import Model

/// Takes the control plane of this node down for good: kubelet is told by moving the manifests out, and believed only when the
/// container runtime, the kernel and etcd's lock say so too.
struct ControlPlaneStop {
  let context: StepContext
  let site: ControlPlaneSite
  private let node: String?
  private let runtime: ContainerRuntime

  /// How long kubelet may take over the containers' own grace periods before they are stopped through the runtime.
  static let patience = Duration.seconds(90)

  init(_ context: StepContext, _ target: RollbackTarget) throws(Failure) {
    self.context = context
    site = try ControlPlaneSite.read(context, target)
    node = try? ThisNode.name(context.machine)
    runtime = ContainerRuntime(context.machine)
  }

  /// What is not down yet, in words; empty where all is.
  func left() throws(Failure) -> [String] {
    var words = try StaticPodFiles.names(context.machine).map { "the manifest \($0) is in place" }
    if try Kubelet.isActive(context.machine) { words.append("kubelet runs") }
    words += try running().map { "\($0.name) runs (\($0.id.prefix(13)))" }
    words += try leftBelow()
    return words
  }

  /// What the kernel says: sockets and the lock.
  private func leftBelow() throws(Failure) -> [String] {
    var words = try site.open().map { "somebody listens on \($0)" }
    if let data = site.data, try Files.isLocked(data + "/member/snap/db") { words.append("a process holds etcd's database") }
    return words
  }

  /// For the steps after the stop: a reboot may have come between, and kubelet is enabled; somebody may have started something.
  func ensure() throws(Failure) {
    let found = try left()
    if found.isEmpty { return }
    context.message("not stopped any more: \(found[0])" + (found.count > 1 ? " and \(found.count - 1) more" : "") + "; it is stopped again")
    try run()
  }

  func run() throws(Failure) {
    // An API server that outlives etcd by a moment is harmless; one that outlives a swap writes its cache into the restored data.
    let names = try StaticPodFiles.names(context.machine)
    let etcd = names.filter(isEtcd)
    try takeOut(names.filter { !etcd.contains($0) })
    try waitUntilGone("the API server and its clients") { $0.name != "etcd" }
    try takeOut(etcd)
    try waitUntilGone("etcd") { _ in true }
    try failpoint("\(context.step)/kubelet.before")
    try stopKubelet()
    try failpoint("\(context.step)/kubelet.after")
    try stopThroughRuntime { _ in true }
    try failpoint("\(context.step)/containers.after")
    try waitForKernel()
  }

  private func isEtcd(_ name: String) -> Bool {
    let manifest = try? StaticPodManifest.read(context.machine, "\(ControlPlane.manifests)/\(name)")
    return manifest.map { $0.container == "etcd" } ?? name.contains("etcd")
  }

  private func takeOut(_ names: [String]) throws(Failure) {
    for name in names {
      try context.move(
        StaticPodFiles.outKind, StaticPodFiles.path(context.machine, name), to: "\(StaticPodFiles.out(context))/\(name)",
        label: "manifest-out-\(name)", detail: ["name": .string(name)])
    }
  }

  private func running() throws(Failure) -> [ContainerRuntime.Container] {
    try runtime.containers().filter { site.owns($0, node: node) }
  }

  /// kubelet ends the containers of a manifest that is gone. Two of the same name may run for a moment: each is told by its id.
  private func waitUntilGone(_ what: String, _ isMeant: (ContainerRuntime.Container) -> Bool) throws(Failure) {
    let isTended = try Kubelet.isActive(context.machine)
    if !isTended { context.message("kubelet does not run: \(what) is stopped through the container runtime") }
    let end = monotonicNow() + (isTended ? Self.patience : .zero)
    var told = Duration.zero
    while true {
      let left = try running().filter(isMeant)
      if left.isEmpty { return }
      if monotonicNow() >= end { break }
      if monotonicNow() - told > .seconds(10) {
        told = monotonicNow()
        context.message("waiting for " + left.map { "\($0.name) (\($0.id.prefix(13)))" }.joined(separator: ", "))
      }
      try context.sleep(.milliseconds(250))
    }
    try stopThroughRuntime(isMeant)
  }

  private func stopKubelet() throws(Failure) {
    try Kubelet.systemctl(context.machine, ["stop", "kubelet"], "cannot stop kubelet")
    guard try context.wait(.seconds(30), until: { () throws(Failure) in try !Kubelet.isActive(context.machine) }) else {
      throw Failure(
        what: "cannot stop kubelet", why: "it is still active", next: "look at `systemctl status kubelet`, then `kguard resume`")
    }
  }

  private func stopThroughRuntime(_ isMeant: (ContainerRuntime.Container) -> Bool) throws(Failure) {
    for container in try running().filter(isMeant) {
      context.message("stopping \(container.name) (\(container.id.prefix(13))) through the container runtime")
      try runtime.stop(container.id)
    }
    let isGone = try context.wait(.seconds(30), every: .milliseconds(250)) { () throws(Failure) in try running().filter(isMeant).isEmpty }
    if isGone { return }
    let left = try running().filter(isMeant)
    if left.isEmpty { return }
    throw Failure(
      what: "the control plane does not stop", why: left.map { "\($0.name) (\($0.id)) runs" }.joined(separator: "; "),
      next: "stop them (crictl stop ID; crictl rm -f ID), then run `kguard resume`")
  }

  private func waitForKernel() throws(Failure) {
    if try context.wait(.seconds(30), every: .milliseconds(100), until: { () throws(Failure) in try leftBelow().isEmpty }) { return }
    throw Failure(
      what: "the control plane has not let go", why: try leftBelow().joined(separator: "; "),
      next: "find the process (ss -ltnp; fuser on etcd's db) and end it, then run `kguard resume`")
  }
}

extension ContainerRuntime {
  /// SIGTERM, and SIGKILL fifteen seconds later. One that is gone already is as good.
  func stop(_ id: String) throws(Failure) {
    let result = try machine.run(["crictl", "stop", "-t", "15", id], timeout: .seconds(60))
    if result.end.isSuccess || result.errorText.lowercased().contains("not found") { return }
    throw Failure(
      what: "cannot stop the container \(id)", why: result.lastWords, next: "stop it (crictl stop \(id)), then run `kguard resume`",
      isTransient: true)
  }
}
