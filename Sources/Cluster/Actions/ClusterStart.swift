internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `cluster/start`: the manifests go back into kubelet's directory, kubelet starts, the API server becomes ready; then everyone on this
/// node who watches it starts anew, where revisions run backwards.
struct ClusterStart: Action {
  static let signature = ActionSignature(
    "cluster/start", summary: "put the manifests back, start kubelet, and wait for the API server",
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
    guard try manifests(context).missing().isEmpty, try Kubelet.isActive(context.machine), isReady(context) else { return false }
    guard try runBackwards(context) else { return true }
    return try WatchHolders(context).left().isEmpty
  }

  func perform(_ context: StepContext) throws(Failure) {
    try Outage.begin(.start, context)
    let holders = WatchHolders(context)
    let isBackwards = try runBackwards(context)
    if isBackwards { try holders.note() }
    try manifests(context).putIn()
    try failpoint("\(context.step)/kubelet.before")
    try Kubelet.systemctl(context.machine, ["daemon-reload"], "cannot start kubelet")
    try Kubelet.systemctl(context.machine, ["start", "kubelet"], "cannot start kubelet")
    try failpoint("\(context.step)/kubelet.after")
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

  private func manifests(_ context: StepContext) throws(Failure) -> ManifestsIn {
    try ManifestsIn(context, try RollbackTarget(context, undo: undo), undo: undo != nil)
  }

  /// Etcd's data was exchanged, and its revisions were not raised: after an undo they never are.
  private func runBackwards(_ context: StepContext) throws(Failure) -> Bool {
    let mine = try context.artifacts(of: context.run)
    guard mine.contains(where: { $0.kind == EtcdExchange.restoredKind }) else { return false }
    return try !EtcdExchange.raisedRevisions(context)
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
