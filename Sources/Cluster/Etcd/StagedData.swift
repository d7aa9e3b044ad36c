internal import Host
public import Model

/// What the marker beside a staged directory says. A staged directory is whole only where its marker says `complete`.
public struct StagedData: Sendable, Equatable {
  public enum State: String, Sendable { case started, complete }
  public let plan: StagingPlan
  public internal(set) var state: State
  /// Of the snapshot that was restored.
  public let snapshot: Digest
  /// Who makes it.
  let maker: ProcessIdentity
  /// What the drill has shown; empty before it is complete.
  public internal(set) var evidence: JSON

  /// What stands beside the staged directory of this plan; nil where nothing does.
  public static func read(_ plan: StagingPlan) throws(Failure) -> StagedData? { try read(marker: plan.marker) }

  /// All staged directories for this live data directory, whoever made them.
  public static func all(beside plan: StagingPlan) throws(Failure) -> [StagedData] {
    let names = try Files.list(plan.parent).filter { $0.contains(StagingPlan.infix) && $0.hasSuffix(".json") }
    var found: [StagedData] = []
    for name in names {
      if let data = try read(marker: plan.parent + "/" + name), data.plan.live == plan.live { found.append(data) }
    }
    return found
  }

  /// All of it stands there. A rollback that failed half way has taken a part of it.
  func isWhole() throws(Failure) -> Bool {
    guard state == .complete, try Files.info(plan.staged + "/member/snap/db")?.kind == .file else { return false }
    guard let wal = plan.stagedWAL else { return true }
    return try Files.info(wal)?.kind == .directory
  }

  /// Removes the staged directory, what belongs to it, and at last its marker.
  public func discard() throws(Failure) {
    try OwnProcess.endAll(using: [plan.staged, plan.scratch])
    try failpoint("etcd-drill.discard")
    for path in [plan.scratch, plan.staged, plan.stagedWAL].compactMap({ $0 }) { try Files.removeOwnTree(path) }
    // etcd's tool restores into a temporary name beside the log in some versions; it bears the staged one's name.
    try Files.removeOwn(plan.log)
    try Files.removeOwn(plan.marker)
  }

  /// Gives the restored data its own name, which must be free, and forgets that it was staged.
  public func take(to path: String) throws(Failure) {
    try Files.move(plan.staged, to: path)
    try Files.removeOwn(plan.marker)
  }

  func write() throws(Failure) {
    let json: JSON = [
      "kguard": "staged", "state": .string(state.rawValue), "plan": plan.json, "snapshot": .string("\(snapshot)"), "maker": maker.json,
      "evidence": evidence,
    ]
    try Files.replace(plan.marker, with: Array(json.text(pretty: true).utf8), mode: 0o600)
  }

  private static func read(marker: String) throws(Failure) -> StagedData? {
    guard let text = try Files.textIfPresent(marker) else { return nil }
    guard let json = try? JSON(parsing: text), json["kguard"]?.string == "staged", let plan = StagingPlan(json: json["plan"]),
      plan.marker == marker, let state = json["state"]?.string.flatMap(State.init(rawValue:)),
      let snapshot = json["snapshot"]?.string.flatMap({ Digest(hex: $0) }), let maker = ProcessIdentity(json: json["maker"])
    else {
      throw Failure(
        what: "cannot read \(marker)", why: "it is not a marker of this kguard's staged data",
        next: "look at it; move it and what it stands beside away if nobody needs them")
    }
    return StagedData(plan: plan, state: state, snapshot: snapshot, maker: maker, evidence: json["evidence"] ?? .null)
  }
}
