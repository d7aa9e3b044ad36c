internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// `packages/restore`: kubeadm, kubelet and kubectl back to the packages from before the run, holds too.
struct PackagesRestore: Action {
  static let signature = ActionSignature(
    "packages/restore", summary: "install the packages again that were there before the run, holds put back")
  static let stopping = Stopping.waits

  init(_ inputs: ActionInputs) throws(Failure) {}

  /// As the steps of the upgrade group them: each group has a record of its own.
  private static let groups = [["kubelet", "kubectl"], ["kubeadm"]]

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    for group in Self.groups where try !PackageChange.isUndone(group, context) { return false }
    return true
  }

  func perform(_ context: StepContext) throws(Failure) {
    for group in Self.groups where try !PackageChange.isUndone(group, context) { try PackageChange.undo(group, context) }
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    guard try isInEffect(context) else {
      throw Failure(what: "the packages are not back", why: "a version or a hold differs", next: "run `kguard resume`")
    }
    var programs = JSON.Members()
    for program in ["kubeadm", "kubelet", "kubectl"] {
      programs[program] = (try? ThisNode.version(of: program, context.machine)).map { .string($0.description) }
    }
    let words = programs.pairs.map { "\($0.key) \($0.value.string ?? "")" }.joined(separator: ", ")
    return ["programs": .object(programs), "summary": .string(words)]
  }
}
