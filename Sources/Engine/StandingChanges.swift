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
  /// What it was for, in two words; other inputs may be long, or a secret of an own playbook.
  public var purpose: String { playbook + (inputs["version"].map { " " + $0 } ?? "") }
}
