internal import Bundles
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// The run that is put back, and what its rollbacks have moved so far. A rollback that failed is followed by another one, which
/// finds the node as the first has left it.
struct RollbackTarget {
  let run: RunID
  /// Its rollbacks, the oldest first.
  let rollbacks: [RunID]
  /// What they have moved, in that order. A move that was planned and did not happen, since the step failed first, is none.
  let moved: [ArtifactRecord]
  /// With those.
  let records: [ArtifactRecord]

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
    var records: [ArtifactRecord] = []
    for rollback in rollbacks { records += try context.artifacts(of: rollback) }
    self.records = records
    moved = try RollbackRecords.happened(records)
  }

  func moved(_ kind: String) -> [ArtifactRecord] { moved.filter { $0.kind == kind && $0.state != .removed } }

  /// The bundle that the run made; nil where it came not so far.
  func bundle(_ context: some StepSight) throws(Failure) -> BundleManifest? {
    let directory = BundleDirectory(context.state.bundle(run.text))
    return try Files.exists(directory.manifest) ? try BundleManifest(reading: directory) : nil
  }

  func bundleDirectory(_ context: some StepSight) -> BundleDirectory { BundleDirectory(context.state.bundle(run.text)) }

  /// Where the run's drill has put the restored data, whether or not it is still there. The drill of an external etcd is done in kguard's own
  /// directory: nothing there can take the live data's place.
  func stagingPlan(_ context: some StepSight) throws(Failure) -> StagingPlan? {
    let state = Files.real(context.state.path) ?? context.state.path
    for id in [run] + rollbacks {
      let staged = try context.artifacts(of: id).last { $0.kind == "staged" }
      if let plan = StagingPlan(json: staged?.detail), !plan.live.hasPrefix(state + "/") { return plan }
    }
    return nil
  }

  // MARK: - What earlier rollbacks have done

  /// Those that failed half way, the oldest first: they moved something, and it was not taken back.
  var unfinished: [RunID] {
    let movers = Set(RollbackRecords.standing(moved).map(\.run))
    return rollbacks.filter(movers.contains)
  }

  /// What the first of them saw before it took the control plane down. What later ones find missing is their own work.
  func firstVerdict(_ context: some StepSight) throws(Failure) -> Assessment.Verdict? {
    guard let first = unfinished.first, first != context.run else { return nil }
    let steps = try context.records?.steps(first) ?? []
    return steps.first { $0.action == ClusterAssess.signature.path }?.evidence?["verdict"]?.string.flatMap { .init(rawValue: $0) }
  }

  /// How far the exchange of etcd's data came.
  enum Exchange { case notBegun, half, whole }

  func exchange(_ context: some StepSight) throws(Failure) -> Exchange {
    guard let plan = try stagingPlan(context) else { return .notBegun }
    let exchanges = EtcdExchange.swaps(plan, self, run: context.run)
    var done = 0
    for exchange in exchanges {
      guard let restored = moved(EtcdExchange.restoredKind).last(where: { $0.path == exchange.live }) else { continue }
      // Of a mount point the inode says nothing: its files move one by one.
      if exchange.movesFiles {
        if restored.state == .present { done += 1 }
      } else if let now = try Files.info(exchange.live)?.inode, now == EtcdExchange.inode(restored) {
        done += 1
      }
    }
    if done == exchanges.count { return .whole }
    if done > 0 { return .half }
    for aside in moved(EtcdExchange.asideKind) where try Files.exists(aside.path) { return .half }
    return .notBegun
  }
}
