internal import Bundles
internal import Engine
internal import Host
internal import Journal
internal import Model

/// The run that is put back, and what its rollbacks have moved so far. A rollback that failed is followed by another one, which
/// finds the node as the first has left it.
struct RollbackTarget {
  let run: RunID
  /// Its rollbacks, the oldest first.
  let rollbacks: [RunID]
  /// What they have moved, in that order.
  let moved: [ArtifactRecord]

  /// `undo` names the run whose rollback is taken back; without it, the target is the run that this one rolls back.
  init(_ context: some StepSight, undo: String? = nil) throws(Failure) {
    if let undo {
      guard let id = RunID(undo), try context.records?.run(id) != nil else {
        throw Failure(.usage, what: "cannot undo a rollback", why: "there is no run `\(undo)`", next: "see `kguard history`")
      }
      run = id
    } else {
      guard let parent = context.parent else {
        throw Failure(
          .usage, what: "cannot roll back", why: "this run rolls no other run back", next: "use `kguard rollback RUN`")
      }
      run = parent
    }
    rollbacks = try context.records?.rollbacks(of: run) ?? []
    var moved: [ArtifactRecord] = []
    for rollback in rollbacks { moved += try context.artifacts(of: rollback) }
    self.moved = moved
  }

  func moved(_ kind: String) -> [ArtifactRecord] { moved.filter { $0.kind == kind && $0.state != .removed } }

  /// The bundle that the run made; nil where it came not so far.
  func bundle(_ context: some StepSight) throws(Failure) -> BundleManifest? {
    let directory = BundleDirectory(context.state.bundle(run.text))
    return try Files.exists(directory.manifest) ? try BundleManifest(reading: directory) : nil
  }

  func bundleDirectory(_ context: some StepSight) -> BundleDirectory { BundleDirectory(context.state.bundle(run.text)) }

  /// Where the run's drill has put the restored data, whether or not it is still there.
  func stagingPlan(_ context: some StepSight) throws(Failure) -> StagingPlan? {
    for id in [run] + rollbacks {
      let staged = try context.artifacts(of: id).last { $0.kind == "staged" }
      if let plan = StagingPlan(json: staged?.detail) { return plan }
    }
    return nil
  }

  /// True where an earlier rollback has put the bundle's data into place and it is still there.
  func hasSwapped() throws(Failure) -> Bool {
    let restored = moved(EtcdExchange.restoredKind)
    guard !restored.isEmpty else { return false }
    for artifact in restored where try Files.info(artifact.path)?.inode != EtcdExchange.inode(artifact) { return false }
    return true
  }
}
