internal import Bundles
public import Engine
public import Host
public import Journal
public import Model
public import Playbooks

/// What the retention would do now: here, and at each target by itself.
public struct PrunePlan {
  /// A bundle's copy at a target.
  public struct Copy: Sendable, Equatable {
    public let target: String
    public let bundle: String
  }

  public let staying: [(id: String, reason: String)]
  public let going: [BundleRecord]
  public let goingCopies: [Copy]
  private let needed: Set<String>

  /// `running` needs its own bundle until it has ended. `onlyHere`: what lies at the targets is left for another time.
  public init(
    _ journal: RunJournal, _ configuration: Configuration, running: RunID?, onlyHere: Bool = false
  ) throws(Failure) {
    let catalogue = try journal.bundles()
    let here = catalogue.filter { $0.removed == nil }
    var needs: [String: String] = [:]
    if let newest = try Self.newestStanding(journal) { needs[newest.text] = "the newest upgrade can be rolled back with it" }
    for run in [running, try journal.unfinishedRun()?.id] { if let run { needs[run.text] = "an unfinished run needs it" } }
    let numbers = configuration.retention
    let retention = Retention(last: numbers.keepLast, daily: numbers.keepDaily, weekly: numbers.keepWeekly, monthly: numbers.keepMonthly)
    let judged = retention.judge(
      here.map { .init(id: $0.id, created: $0.created, isVerified: $0.verified != nil, need: needs[$0.id]) })
    staying = judged.compactMap { entry in entry.reason.map { (entry.id, $0) } }
    let kept = Set(staying.map(\.id))
    going = here.filter { !kept.contains($0.id) }

    var goingCopies: [Copy] = []
    for target in onlyHere ? [] : configuration.offsite {
      var (whole, partial): ([BundleRecord], [BundleRecord]) = ([], [])
      for bundle in catalogue {
        let copies = try journal.copies(of: bundle.id).filter { $0.target == target.url && $0.removed == nil }
        if copies.isEmpty { continue }
        if bundle.targets(wholeIn: copies).contains(target.url) { whole.append(bundle) } else { partial.append(bundle) }
      }
      // What is kept at a target is decided by what was read back from it, not by what lies here: a target that takes nothing new any
      // more keeps the last that it took.
      let judged = retention.judge(whole.map { .init(id: $0.id, created: $0.created, isVerified: true, need: needs[$0.id]) })
      goingCopies += judged.filter { $0.reason == nil }.map { Copy(target: target.url, bundle: $0.id) }
      // One that is not whole may still be completed while the bundle is here.
      goingCopies += partial.filter { !kept.contains($0.id) && needs[$0.id] == nil }.map { Copy(target: target.url, bundle: $0.id) }
    }
    self.goingCopies = goingCopies
    needed = Set(needs.keys)
  }

  /// A target or a bundle that fails does not keep the others from what they are to do; the failure of a required one is thrown at the end.
  public func carryOut(
    _ journal: RunJournal, _ configuration: Configuration, _ machine: any Machine, _ state: StateDirectory, tell: (String) -> Void
  ) throws(Failure) {
    let offsite = goingCopies.isEmpty ? nil : try Offsite(configuration, machine, state)
    var failure: Failure?
    var elsewhere: Set<String> = []
    for bundle in going where try !bundle.targets(wholeIn: journal.copies(of: bundle.id)).isEmpty { elsewhere.insert(bundle.id) }
    for copy in goingCopies {
      guard let offsite, let target = offsite.targets.first(where: { $0.url == copy.target }) else { continue }
      do throws(Failure) {
        if try offsite.remove(copy.bundle, from: target, journal) { tell("removed bundle \(copy.bundle) at \(target.url)") }
      } catch {
        if target.isRequired, failure == nil { failure = error }
        tell("warning: could not remove \(copy.bundle) at \(target.url): \(error)")
      }
    }
    for bundle in going {
      try failpoint("bundle-prune.local.before")
      let directory = BundleDirectory(bundle.directory)
      do throws(Failure) {
        try directory.remove()
      } catch {
        failure = failure ?? error
        tell("warning: could not remove the bundle \(bundle.id): \(error)")
        // Where a file of somebody else keeps the directory, the bundle is gone all the same.
        if (try? Files.exists(directory.manifest)) != false { continue }
      }
      try journal.bundleRemoved(bundle.id, at: machine.now())
      tell(
        "removed bundle \(bundle.id)"
          + (elsewhere.contains(bundle.id) || configuration.offsite.isEmpty ? "" : ", which was nowhere off-site"))
    }
    try dropPackages(journal, machine, state)
    if let failure { throw failure }
  }

  /// Whose changes the cluster has: it may have been given up, or its rollback taken back, and can be rolled back all the same.
  private static func newestStanding(_ journal: RunJournal) throws(Failure) -> RunID? {
    let actions = Actions(BuiltIn.actions)
    for id in try journal.runsWithWayBack() {
      guard let run = try journal.run(id) else { continue }
      // A run of another kguard, whose playbook cannot be read, keeps its bundle.
      if (try? actions.stands(run, journal)) ?? true { return id }
    }
    return nil
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
