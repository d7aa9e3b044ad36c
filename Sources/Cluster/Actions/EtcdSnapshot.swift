internal import Bundles
public import Engine
internal import Host
public import Model
public import Playbooks

/// `etcd/snapshot`: streams a snapshot from a healthy voter into the run's bundle, and notes what the live cluster held.
public struct EtcdSnapshot: Action {
  public static let signature = ActionSignature(
    "etcd/snapshot", summary: "stream a snapshot of etcd into the run's bundle, from a healthy member, over gRPC")

  public init(_ inputs: ActionInputs) throws(Failure) {}

  /// The snapshot appears under its name only when it is whole; the note beside it is written after it.
  public func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    let bundle = try context.bundle(nil)
    guard let taken = try Self.taken(bundle), let info = try Files.info(bundle.snapshot) else { return false }
    return taken.at("snapshot", "size")?.int == info.size
  }

  public func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let to = "to \(try outlook.bundle(nil).snapshot)"
    do throws(Failure) { return Intentions(["from \(try EtcdSource.find(outlook).words)", to]) } catch {
      return Intentions(["from etcd, which gives none now: \(error)", to])
    }
  }

  public func perform(_ context: StepContext) throws(Failure) {
    let bundle = try context.bundle(nil)
    try bundle.make()
    // A snapshot without its note was cut off between the two: it is ours, and taken again.
    try Files.removeOwn(bundle.taken)
    try Files.removeOwn(bundle.snapshot)
    try SealedAhead.discard(bundle)
    let location = try EtcdLocation.find(context.machine, context.settings.etcdOverrides)
    let cluster = EtcdCluster(location.endpoints, stop: context.stop)
    let (snapshot, survey, sealing) = try take(bundle, from: cluster, context)
    try failpoint("etcd-snapshot.note.before")
    var taken: JSON = [
      "snapshot": snapshot.json,
      "etcd": [
        "version": .string(snapshot.etcdVersion), "cluster": .string(String(snapshot.cluster, radix: 16)),
        "member": .string(String(snapshot.member, radix: 16)), "endpoint": .string(snapshot.endpoint),
        "members": .array(survey.members.map(\.json)), "name": JSON(location.manifest?.name), "prefix": .string(location.prefix),
        "stacked": .bool(location.manifest != nil), "image": JSON(location.manifest?.image),
      ],
      "node": .string((try? ThisNode.name(context.machine)) ?? hostName()), "warnings": JSON(survey.warnings.map(\.description)),
    ]
    try note(taken, bundle)
    try failpoint("etcd-snapshot.noted")
    if let live = try count(snapshot, in: cluster, prefix: location.prefix, context) {
      taken["live"] = live
      try note(taken, bundle)
    }
    // The snapshot is safe by now, whatever becomes of its sealed form.
    if let sealed = try sealTheRest(of: snapshot, sealing, context) {
      taken["sealed"] = sealed.json
      try note(taken, bundle)
    }
    for warning in survey.warnings { context.message("warning: \(warning)") }
  }

  private func note(_ taken: JSON, _ bundle: BundleDirectory) throws(Failure) {
    try Files.replace(bundle.taken, with: Array((taken.text(pretty: true) + "\n").utf8))
  }

  /// How many keys the live cluster has at the snapshot's own revision. Soon nobody can be asked for it any more: the API server has etcd
  /// compact old revisions every few minutes. Nil: it is asked when the snapshot is verified.
  private func count(
    _ snapshot: SnapshotTaken, in cluster: EtcdCluster, prefix: String, _ context: StepContext
  ) throws(Failure) -> JSON? {
    do throws(Failure) {
      let revision = try SnapshotReader(snapshot.path).newestRevision()
      return try cluster.healthyClient().keySpace(prefix: prefix, revision: revision, hashed: false).json
    } catch {
      if error.exit == .interrupted { throw error }
      context.message("the keys of the live cluster could not be counted yet: \(error)")
      return nil
    }
  }

  /// Streams the snapshot, and begins to seal it on the way where it will go off-site.
  private func take(
    _ bundle: BundleDirectory, from cluster: EtcdCluster, _ context: StepContext
  ) throws(Failure) -> (SnapshotTaken, EtcdSurvey, SealingAhead?) {
    // A configuration that is wrong about off-site is refused by the copy, which needs it.
    let offsite = try? Offsite(context.settings, context.machine, context.state)
    var sealing: SealingAhead?
    let tap = { (size: Int64, part: String) -> SnapshotTap? in
      do throws(Failure) { sealing = try offsite?.sealAhead(bundle, from: part, size: size) } catch { tellUnsealed(error, context) }
      guard let sealing else { return nil }
      return { sealing.reached($0) }
    }
    let progress = { (done: Int64, total: Int64) in context.progress(Progress(done: done, total: total)) }
    do throws(Failure) {
      let (snapshot, survey) = try cluster.snapshot(to: bundle.snapshot, machine: context.machine, progress: progress, tap: tap)
      return (snapshot, survey, sealing)
    } catch {
      sealing?.abandon()
      throw error
    }
  }

  private func sealTheRest(
    of snapshot: SnapshotTaken, _ sealing: SealingAhead?, _ context: StepContext
  ) throws(Failure) -> SealedAhead? {
    guard let sealing else { return nil }
    if sealing.failure == nil { context.phase("sealing the rest for off-site") }
    let sealed = try sealing.finish(size: snapshot.size, sha256: snapshot.sha256, stop: context.stop, progress: context.progress)
    if let failure = sealing.failure { tellUnsealed(failure, context) }
    return sealed
  }

  private func tellUnsealed(_ failure: Failure, _ context: StepContext) {
    context.message("the snapshot could not be sealed on the way, the copy will do it: \(failure)")
  }

  public func verify(_ context: StepContext) throws(Failure) -> JSON {
    let bundle = try context.bundle(nil)
    guard let taken = try Self.taken(bundle), let size = try Files.info(bundle.snapshot)?.size, let snapshot = taken["snapshot"] else {
      throw Failure(.verification, what: "the snapshot is not there", why: "\(bundle.path) lacks it", next: "run `kguard resume`")
    }
    let revision = snapshot["revisionAtLeast"]?.int ?? 0
    return [
      "summary": .string("\(sizeForPeople(size)), revision \(revision)"), "bundle": .string(bundle.id), "path": .string(bundle.snapshot),
      "size": .int(size), "sha256": snapshot["sha256"] ?? .null, "revisionAtLeast": .int(revision),
      "etcdVersion": snapshot["etcdVersion"] ?? .null, "members": taken.at("etcd", "members") ?? [], "warnings": taken["warnings"] ?? [],
    ]
  }

  static func taken(_ bundle: BundleDirectory) throws(Failure) -> JSON? {
    guard let text = try Files.textIfPresent(bundle.taken) else { return nil }
    return try JSON(parsing: text)
  }
}
