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

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    try AvailabilitySampler.goOn(context)
    return try change.isInEffect(context)
  }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions { try change.intentions(outlook) }
  func perform(_ context: StepContext) throws(Failure) {
    do throws(Failure) { try change.perform(context) } catch {
      if error.exit != .failed { throw error }
      var failure = error
      failure.what = "kubelet and kubectl are not at \(change.version)"
      failure.why = "\(error.what): \(error.why)" + standing(context)
      throw failure
    }
  }

  /// How bad that is: a kubelet may lag behind the API server by two minor versions.
  private func standing(_ context: StepContext) -> String {
    let (machine, version) = (context.machine, change.version)
    guard let manifests = try? ControlPlane.manifestVersions(machine), ControlPlane.names.allSatisfy({ manifests[$0] == version }),
      (try? ThisNode.api(machine, stop: context.stop).health().isOK) == true
    else { return "" }
    let words = "; the control plane is at \(version) and healthy"
    guard let kubelet = try? ThisNode.version(of: "kubelet", machine) else { return words + ", the program kubelet does not answer" }
    let lag = version.major == kubelet.major ? Int(version.minor) - Int(kubelet.minor) : -1
    return words + ", kubelet is at \(kubelet)" + ((0...2).contains(lag) && kubelet <= version ? ", which is supported" : "")
  }
  func verify(_ context: StepContext) throws(Failure) -> JSON { try change.verify(context) }

  var undo: (@Sendable (StepContext) throws(Failure) -> Void)? {
    { (context) throws(Failure) in try PackageChange.undo(context) }
  }
}
