internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `node/drain`: moves the pods away before kubelet changes. On a sole node there is nowhere to go, and nothing is done.
struct NodeDrain: Action {
  static let signature = ActionSignature(
    "node/drain", summary: "cordon the node and evict its pods, within their disruption budgets; not on a sole node",
    inputs: [ActionInput("patience", .duration, description: "how long evictions may take (default 5m)")])
  static let changesCluster = true

  let patience: Duration

  init(_ inputs: ActionInputs) throws(Failure) { patience = inputs["patience"].flatMap { Duration(text: $0) } ?? .seconds(300) }

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    let view = try NodeView(context)
    return view.isSole || (view.isCordoned && view.evictable.isEmpty)
  }

  func perform(_ context: StepContext) throws(Failure) {
    var view = try NodeView(context)
    if view.isSole { return }
    let writes = try KubernetesWrites(context.machine, stop: context.stop)
    try failpoint("node-drain/cordon.before")
    if !view.isCordoned {
      try context.artifact("cordon", "node/\(view.name)", .planned)
      try writes.setSchedulable(false, node: view.name)
      try context.artifact("cordon", "node/\(view.name)", .present)
    }
    try failpoint("node-drain/cordon.after")
    let end = monotonicNow() + patience
    var reasons: [String: String] = [:]
    while true {
      view = try NodeView(context)
      if view.evictable.isEmpty { return }
      if monotonicNow() >= end { throw stuck(view, reasons) }
      for pod in view.evictable {
        if case .later(let why) = try writes.evict(namespace: pod.namespace, pod: pod.name) {
          reasons[pod.namespace + "/" + pod.name] = why
        }
      }
      context.message("\(view.evictable.count) pods are leaving")
      try context.sleep(.seconds(2))
    }
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let view = try NodeView(context)
    if view.isSole {
      return ["drained": false, "node": .string(view.name), "summary": "not drained: it is the only node that could take the pods"]
    }
    guard view.isCordoned, view.evictable.isEmpty else { throw stuck(view, [:]) }
    return ["drained": true, "node": .string(view.name), "summary": .string("\(view.name) is cordoned and empty")]
  }

  var undo: (@Sendable (StepContext) throws(Failure) -> Void)? {
    { (context) throws(Failure) in try NodeUncordon.uncordonIfOurs(context) }
  }

  private func stuck(_ view: NodeView, _ reasons: [String: String]) -> Failure {
    let names = view.evictable.prefix(5).map { $0.namespace + "/" + $0.name }
    let why = names.map { name in name + (reasons[name].map { " (\($0))" } ?? "") }.joined(separator: ", ")
    return Failure(
      what: "the node \(view.name) is not drained", why: "still there after \(patience.forPeople): \(why)",
      next: "see what its disruption budget waits for: kubectl get pdb -A; then `kguard resume`")
  }
}

/// This node and its pods, as a drain looks at them.
struct NodeView {
  let name: String
  let isCordoned: Bool
  /// No other node could take its pods.
  let isSole: Bool
  /// Neither static nor of a daemonset, nor ended already.
  let evictable: [KubernetesPod]

  init(_ context: StepContext) throws(Failure) {
    name = try ThisNode.name(context.machine)
    let api = try ThisNode.api(context.machine, timeout: .seconds(20), stop: context.stop)
    let nodes = try api.nodes()
    let own = name
    isCordoned = nodes.first { $0.name == own }?.isSchedulable == false
    isSole = !nodes.contains { $0.name != own && $0.isReady && $0.isSchedulable }
    evictable = try api.items("/api/v1/pods", query: "fieldSelector=spec.nodeName%3D\(own)").map(KubernetesPod.init).filter {
      $0.node == own && $0.owner != "DaemonSet" && $0.owner != "Node" && $0.phase != "Succeeded" && $0.phase != "Failed"
    }
  }
}
