public import Host
public import Model

/// Proves that a snapshot restores: into a staging directory with etcd's own tool, then booted from a copy, then compared. The staged
/// directory stays, ready for a rollback that is only a rename. A drill that a crash cut is done again from the start; what it left is
/// found by its marker and removed first.
public struct Drill {
  public struct Order: Sendable {
    /// The snapshot's path, and the digest of the whole file.
    public var snapshot: String
    public var sha256: Digest
    /// False for a `db` file that was copied from a stopped member: it has no checksum at its end.
    public var hasTrailer = true
    public var plan: StagingPlan
    public var membership: RestoreMembership
    /// The cluster's.
    public var version: EtcdVersion
    /// What the live cluster held at the snapshot's revision, where that is known.
    public var expected: KeySpace?
    public var prefix = "/registry"

    public init(snapshot: String, sha256: Digest, plan: StagingPlan, membership: RestoreMembership, version: EtcdVersion) {
      self.snapshot = snapshot
      self.sha256 = sha256
      self.plan = plan
      self.membership = membership
      self.version = version
    }
  }

  private let tools: EtcdTools
  private let stop: StopSignal?

  public init(_ tools: EtcdTools, stop: StopSignal? = nil) {
    self.tools = tools
    self.stop = stop
  }

  /// `proof` compares the snapshot with the staged `db` by kguard's own reader, and gives evidence. `phase` is told what begins.
  @discardableResult
  public func run(
    _ order: Order, phase: (String) -> Void = { _ in }, proof: (_ snapshot: String, _ db: String) throws(Failure) -> JSON
  ) throws(Failure) -> StagedData {
    let plan = order.plan
    if let ready = try cleanUp(order) { return ready }
    let restoreTool = try tools.findRestoreTool(for: order.version)
    let server = try tools.findServer(for: order.version)
    try requireSpace(order)

    var data = StagedData(plan: plan, state: .started, snapshot: order.sha256, maker: .current(), evidence: [:])
    try failpoint("etcd-drill.before")
    try data.write()
    do throws(Failure) {
      data.evidence = try evidence(order, restoreTool, server, phase, proof)
      try failpoint("etcd-drill.proven")
      data.state = .complete
      try Files.removeOwn(plan.log)
      try data.write()
      try failpoint("etcd-drill.complete")
      return data
    } catch {
      // The failure that is told is the first one.
      try? data.discard()
      throw error
    }
  }

  private func evidence(
    _ order: Order, _ restoreTool: EtcdTool, _ server: EtcdTool, _ phase: (String) -> Void,
    _ proof: (String, String) throws(Failure) -> JSON
  ) throws(Failure) -> JSON {
    let plan = order.plan
    var times: JSON = [:]
    func timed<R>(_ name: String, _ work: () throws(Failure) -> R) throws(Failure) -> R {
      phase(name)
      let began = monotonicNow()
      let result = try work()
      times[name] = .int((monotonicNow() - began).milliseconds)
      try failpoint("etcd-drill.\(name)")
      return result
    }
    let bumped = try timed("restore") { () throws(Failure) in
      try restoreTool.restore(order.snapshot, plan, order.membership, hasTrailer: order.hasTrailer, stop: stop)
    }
    let native = try timed("compare") { () throws(Failure) in try proof(order.snapshot, plan.staged + "/member/snap/db") }
    try timed("copy") { () throws(Failure) in
      try Files.makeDirectory(plan.scratch, mode: 0o700)
      try Files.copyTree(plan.staged, to: plan.scratch + "/data")
      if let wal = plan.stagedWAL { try Files.copyTree(wal, to: plan.scratch + "/wal") }
    }
    let scratch = try timed("boot") { () throws(Failure) in
      try ScratchEtcd.boot(server, plan, order.membership, stop: stop)
    }
    let found: KeySpace
    do throws(Failure) {
      found = try timed("count") { () throws(Failure) in
        // Leases run out in the scratch etcd too: without a bump only the snapshot's own revision is sure to hold still.
        try scratch.client.keySpace(prefix: order.prefix, revision: bumped ? 0 : order.expected?.revision ?? 0)
      }
      scratch.stop()
    } catch {
      scratch.stop()
      throw error
    }
    try Files.removeOwnTree(plan.scratch)
    let differences = order.expected.map { found.differences(from: $0) } ?? []
    guard differences.isEmpty else {
      throw Failure(
        .verification, what: "the drill failed: the restored data differs from the cluster's at revision \(order.expected?.revision ?? 0)",
        why: differences.prefix(8).joined(separator: "; "), next: "take another snapshot; do not upgrade with this one")
    }
    var json: JSON = [
      "restoredWith": restoreTool.json, "bootedWith": server.json, "revisionBumped": .bool(bumped), "keySpace": found.json,
      "native": native, "milliseconds": times, "stagedBytes": .int(try Files.sizeOfTree(plan.staged)), "plan": plan.json,
    ]
    if let expected = order.expected {
      json["expected"] = expected.json
      json["hashCompared"] = .bool(found.hasComparableHash(expected))
    }
    return json
  }

  /// Removes what earlier drills left half done; gives what this very drill has finished already.
  private func cleanUp(_ order: Order) throws(Failure) -> StagedData? {
    for data in try StagedData.all(beside: order.plan) {
      let isOwn = data.plan.id == order.plan.id
      if data.state == .complete {
        guard isOwn else { continue }
        if data.snapshot == order.sha256, data.plan == order.plan, try data.isWhole() { return data }
      } else if data.maker.isAlive && data.maker != .current() {
        guard isOwn else { continue }
        throw Failure(
          .held, what: "cannot drill \(order.snapshot)", why: "process \(data.maker.pid) is doing it", next: "wait until it has finished")
      }
      try data.discard()
    }
    return nil
  }

  /// The staged directory and its copy, each with two segments of 64 MiB of write-ahead log.
  static func space(forSnapshot size: Int64) -> Int64 { size.multipliedReportingOverflow(by: 2).partialValue &+ 320 << 20 }

  private func requireSpace(_ order: Order) throws(Failure) {
    let size = try Files.info(order.snapshot)?.size ?? 0
    let needed = Self.space(forSnapshot: size)
    let free = try Files.freeSpace(order.plan.parent)
    guard free < needed else { return }
    throw Failure(
      .preflightRefused, what: "cannot drill \(order.snapshot)",
      why: "\(order.plan.parent) has \(sizeForPeople(free)) free, and a restore with its copy needs \(sizeForPeople(needed))",
      next: "free space on that filesystem")
  }
}
