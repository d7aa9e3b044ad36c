internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `node/drain`: moves the pods away before kubelet changes. On a sole node there is nowhere to go, and nothing is done.
struct NodeDrain: Action {
  static let signature = ActionSignature(
    "node/drain", summary: "cordon the node and evict its pods, within their disruption budgets; not on a sole node",
    inputs: [
      ActionInput("patience", .duration, description: "how long evictions may take (default 5m)"),
      ActionInput(
        "delete-emptydir-data", .bool, description: "true: evict pods with data in an emptyDir on disk too; left out, they go on running"),
    ])
  static let changesCluster = true

  let patience: Duration
  let deletesLocalData: Bool

  init(_ inputs: ActionInputs) throws(Failure) {
    patience = inputs["patience"].flatMap { Duration(text: $0) } ?? .seconds(300)
    deletesLocalData = inputs.isTrue("delete-emptydir-data")
  }

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    try AvailabilitySampler.goOn(context)
    let view = try look(context)
    return view.isSole || (view.isCordoned && view.evictable.isEmpty)
  }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let view = try NodeView(outlook, deletesLocalData: deletesLocalData)
    if view.isSole { return Intentions(["nothing: no other node could take the pods of \(view.name)"]) }
    var lines = ["\(view.isCordoned ? "\(view.name) is cordoned already" : "cordons \(view.name)")"]
    if !view.evictable.isEmpty {
      let pods = view.evictable.map { "\($0.namespace)/\($0.name)" }
      lines.append("evicts, for at most \(patience.forPeople), \(pods.count) pods: \(naming(pods))")
    }
    if !view.left.isEmpty { lines.append("leaves running: \(naming(view.left))") }
    return Intentions(lines)
  }

  func perform(_ context: StepContext) throws(Failure) {
    var view = try look(context)
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
      view = try look(context)
      if view.evictable.isEmpty { return }
      if monotonicNow() >= end { throw stuck(view, reasons) }
      try failpoint("node-drain/evict.before")
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
    let view = try look(context)
    if view.isSole {
      return ["drained": false, "node": .string(view.name), "summary": "not drained: it is the only node that could take the pods"]
    }
    guard view.isCordoned, view.evictable.isEmpty else { throw stuck(view, [:]) }
    if view.left.isEmpty { return ["drained": true, "node": .string(view.name), "summary": .string("\(view.name) is cordoned and empty")] }
    for words in view.left { context.message("left running: \(words)") }
    return [
      "drained": true, "node": .string(view.name), "left": JSON(Array(view.left.prefix(100))),
      "summary": .string("\(view.name) is cordoned; \(view.left.count) pods are left running"),
    ]
  }

  var undo: (@Sendable (StepContext) throws(Failure) -> Void)? {
    { (context) throws(Failure) in try NodeUncordon.uncordonIfOurs(context) }
  }

  private func look(_ context: StepContext) throws(Failure) -> NodeView { try NodeView(context, deletesLocalData: deletesLocalData) }

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
  /// Pods that come up elsewhere when they are evicted here.
  let evictable: [KubernetesPod]
  /// Those that would be lost, or their data, in words: they go on running.
  let left: [String]

  init(_ context: some StepSight, deletesLocalData: Bool = false) throws(Failure) {
    name = try ThisNode.name(context.machine)
    let api = try ThisNode.api(context.machine, timeout: .seconds(20), stop: context.stop)
    let nodes = try api.nodes()
    let own = name
    isCordoned = nodes.first { $0.name == own }?.isSchedulable == false
    isSole = !nodes.contains { $0.name != own && $0.isReady && $0.isSchedulable }
    (evictable, left) = Self.sort(try api.pods(on: own), deletesLocalData: deletesLocalData)
  }

  /// Static pods, those of daemonsets and those that have ended are nobody's business.
  static func sort(_ pods: [KubernetesPod], deletesLocalData: Bool) -> (evictable: [KubernetesPod], left: [String]) {
    var (evictable, left): ([KubernetesPod], [String]) = ([], [])
    for pod in pods where !["DaemonSet", "Node"].contains(pod.owner) && pod.phase != "Succeeded" && pod.phase != "Failed" {
      if !pod.isControlled {
        left.append("\(pod.namespace)/\(pod.name) has no controller")
      } else if pod.hasLocalData && !deletesLocalData {
        left.append("\(pod.namespace)/\(pod.name) keeps data in an emptyDir")
      } else {
        evictable.append(pod)
      }
    }
    return (evictable, left.sorted())
  }
}
