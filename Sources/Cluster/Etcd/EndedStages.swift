internal import Engine
internal import Host
public import Journal
public import Model

/// Restored copies of etcd's data that drills have left for a rollback, and that no run needs any more: a rollback that is asked for later
/// restores from the bundle again before it stops anything. Only what the journal and the marker beside it name is ever removed.
public struct EndedStages {
  private let found: [ArtifactRecord]

  /// Where they stand, whether or not they are still there.
  public var paths: [String] { Set(found.map(\.path)).sorted() }

  /// Those of runs that have ended; of the run `running` too, where nothing is left for it to do but the step that asks.
  public init(_ journal: RunJournal, running: RunID? = nil, step: String? = nil) throws(Failure) {
    var (ended, needed): ([ArtifactRecord], Set<String>) = ([], [])
    for artifact in try journal.presentArtifacts(StagingPlan.artifactKind) {
      let isOver = artifact.run == running ? try Self.isLast(step, of: artifact.run, journal) : try journal.hasEnded(artifact.run)
      if isOver { ended.append(artifact) } else { needed.insert(artifact.path) }
    }
    // A later drill or rollback of the same bundle stages at the same place.
    found = ended.filter { !needed.contains($0.path) }
  }

  private static func isLast(_ step: String?, of run: RunID, _ journal: RunJournal) throws(Failure) -> Bool {
    guard let step else { return false }
    return try journal.steps(run).allSatisfy { $0.id == step || $0.state.isSettled }
  }

  /// What cannot be removed is told and left; nobody's run depends on it.
  public func discard(_ journal: RunJournal, at now: Timestamp, tell: (String) -> Void) throws(Failure) {
    for artifact in found {
      do throws(Failure) {
        guard try Self.remove(artifact, tell: tell) else { continue }
        try failpoint("staged-discard.after")
        try journal.artifact(artifact.run, step: artifact.step, kind: artifact.kind, path: artifact.path, .removed, at: now)
      } catch {
        if error.exit == .held || error.exit == .interrupted { throw error }
        tell("warning: the restored copy \(artifact.path) stays: \(error)")
      }
    }
  }

  /// True where it is gone now.
  private static func remove(_ artifact: ArtifactRecord, tell: (String) -> Void) throws(Failure) -> Bool {
    // A disk that is not mounted now holds it still.
    guard let plan = StagingPlan(json: artifact.detail), plan.staged == artifact.path, try Files.exists(plan.parent) else { return false }
    guard let data = try StagedData.read(plan) else {
      if try !Files.exists(plan.staged) { return true }
      tell("warning: \(plan.staged) stays: no marker says that kguard made it")
      return false
    }
    guard data.plan.staged == plan.staged, data.plan.stagedWAL == plan.stagedWAL else {
      tell("warning: \(plan.staged) stays: its marker is not of the run that made it")
      return false
    }
    if data.state == .started && data.maker.isAlive && data.maker != .current() { return false }
    try failpoint("staged-discard.before")
    try data.discard()
    tell("removed the restored copy of bundle \(plan.id): \(plan.staged)")
    return true
  }
}
