internal import Bundles
internal import Host
public import Journal
public import Model

/// What rollbacks have written down of the paths that they made and moved.
public enum RollbackRecords {
  /// Without what was planned and did not happen, since the step failed first.
  static func happened(_ records: [ArtifactRecord]) throws(Failure) -> [ArtifactRecord] {
    var happened: [ArtifactRecord] = []
    for record in records {
      if record.state == .planned, record.kind != NodeRestore.restoredKind, try !Files.exists(record.path) { continue }
      happened.append(record)
    }
    return happened
  }

  /// What of it changed the node, and was not taken back.
  static func standing(_ records: [ArtifactRecord]) -> [ArtifactRecord] {
    records.filter { $0.state != .removed && ![EtcdRescue.kind, StagingPlan.artifactKind].contains($0.kind) }
  }

  /// Whether a rollback of this run has moved something that is not back yet.
  public static func canBeUndone(_ run: RunID, _ journal: RunJournal) throws(Failure) -> Bool {
    for rollback in try journal.rollbacks(of: run) where try !standing(happened(journal.artifacts(rollback))).isEmpty { return true }
    return false
  }
}
