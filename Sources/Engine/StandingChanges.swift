public import Journal
public import Model

/// Which runs' changes the cluster has now. One run lies on another like a coat: the upper one comes off first.
extension Actions {
  /// Whether what the run changed is in place: it may have changed the cluster, and was not put back, or that was taken back.
  public func stands(_ run: RunRecord, _ journal: RunJournal) throws(Failure) -> Bool {
    guard try everTouchedCluster(run, journal) else { return false }
    switch run.state {
    case .rolledBack: return try journal.undo(of: run.id) != nil
    // Its rollback compared, and found the cluster as it was.
    case .failed: return try journal.rollback(of: run.id)?.state != .succeeded
    case .pending, .running, .interrupted, .succeeded, .rollingBack, .needsOperator: return true
    }
  }

  /// Refuses to undo what lay on a run that was rolled back since: it would come in on another base.
  public func requireSameBase(of run: RunRecord, _ journal: RunJournal) throws(Failure) {
    guard let rollback = try journal.rollback(of: run.id) else { return }
    for id in try journal.runsWithWayBack() where id < run.id {
      guard let lower = try journal.run(id), lower.state == .rolledBack, try journal.undo(of: id) == nil,
        let since = try journal.rollback(of: id), since.id > rollback.id
      else { continue }
      throw Failure(
        .usage, what: "cannot undo the rollback of run \(run.id)",
        why: "run \(id) (\(lower.purpose)), which it lay on, was rolled back since",
        next: "undo that first: `kguard rollback --undo \(id)`")
    }
  }

  /// Refuses what would put back a cluster that a later run has changed since.
  public func requireNothingOnTop(of run: RunRecord, _ journal: RunJournal, what: String) throws(Failure) {
    for id in try journal.runsWithWayBack(after: run.id) {
      guard let later = try journal.run(id), try stands(later, journal) else { continue }
      throw Failure(
        .usage, what: what, why: "run \(id) (\(later.purpose)) has changed the cluster since",
        next: "roll that one back first: `kguard rollback \(id)`")
    }
  }
}

extension RunRecord {
  /// What a run is for, in two words; other inputs may be long, or a secret of an own playbook.
  public static func purpose(of playbook: String, _ inputs: [String: String]) -> String {
    playbook + (inputs["version"].map { " " + $0 } ?? "")
  }
  public var purpose: String { Self.purpose(of: playbook, inputs) }

  /// The run to roll back where this one is not wanted: its parent, or whose rollback it takes back; nil where there is no way back.
  public var wayBack: RunID? {
    if let parent { return parent }
    if playbook == "undo" { return inputs["run"].flatMap { RunID($0) } }
    return rollbackText == nil ? nil : id
  }

  /// What a person may do about a run that has not ended.
  public var waysOut: String {
    let givesUp = "`kguard abandon` gives it up"
    guard let wayBack else { return "`kguard resume` goes on with it, " + givesUp }
    if playbook == "undo" { return "`kguard resume` goes on with it; \(givesUp), then `kguard rollback \(wayBack)` rolls back again" }
    return "`kguard resume` goes on with it, `kguard rollback \(wayBack)` puts things back, " + givesUp
  }
}
