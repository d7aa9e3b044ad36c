internal import Engine
internal import Model
internal import Playbooks

/// `packages/kubelet`: install kubelet and kubectl of the version, holds put back.
struct PackagesKubelet: Action {
  static let signature = ActionSignature(
    "packages/kubelet", summary: "install kubelet and kubectl of the version, holds put back", inputs: [.version("the version to install")])
  static let changesCluster = true
  static let stopping = Stopping.waits

  private let change: PackageChange

  init(_ inputs: ActionInputs) throws(Failure) {
    change = PackageChange(packages: ["kubelet", "kubectl"], version: try inputs.requireVersion("version"), mayStay: true)
  }

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool { try change.isInEffect(context) }
  func perform(_ context: StepContext) throws(Failure) { try change.perform(context) }
  func verify(_ context: StepContext) throws(Failure) -> JSON { try change.verify(context) }

  var undo: (@Sendable (StepContext) throws(Failure) -> Void)? {
    let change = change
    return { (context) throws(Failure) in try change.undo(context) }
  }
}
