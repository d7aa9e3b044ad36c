internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// `packages/restore`: the packages from before the run again, from the files that were kept, holds too.
struct PackagesRestore: Action {
  static let signature = ActionSignature(
    "packages/restore", summary: "install the packages again that were there before the run, holds put back")
  static let stopping = Stopping.waits

  init(_ inputs: ActionInputs) throws(Failure) {}

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool { PackageChange.left(context).words.isEmpty }

  func perform(_ context: StepContext) throws(Failure) { try PackageChange.undo(context) }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let left = PackageChange.left(context)
    guard left.words.isEmpty else {
      throw Failure(
        what: "the packages are not back", why: left.words.joined(separator: "; "), next: "run \(left.commands), then `kguard resume`")
    }
    var programs = JSON.Members()
    for program in ["kubeadm", "kubelet", "kubectl"] {
      programs[program] = (try? ThisNode.version(of: program, context.machine)).map { .string($0.description) }
    }
    let words = programs.pairs.map { "\($0.key) \($0.value.string ?? "")" }.joined(separator: ", ")
    return ["programs": .object(programs), "summary": .string(words)]
  }
}
