internal import Engine
internal import Host
internal import Journal
internal import Model

/// One directory of etcd's that gives its place to another: the live one moves aside, the other is renamed into its place. Two renames,
/// whatever the size of the data.
struct EtcdExchange: Equatable {
  /// `data`, or `wal` where the write-ahead log has a directory of its own.
  let name: String
  let live: String
  let incoming: String
  let outgoing: String
  /// `live` is a mount point, which can't be renamed: the files in it move, one by one.
  var movesFiles = false

  static let asideKind = "etcd-aside"
  static let restoredKind = "etcd-restored"

  /// What a rollback exchanges: the restored data comes in, the present data goes aside.
  static func swaps(_ plan: StagingPlan, _ target: RollbackTarget, run: RunID) -> [EtcdExchange] {
    let suffix = "kguard-aside-\(run)"
    var exchanges: [EtcdExchange] = []
    // The log first: etcd does not start with one of them only, so a crash between the two is no wrong beginning either way.
    if let wal = plan.liveWAL, let staged = plan.stagedWAL, plan.swapsLog {
      if plan.movesLogFiles {
        exchanges.append(
          EtcdExchange(
            name: "wal", live: wal, incoming: staged, outgoing: LogFiles.begun(target, wal) ?? "\(wal)/\(suffix)", movesFiles: true))
      } else {
        exchanges.append(EtcdExchange(name: "wal", live: wal, incoming: staged, outgoing: "\(wal).\(suffix)"))
      }
    }
    switch plan.swap {
    case .rename: exchanges.append(EtcdExchange(name: "data", live: plan.live, incoming: plan.staged, outgoing: "\(plan.live).\(suffix)"))
    case .moveMember:
      exchanges.append(
        EtcdExchange(
          name: "data", live: plan.live + "/member", incoming: plan.staged + "/member", outgoing: "\(plan.live)/member.\(suffix)"))
    }
    return exchanges
  }

  /// The same backwards: what the rollbacks of a run moved aside first comes in again.
  static func undoing(_ target: RollbackTarget, run: RunID) -> [EtcdExchange] {
    var seen: Set<String> = []
    return target.moved(asideKind).compactMap { artifact in
      // Of several rollbacks the first has moved the original.
      guard let live = artifact.origin, seen.insert(live).inserted else { return nil }
      let movesFiles = artifact.path.hasPrefix(live + "/")
      return EtcdExchange(
        name: artifact.detail["name"]?.string ?? "data", live: live, incoming: artifact.path,
        outgoing: live + (movesFiles ? "/" : ".") + "kguard-undone-\(run)", movesFiles: movesFiles)
    }
  }

  static func inode(_ artifact: ArtifactRecord) -> UInt64? { artifact.detail["inode"]?.string.flatMap { UInt64($0) } }

  /// The incoming directory has taken its place.
  func isDone(_ context: StepContext) throws(Failure) -> Bool {
    if movesFiles { return try LogFiles(self, context).isDone() }
    guard try Files.info(incoming, followLinks: false) == nil, let now = try Files.info(live) else { return false }
    let planned = try context.artifacts(of: context.run).last { $0.kind == Self.restoredKind && $0.path == live }
    return planned.flatMap(Self.inode) == now.inode
  }

  func perform(_ context: StepContext) throws(Failure) {
    if try isDone(context) { return try context.artifact(Self.restoredKind, live, .present) }
    guard try Files.exists(incoming) else {
      throw Failure(
        .needsOperator, what: "cannot put etcd's data back", why: "\(incoming) is gone",
        next: "run `kguard resume`, which restores it from the bundle again")
    }
    if movesFiles { return try LogFiles(self, context).perform() }
    let isAside = try Files.exists(outgoing)
    // As before: owner, mode and label of what is replaced, path by path.
    let model = isAside ? outgoing : live
    if try Files.exists(model) { try Files.giveAccess(incoming, as: model) }
    try failpoint("\(context.step)/\(name)-access.after")
    let isLive = try Files.exists(live)
    if !isAside && isLive {
      try context.move(Self.asideKind, live, to: outgoing, label: "\(name)-aside", detail: ["name": .string(name)])
    } else if isAside {
      try context.artifact(Self.asideKind, outgoing, .present, detail: ["from": .string(live), "name": .string(name)])
    }
    try context.move(Self.restoredKind, incoming, to: live, label: "\(name)-restored", detail: ["name": .string(name)])
  }

  // MARK: - Revisions

  /// What the drill has shown of the data that came in.
  static func drillRecord(_ context: some StepSight, run: RunID? = nil) -> String {
    context.state.directory(of: run ?? context.run) + "/drill.json"
  }

  /// True where the restore has raised etcd's revisions, so that no watcher believes what it saw before.
  static func raisedRevisions(_ context: some StepSight, run: RunID? = nil) throws(Failure) -> Bool {
    guard let text = try Files.textIfPresent(drillRecord(context, run: run)) else { return false }
    return try JSON(parsing: text)["revisionBumped"]?.bool ?? false
  }
}
