internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `node/uncordon`: lets the node take pods again, where this run had cordoned it.
struct NodeUncordon: Action {
  static let signature = ActionSignature("node/uncordon", summary: "let the node take pods again, if this run cordoned it")
  static let changesCluster = true

  init(_ inputs: ActionInputs) throws(Failure) {}

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    try AvailabilitySampler.goOn(context)
    if try !Self.isOurs(context) { return true }
    return try !NodeView(context).isCordoned
  }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let name = try ThisNode.name(outlook.machine)
    if try Self.isOurs(outlook) { return Intentions(["\(name) takes pods again: the run has cordoned it"]) }
    guard outlook.parent == nil else { return Intentions(["nothing: the run has not cordoned \(name)"]) }
    return Intentions(["\(name) takes pods again, where this run has cordoned it"])
  }

  func perform(_ context: StepContext) throws(Failure) { try Self.uncordonIfOurs(context) }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let view = try NodeView(context)
    guard try Self.isOurs(context) else {
      let words = view.isCordoned ? "it was cordoned before the run, and stays so" : "it was not cordoned"
      return ["schedulable": .bool(!view.isCordoned), "summary": .string(words)]
    }
    guard !view.isCordoned else {
      throw Failure(
        what: "the node \(view.name) is still cordoned", why: "the API server says so", next: "run `kubectl uncordon \(view.name)`")
    }
    return ["schedulable": true, "summary": .string("\(view.name) takes pods again")]
  }

  static func uncordonIfOurs(_ context: StepContext) throws(Failure) {
    guard try isOurs(context) else { return }
    try failpoint("node-uncordon/uncordon.before")
    try KubernetesWrites(context.machine, stop: context.stop).setSchedulable(true, node: try ThisNode.name(context.machine))
    try failpoint("node-uncordon/uncordon.after")
  }

  /// Whether the run cordoned the node, and not somebody before it.
  private static func isOurs(_ context: some StepSight) throws(Failure) -> Bool {
    try context.artifacts(of: context.parent ?? context.run).contains { $0.kind == "cordon" }
  }
}
