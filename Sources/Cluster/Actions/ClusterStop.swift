internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `cluster/stop`: moves the static pods' manifests out with kubelet running, and goes on only when containers, ports and etcd's lock
/// are gone.
struct ClusterStop: Action {
  static let signature = ActionSignature(
    "cluster/stop", summary: "stop every container of this node's control plane, and kubelet, and see that they have let go",
    inputs: [.undo])
  static let changesCluster = true
  static let stopping = Stopping.waits

  private let undo: String?

  init(_ inputs: ActionInputs) throws(Failure) { undo = inputs.undo }

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    try ControlPlaneStop(context, try RollbackTarget(context, undo: undo)).left().isEmpty
  }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let names = try StaticPodFiles.names(outlook.machine)
    let from = outlook.machine.locate(ControlPlane.manifests)
    return Intentions([
      names.isEmpty ? "no manifest is in \(from)" : "\(names.sorted().joined(separator: ", ")): \(from) → \(StaticPodFiles.out(outlook))",
      "stops kubelet, and waits until no container, port or lock of the control plane is left",
    ])
  }

  func perform(_ context: StepContext) throws(Failure) {
    let target = try RollbackTarget(context, undo: undo)
    if undo != nil && target.unfinished.isEmpty {
      throw Failure(
        .usage, what: "cannot undo the rollback of run \(target.run)", why: "there is nothing that it moved, or it is taken back already",
        next: "see `kguard show \(target.run)`")
    }
    try Outage.begin(.stop, context)
    try ControlPlaneStop(context, target).run()
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let stop = try ControlPlaneStop(context, try RollbackTarget(context, undo: undo))
    let left = try stop.left()
    guard left.isEmpty else {
      throw Failure(what: "the control plane is not stopped", why: left.joined(separator: "; "), next: "run `kguard resume`")
    }
    try context.settleMoves()
    try Outage.end(.stop, context)
    let out = try context.artifacts(of: context.run).filter { $0.kind == StaticPodFiles.outKind && $0.state == .present }
    return [
      "summary": .string("no container, no port, no lock of the control plane is left"), "manifests": JSON(out.map(\.path)),
      "pods": JSON(stop.site.pods.sorted()), "ports": JSON(stop.site.sockets.map { Int($0.port) }.sorted().map(String.init)),
    ]
  }
}

extension ActionInput {
  static let undo = ActionInput("undo", description: "take the rollback of this run back, in place of rolling the own parent back")
}

extension ActionInputs {
  var undo: String? { self["undo"].flatMap { $0.isEmpty ? nil : $0 } }
}
