internal import Bundles
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `etcd/swap`: etcd's live data moves aside, the restored data is renamed into its place. Nothing is deleted.
struct EtcdSwap: Action {
  static let signature = ActionSignature(
    "etcd/swap", summary: "move etcd's data aside and rename the restored data into its place", inputs: [.undo])
  static let changesCluster = true
  static let stopping = Stopping.waits

  private let undo: String?

  init(_ inputs: ActionInputs) throws(Failure) { undo = inputs.undo }

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    let exchanges = try exchanges(context)
    for exchange in exchanges where try !exchange.isDone(context) { return false }
    return exchanges.isEmpty ? true : try markerIsGone(context)
  }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let target = try RollbackTarget(outlook, undo: undo)
    let exchanges = try exchanges(outlook)
    var lines: [String] = []
    for exchange in exchanges {
      let what = exchange.movesFiles ? "the files of " : ""
      lines.append("\(what)\(exchange.live) → \(exchange.outgoing)")
      let isThere = try Files.exists(exchange.incoming)
      lines.append("\(what)\(exchange.incoming) → \(exchange.live)" + (isThere ? "" : "; it is restored first, it is not there now"))
    }
    if exchanges.isEmpty { lines.append("nothing: the rollback of run \(target.run) has not exchanged etcd's data") }
    if undo == nil, try staged(outlook).ready()?.evidence["revisionBumped"]?.bool == false {
      lines.append("etcd's revisions run backwards then: who watches the API server on this node is restarted after it")
    }
    return Intentions(lines)
  }

  func perform(_ context: StepContext) throws(Failure) {
    try Outage.begin(.swap, context)
    try ControlPlaneStop(context, try RollbackTarget(context, undo: undo)).ensure()
    let exchanges = try exchanges(context)
    // Half way through, what has come in already is not missing in the staged directory.
    if undo == nil, try !isBegun(exchanges, context) { try staged(context).ensure(context) }
    try requireUnlocked(context)
    let began = monotonicNow()
    for exchange in exchanges {
      try exchange.perform(context)
      if undo != nil { try forget(exchange, context) }
    }
    let took = monotonicNow() - began
    try context.journal.note(
      context.run, step: context.step, "etcd-swapped", ["microseconds": .int(Int64(took.inSeconds * 1e6))], at: context.machine.now())
    if undo == nil { try removeMarker(context) }
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let exchanges = try exchanges(context)
    for exchange in exchanges where try !exchange.isDone(context) {
      throw Failure(what: "etcd's data is not in place", why: "\(exchange.live) is not what was restored", next: "run `kguard resume`")
    }
    try context.settleMoves()
    try Outage.end(.swap, context)
    // Of an undo what is in place again is not known as moved any more.
    let brought = try context.artifacts(of: context.run).filter { $0.kind == EtcdExchange.restoredKind }.map(\.path)
    var evidence: JSON = [
      "live": JSON(undo == nil ? exchanges.map(\.live) : brought),
      "aside": JSON(try context.artifacts(of: context.run).filter { $0.kind == EtcdExchange.asideKind }.map(\.path)),
    ]
    if undo == nil ? exchanges.isEmpty : brought.isEmpty {
      evidence["summary"] = "etcd's data was not exchanged: there is nothing to do"
    } else if undo != nil {
      evidence["summary"] = "etcd's data is again what it was before the rollback"
    } else {
      let bumped = try EtcdExchange.raisedRevisions(context)
      evidence["revisionBumped"] = .bool(bumped)
      evidence["summary"] = .string(
        "the bundle's data is in place, the former one stands beside it; "
          + (bumped ? "revisions were raised" : "revisions run backwards: restart the kubelets of other nodes"))
    }
    return evidence
  }

  /// Writes down that an undo has put back what the rollbacks had exchanged: another undo, or another rollback, does not count on it.
  private func forget(_ exchange: EtcdExchange, _ context: StepContext) throws(Failure) {
    try failpoint("\(context.step)/\(exchange.name)-forget.before")
    for record in try RollbackTarget(context, undo: undo).records where record.state != .removed {
      let isIt =
        [EtcdExchange.asideKind, EtcdExchange.restoredKind].contains(record.kind) && [record.path, record.origin].contains(exchange.live)
      let isInIt = record.kind.hasPrefix("etcd-log-") && (record.path + (record.origin ?? "")).contains(exchange.live + "/")
      if isIt || isInIt { try context.forget(record) }
    }
  }

  // MARK: - What is exchanged

  private func exchanges(_ context: some StepSight) throws(Failure) -> [EtcdExchange] {
    let target = try RollbackTarget(context, undo: undo)
    if undo != nil { return EtcdExchange.undoing(target, run: context.run) }
    return EtcdExchange.swaps(try staged(context).plan, target, run: context.run)
  }

  private func staged(_ context: some StepSight) throws(Failure) -> StagedCopy {
    let target = try RollbackTarget(context)
    return try StagedCopy(context, target, try ControlPlaneSite.look(context, target))
  }

  private func isBegun(_ exchanges: [EtcdExchange], _ context: StepContext) throws(Failure) -> Bool {
    for exchange in exchanges where try exchange.isDone(context) { return true }
    return false
  }

  /// Somebody may have started etcd between the steps.
  private func requireUnlocked(_ context: StepContext) throws(Failure) {
    let site = try ControlPlaneSite.read(context, try RollbackTarget(context, undo: undo))
    guard let data = site.data, try Files.isLocked(data + "/member/snap/db") else { return }
    throw Failure(
      what: "cannot exchange etcd's data", why: "a process holds the lock of \(data)/member/snap/db",
      next: "stop it, then run `kguard resume`")
  }

  private func markerIsGone(_ context: StepContext) throws(Failure) -> Bool {
    undo != nil ? true : try !Files.exists(try staged(context).plan.marker)
  }

  /// The marker speaks of a directory that is not there any more; what it said of the drill is kept.
  private func removeMarker(_ context: StepContext) throws(Failure) {
    let plan = try staged(context).plan
    guard let data = try StagedData.read(plan) else { return }
    try Files.replace(
      EtcdExchange.drillRecord(context), with: Array(data.evidence.text(pretty: true).utf8))
    try failpoint("\(context.step)/marker.before")
    if plan.swap == .moveMember { try Files.removeOwnEmptyDirectory(plan.staged) }
    try Files.removeOwn(plan.marker)
    try failpoint("\(context.step)/marker.after")
    let target = try RollbackTarget(context)
    for run in [target.run] + target.rollbacks where try context.artifacts(of: run).contains(where: { $0.path == plan.staged }) {
      try context.journal.artifact(run, step: context.step, kind: "staged", path: plan.staged, .removed, at: context.machine.now())
    }
  }
}
