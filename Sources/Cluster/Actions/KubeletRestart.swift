internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// `kubelet/restart`: makes the installed kubelet the one that runs, and waits until the node says so.
struct KubeletRestart: Action {
  static let signature = ActionSignature(
    "kubelet/restart", summary: "restart kubelet, and wait until the node is ready with it",
    inputs: [ActionInput("timeout", .duration, description: "how long the node may take to be ready (default 3m)")])
  static let changesCluster = true
  static let stopping = Stopping.waits

  let timeout: Duration

  init(_ inputs: ActionInputs) throws(Failure) { timeout = inputs["timeout"].flatMap { Duration(text: $0) } ?? .seconds(180) }

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    try AvailabilitySampler.goOn(context)
    guard let before = try record(context), let now = try Kubelet.process(context.machine), now != before else { return false }
    return (try? problem(context)) == .some(nil)
  }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let now = (try? ThisNode.version(of: "kubelet", outlook.machine)).map { "; the installed one is \($0) now" } ?? ""
    return Intentions([
      "runs `systemctl daemon-reload` and `systemctl restart kubelet`\(now)",
      "waits at most \(timeout.forPeople) until \(try ThisNode.name(outlook.machine)) is ready",
    ])
  }

  func perform(_ context: StepContext) throws(Failure) {
    try AvailabilitySampler.start(context)
    let before = try Kubelet.process(context.machine)
    try Files.makeDirectory(context.state.directory(of: context.run), mode: 0o700)
    try Files.replace(file(context), with: Array(((before?.json ?? [:]).text() + "\n").utf8))
    let what = "cannot restart kubelet"
    try failpoint("kubelet-restart/reload.before")
    try Kubelet.systemctl(context.machine, ["daemon-reload"], what)
    try failpoint("kubelet-restart/restart.before")
    try Kubelet.systemctl(context.machine, ["restart", "kubelet"], what)
    try failpoint("kubelet-restart/restart.after")
    try waitUntilReady(context)
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    var last: String?
    let isWell = try context.wait(.seconds(60), every: .seconds(1)) { () throws(Failure) in
      last = try problem(context)
      return last == nil
    }
    guard isWell else { throw notReady(last, context) }
    let version = try ThisNode.version(of: "kubelet", context.machine)
    return [
      "kubelet": .string(version.description), "node": .string(try ThisNode.name(context.machine)),
      "summary": .string("the node is ready with kubelet \(version)"),
    ]
  }

  /// A node stays Ready for a while after its kubelet has died: only a lease that the new kubelet renews proves that it lives.
  private func waitUntilReady(_ context: StepContext) throws(Failure) {
    let name = try ThisNode.name(context.machine)
    var first: String?
    var last: String? = "the API server did not answer"
    let isWell = try context.wait(timeout, every: .seconds(1)) { () throws(Failure) in
      let api = try ThisNode.api(context.machine, stop: context.stop)
      let renewed = try Leases.read(context.machine, node: name).renewals(api)[Leases.nodeName(name)]
      if first == nil { first = renewed }
      last = try problem(context)
      guard last == nil else { return false }
      if renewed == first { last = "its lease was not renewed" }
      return renewed != nil && renewed != first
    }
    if !isWell { throw notReady(last, context) }
  }

  /// What is not well yet; nil where all is.
  private func problem(_ context: StepContext) throws(Failure) -> String? {
    guard try Kubelet.isActive(context.machine) else { return "kubelet does not run" }
    let version = try ThisNode.version(of: "kubelet", context.machine)
    let name = try ThisNode.name(context.machine)
    let nodes = try ThisNode.api(context.machine, stop: context.stop).nodes()
    guard let node = nodes.first(where: { $0.name == name }) else { return "the node \(name) is missing" }
    if KubernetesVersion(node.kubeletVersion) != version {
      return "the node says that its kubelet is \(node.kubeletVersion), not \(version)"
    }
    return node.isReady ? nil : "the node \(name) is not ready"
  }

  private func notReady(_ problem: String?, _ context: StepContext) -> Failure {
    Failure(
      what: "the node is not ready after kubelet was restarted", why: problem ?? "it was ready for a moment only",
      next: "look at `journalctl -u kubelet`, then run `kguard resume`")
  }

  private func file(_ context: StepContext) -> String { context.state.directory(of: context.run) + "/kubelet-before.json" }

  /// The kubelet that ran before the restart; nil where it was not yet begun.
  private func record(_ context: StepContext) throws(Failure) -> ProcessIdentity?? {
    guard let text = try Files.textIfPresent(file(context)), let json = try? JSON(parsing: text) else { return nil }
    return .some(ProcessIdentity(json: json))
  }
}
