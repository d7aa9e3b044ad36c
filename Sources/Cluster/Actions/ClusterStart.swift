internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `cluster/start`: the manifests go back into kubelet's directory, kubelet starts, the API server becomes ready; then everyone on this
/// node who watches it starts anew, where revisions run backwards.
struct ClusterStart: Action {
  static let signature = ActionSignature(
    "cluster/start", summary: "put the manifests back, restart kubelet, and wait for the API server",
    inputs: [.undo, ActionInput("timeout", .duration, description: "how long the API server may take to be ready (default 5m)")])
  static let changesCluster = true
  static let stopping = Stopping.waits

  private let undo: String?
  private let timeout: Duration

  init(_ inputs: ActionInputs) throws(Failure) {
    undo = inputs.undo
    timeout = inputs["timeout"].flatMap { Duration(text: $0) } ?? .seconds(300)
  }

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    guard try Files.exists(kubeletRecord(context)) else { return false }
    guard try manifests(context).missing().isEmpty, try Kubelet.isActive(context.machine), isReady(context) else { return false }
    guard try runBackwards(context) else { return true }
    return try WatchHolders(context).left().isEmpty
  }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let names = try manifests(outlook).manifests.map(\.name)
    // In a rollback what goes back in is not out yet.
    let back = names.isEmpty ? try StaticPodFiles.names(outlook.machine) : names
    return Intentions([
      "\(naming(back.sorted(), most: 12)) go back into \(outlook.machine.locate(ControlPlane.manifests))",
      "restarts kubelet, and waits at most \(timeout.forPeople) until the API server is ready",
    ])
  }

  func perform(_ context: StepContext) throws(Failure) {
    try Outage.begin(.start, context)
    let holders = WatchHolders(context)
    let isBackwards = try runBackwards(context)
    if isBackwards { try holders.note() }
    try manifests(context).putIn(context)
    try failpoint("\(context.step)/kubelet.before")
    try Kubelet.systemctl(context.machine, ["daemon-reload"], "cannot start kubelet")
    // One that came up by itself, after a power cut or with a package, may have read files that were not yet put back.
    if try !hasRestarted(context) { try Kubelet.systemctl(context.machine, ["restart", "kubelet"], "cannot start kubelet") }
    try failpoint("\(context.step)/kubelet.after")
    try Files.makeDirectory(context.state.directory(of: context.run), mode: 0o700)
    let kubelet = try Kubelet.process(context.machine)
    try Files.replace(kubeletRecord(context), with: Array(((kubelet?.json ?? [:]).text() + "\n").utf8))
    try waitUntilReady(context)
    try failpoint("\(context.step)/ready.after")
    if isBackwards { try holders.restart() }
    // Where what was moved out has moved back in, its place is empty; one that is not stays.
    for name in ["stopped", "start"] {
      try? Files.removeOwnEmptyDirectory(context.machine.locate("/etc/kubernetes/kguard-\(name)-\(context.run)"))
    }
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    try waitUntilReady(context)
    try context.settleMoves()
    try Outage.end(.start, context)
    let isBackwards = try runBackwards(context)
    return [
      "summary": "the API server is ready", "manifests": JSON(try manifests(context).manifests.map(\.name).sorted()),
      "restarted": JSON(isBackwards ? try WatchHolders(context).names() : []),
      "notRestarted": JSON(isBackwards ? ["kubelets of other nodes", "workloads that watch the API server themselves"] : []),
    ]
  }

  private func manifests(_ context: some StepSight) throws(Failure) -> ManifestsIn {
    try ManifestsIn(context, try RollbackTarget(context, undo: undo), undo: undo != nil)
  }

  /// Written when this run has restarted kubelet, after files and packages were done: whoever runs since then has read them.
  private func kubeletRecord(_ context: StepContext) -> String { context.state.directory(of: context.run) + "/kubelet-started.json" }

  private func hasRestarted(_ context: StepContext) throws(Failure) -> Bool {
    guard try Files.exists(kubeletRecord(context)) else { return false }
    return try Kubelet.isActive(context.machine)
  }

  /// Etcd's data was exchanged by this run or an earlier rollback of the same target, and its revisions were not raised: after an undo
  /// they never are.
  private func runBackwards(_ context: some StepSight) throws(Failure) -> Bool {
    let target = try RollbackTarget(context, undo: undo)
    let runs = undo == nil ? target.rollbacks : [context.run]
    for run in Set(runs + [context.run]) {
      guard try context.artifacts(of: run).contains(where: { $0.kind == EtcdExchange.restoredKind && $0.state != .removed }) else {
        continue
      }
      if try !EtcdExchange.raisedRevisions(context, run: run) { return true }
    }
    return false
  }

  private func isReady(_ context: StepContext) -> Bool {
    (try? ThisNode.api(context.machine, stop: context.stop).health().isOK) == true
  }

  private func waitUntilReady(_ context: StepContext) throws(Failure) {
    let began = monotonicNow()
    var told = began
    var last = "it does not answer"
    let isWell = try context.wait(timeout, every: .milliseconds(250)) { () throws(Failure) in
      if monotonicNow() - told > .seconds(10) {
        told = monotonicNow()
        context.message("waiting for the API server: \(last)")
      }
      do throws(Failure) {
        let health = try ThisNode.api(context.machine, stop: context.stop).health()
        last = health.isOK ? "ready" : "not ready: " + health.failing.joined(separator: ", ")
        return health.isOK
      } catch {
        last = error.why
        throw error
      }
    }
    guard isWell else {
      throw Failure(
        .needsOperator, what: "the API server is not ready after \(timeout.forPeople)", why: last,
        next: "look at etcd and the API server (crictl ps -a; crictl logs ID; journalctl -u kubelet), then run `kguard resume`")
    }
  }
}
