internal import Engine
internal import Model
internal import Playbooks

/// `packages/kubeadm`: keeps the packages that are installed, fetches those that come later, and installs kubeadm of the version.
struct PackagesKubeadm: Action {
  static let signature = ActionSignature(
    "packages/kubeadm", summary: "keep the present packages, fetch kubelet and kubectl, and install kubeadm of the version",
    inputs: [.version("the version to install")])
  static let changesCluster = false
  static let stopping = Stopping.waits

  private let change: PackageChange

  init(_ inputs: ActionInputs) throws(Failure) {
    change = PackageChange(
      packages: ["kubeadm"], ahead: ["kubelet", "kubectl"], version: try inputs.requireVersion("version"), mayStay: false)
  }

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool { try change.isInEffect(context) }
  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions { try change.intentions(outlook) }
  func perform(_ context: StepContext) throws(Failure) { try change.perform(context) }
  func verify(_ context: StepContext) throws(Failure) -> JSON { try change.verify(context) }

  var undo: (@Sendable (StepContext) throws(Failure) -> Void)? {
    { (context) throws(Failure) in try PackageChange.undo(context) }
  }
}
