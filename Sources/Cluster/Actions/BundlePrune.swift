public import Engine
internal import Host
internal import Journal
public import Model
public import Playbooks

/// `bundle/prune`: removes bundles that the retention no longer keeps, here and at each target. Never the newest verified one, never the
/// newest that was read back from a target, never one that an unfinished run needs.
public struct BundlePrune: Action {
  public static let signature = ActionSignature(
    "bundle/prune", summary: "remove old bundles, as `retention:` says, and what ended runs have left",
    inputs: [ActionInput("only-here", .bool, description: "true: only on this node; the copies at the targets are left alone")])

  private let onlyHere: Bool

  public init(_ inputs: ActionInputs) throws(Failure) { onlyHere = inputs.isTrue("only-here") }

  public func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    guard let journal = outlook.records else { return Intentions(["nothing: there is no bundle yet"]) }
    let plan = try PrunePlan(journal, try outlook.settings, running: outlook.run, onlyHere: onlyHere)
    var lines = plan.going.map { "removes \($0.directory)" } + plan.goingCopies.map { "removes bundle \($0.bundle) at \($0.target)" }
    let stages = try EndedStages(journal).paths.filter { (try? Files.exists($0)) == true }
    lines += stages.map { "removes the restored copy \($0)" }
    lines += try EndedBundles(journal, outlook.state).rows.map { "removes from \($0.path): \($0.why)" }
    return Intentions(["by the catalogue as it is now: \(plan.staying.count) kept, \(plan.going.count) removed"] + lines)
  }

  public func perform(_ context: StepContext) throws(Failure) {
    try EndedStages(context.journal, running: context.run, step: context.step)
      .discard(context.journal, at: context.machine.now()) { context.message($0) }
    try EndedBundles(context.journal, context.state).discard { context.message($0) }
    let plan = try PrunePlan(context.journal, try context.settings, running: context.run, onlyHere: onlyHere)
    try plan.carryOut(context.journal, try context.settings, context.machine, context.state) { context.message($0) }
  }

  public func verify(_ context: StepContext) throws(Failure) -> JSON {
    let left = try PrunePlan(context.journal, try context.settings, running: context.run, onlyHere: onlyHere)
    guard left.going.isEmpty else {
      throw Failure(
        what: "not every old bundle was removed", why: "left are \(left.going.map(\.id).joined(separator: ", "))",
        next: "run `kguard resume`")
    }
    return ["summary": .string("\(left.staying.count) kept"), "kept": JSON(left.staying.map(\.id))]
  }
}
