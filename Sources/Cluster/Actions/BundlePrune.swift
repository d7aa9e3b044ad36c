internal import Bundles
public import Engine
public import Host
public import Journal
public import Model
public import Playbooks

/// `bundle/prune`: removes bundles that the retention no longer keeps, here and off-site. Never the newest verified one, never one
/// that an unfinished run needs.
public struct BundlePrune: Action {
  public static let signature = ActionSignature("bundle/prune", summary: "remove old bundles, as `retention:` says")

  public init(_ inputs: ActionInputs) throws(Failure) {}

  public func perform(_ context: StepContext) throws(Failure) {
    let plan = try PrunePlan(context.journal, try context.settings, running: context.run)
    try plan.carryOut(context.journal, try context.settings, context.machine, context.state) { context.message($0) }
  }

  public func verify(_ context: StepContext) throws(Failure) -> JSON {
    let left = try PrunePlan(context.journal, try context.settings, running: context.run)
    guard left.going.isEmpty else {
      throw Failure(
        what: "not every old bundle was removed", why: "left are \(left.going.map(\.id).joined(separator: ", "))",
        next: "run `kguard resume`")
    }
    return ["summary": .string("\(left.staying.count) kept"), "kept": JSON(left.staying.map(\.id))]
  }
}

/// What the retention would do now.
public struct PrunePlan {
  public let staying: [(id: String, reason: String)]
  public let going: [BundleRecord]
  private let needed: Set<String>

  /// `running` needs its own bundle until it has ended.
  public init(_ journal: RunJournal, _ configuration: Configuration, running: RunID?) throws(Failure) {
    let bundles = try journal.bundles().filter { $0.removed == nil }
    var needed: Set<String> = Set([running?.text].compactMap { $0 })
    if let unfinished = try journal.unfinishedRun() { needed.insert(unfinished.id.text) }
    let numbers = configuration.retention
    let retention = Retention(last: numbers.keepLast, daily: numbers.keepDaily, weekly: numbers.keepWeekly, monthly: numbers.keepMonthly)
    let judged = retention.judge(
      bundles.map { .init(id: $0.id, created: $0.created, isVerified: $0.verified != nil, isNeeded: needed.contains($0.id)) })
    staying = judged.compactMap { entry in entry.reason.map { (entry.id, $0) } }
    let gone = Set(judged.filter { $0.reason == nil }.map(\.id))
    going = bundles.filter { gone.contains($0.id) }
    self.needed = needed
  }

  public func carryOut(
    _ journal: RunJournal, _ configuration: Configuration, _ machine: any Machine, _ state: StateDirectory, tell: (String) -> Void
  ) throws(Failure) {
    let offsite = try Offsite(configuration, machine, state)
    for bundle in going {
      for target in offsite.targets {
        do throws(Failure) { try offsite.remove(bundle.id, from: target, journal) } catch {
          guard !target.isRequired else { throw error }
          tell("warning: could not remove \(bundle.id) at \(target.url): \(error)")
        }
      }
      try failpoint("bundle-prune.local.before")
      try BundleDirectory(bundle.directory).remove()
      try journal.bundleRemoved(bundle.id, at: machine.now())
      tell("removed bundle \(bundle.id)")
    }
    try dropPackages(journal, machine, state)
  }

  /// The packages that a run has kept for its rollback go with its bundle; no run is rolled back without one.
  private func dropPackages(_ journal: RunJournal, _ machine: any Machine, _ state: StateDirectory) throws(Failure) {
    let kept = needed.union(staying.map(\.id))
    let runs = state.path + "/runs"
    for name in try Files.exists(runs) ? try Files.list(runs) : [] where !kept.contains(name) {
      let directory = FormerPackages.directory(ofRun: runs + "/" + name)
      guard let run = RunID(name), try Files.exists(directory) else { continue }
      try Files.removeOwnTree(directory)
      guard try journal.run(run) != nil else { continue }
      try journal.artifact(run, step: "", kind: FormerPackages.kind, path: directory, .removed, at: machine.now())
    }
  }
}
