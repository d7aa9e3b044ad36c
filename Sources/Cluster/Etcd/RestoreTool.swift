internal import Host
public import Model

/// What a restore needs besides the snapshot: who this member is, and who all members were when the snapshot was taken.
public struct RestoreMembership: Sendable, Equatable {
  /// This member's `--name`.
  public let name: String
  public let peerURLs: [String]
  /// `name=url,…` over all members.
  public let initialCluster: String
  public let memberCount: Int
  /// New with every restore, so that members of the old cluster and the new one never talk to each other.
  public let token: String

  /// `members` comes from etcd's own list, recorded with the snapshot: the manifest's `--initial-cluster` is out of date.
  public init(name: String, members: [EtcdMember], token: String) throws(Failure) {
    func wrong(_ why: String, _ next: String) -> Failure {
      Failure(.preflightRefused, what: "cannot restore etcd's member \(name)", why: why, next: next)
    }
    if let learner = members.first(where: \.isLearner) { throw EtcdSurvey.learner(learner.name) }
    if let silent = members.first(where: \.name.isEmpty) {
      throw wrong("the member \(etcdID(silent.id)) has never started and has no name", "start it or remove it, then take a new snapshot")
    }
    guard let own = members.first(where: { $0.name == name }), !own.peerURLs.isEmpty else {
      throw wrong(
        "the snapshot's members are \(members.map(\.name).joined(separator: ", "))",
        "check --name in etcd's manifest, or choose the bundle of this node")
    }
    self.name = name
    peerURLs = own.peerURLs
    initialCluster = members.flatMap { member in member.peerURLs.map { "\(member.name)=\($0)" } }.joined(separator: ",")
    memberCount = members.count
    self.token = token
  }
}

extension EtcdTool {
  /// Far above any revision that was given out after the snapshot, as etcd's own guide has it.
  static let revisionBump: Int64 = 1_000_000_000

  /// Restores a snapshot into the plan's staged directory, which must not exist. True where revisions were bumped.
  func restore(
    _ snapshot: String, _ plan: StagingPlan, _ membership: RestoreMembership, hasTrailer: Bool, stop: StopSignal?
  ) throws(Failure) -> Bool {
    let what = "cannot restore \(snapshot) into \(plan.staged)"
    for path in [plan.staged, plan.stagedWAL].compactMap({ $0 }) where try Files.exists(path) {
      throw Failure(what: what, why: "\(path) exists already", next: "move it away; kguard restores into a new directory only")
    }
    let bumps = try canBumpRevision()
    var argv = [
      path, "snapshot", "restore", snapshot, "--data-dir=" + plan.staged, "--name=" + membership.name,
      "--initial-cluster=" + membership.initialCluster, "--initial-cluster-token=" + membership.token,
      "--initial-advertise-peer-urls=" + membership.peerURLs.joined(separator: ","),
    ]
    if let wal = plan.stagedWAL { argv.append("--wal-dir=" + wal) }
    if bumps { argv += ["--bump-revision=\(Self.revisionBump)", "--mark-compacted"] }
    if !hasTrailer { argv.append("--skip-hash-check") }

    let size = try Files.info(snapshot)?.size ?? 0
    let process = try OwnProcess.start(argv, directory: plan.parent, log: plan.log)
    try failpoint("etcd-drill.restoring")
    let (end, wasCut) = process.finish(within: EtcdClient.timeLimit(forSize: size), stop: stop)
    if wasCut, stop?.isNow == true {
      throw Failure(.interrupted, what: what, why: "it was stopped", next: "run `kguard resume` to go on")
    }
    guard end.isSuccess else {
      throw Failure(
        .verification, what: what, why: wasCut ? "\(kind) took too long" : "\(kind) says: \(process.lastWords) (\(end))",
        next: "check the disk, and that the snapshot is whole: kguard bundle verify")
    }
    for path in [plan.staged, plan.stagedWAL].compactMap({ $0 }) {
      try Files.setMode(path, 0o700)
      try Files.giveTree(path, owner: plan.owner, group: plan.group)
      try Files.syncTree(path)
      try Files.syncDirectory(Files.directory(of: path))
    }
    guard try Files.info(plan.staged + "/member/snap/db")?.kind == .file else {
      throw Failure(
        .verification, what: what, why: "\(kind) says that it is done, but \(plan.staged)/member/snap/db is missing",
        next: "look at \(plan.log)")
    }
    return bumps
  }
}
