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

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    guard let former = try FormerPackages.load(outlook) else { return Intentions(["nothing: the run has changed no package"]) }
    let manager = try PackageChange.manager(outlook)
    var found: [String] = []
    let way = try former.wayBack(manager) { found.append($0) }
    for name in way.changed {
      let now = try manager.installed(name) ?? "(not whole)"
      found.append("\(name) \(now) → \(former.version(name) ?? "") with \(manager.name)")
    }
    if !way.files.isEmpty { found.append("from the files in \(FormerPackages.directory(outlook))") }
    if !way.others.isEmpty { found.append("from the repository: \(way.others.map { "\($0.name) \($0.version)" }.joined(separator: ", "))") }
    if !former.holds.isEmpty { found.append("held again: \(former.holds.joined(separator: ", "))") }
    return Intentions(found)
  }

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
