internal import Bundles
public import Engine
internal import Host
internal import Journal
public import Model
public import Playbooks

/// `bundle/verify`: reads the whole snapshot with kguard's own reader, compares it with what the live cluster said, and seals the
/// bundle with `SHA256SUMS` and `bundle.json`.
public struct BundleVerify: Action {
  public static let signature = ActionSignature(
    "bundle/verify", summary: "read the whole snapshot, compare it with the live cluster, and write bundle.json",
    requiresBefore: ["etcd/snapshot"])

  public init(_ inputs: ActionInputs) throws(Failure) {}

  public func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let bundle = try outlook.bundle(nil)
    return Intentions(["reads every page of \(bundle.snapshot)", "writes \(bundle.sums) and \(bundle.manifest)"])
  }

  public func perform(_ context: StepContext) throws(Failure) {
    let bundle = try context.bundle(nil)
    guard let taken = try EtcdSnapshot.taken(bundle) else {
      throw Failure(
        .verification, what: "cannot verify the bundle \(bundle.id)", why: "its snapshot is not there", next: "run `kguard resume`")
    }
    do throws(Failure) { try prove(bundle, taken, context) } catch {
      // What was sealed of it goes nowhere.
      if error.exit != .interrupted { try? SealedAhead.discard(bundle) }
      throw error
    }
  }

  private func prove(_ bundle: BundleDirectory, _ taken: JSON, _ context: StepContext) throws(Failure) {
    var taken = taken
    let snapshot = try verifySnapshot(
      bundle.snapshot, expecting: Self.expectations(taken), withLiveDigest: true, stop: context.stop
    ) { done, total in context.progress(Progress(done: done, total: total)) }
    try failpoint("bundle-verify.read")
    taken["live"] = try compareWithCluster(snapshot.report, taken["live"], context)
    let archive = try Files.exists(bundle.archive) ? try BundleFile.measure(bundle, BundleDirectory.archiveName) : nil
    let manifest = try BundleManifest.write(
      bundle, snapshot: snapshot, taken: taken, created: context.machine.now(), archive: archive)
    try context.journal.bundleVerified(
      bundle.id, run: context.run, directory: bundle.path, manifest: manifest.json, at: context.machine.now())
  }

  public func verify(_ context: StepContext) throws(Failure) -> JSON {
    let bundle = try context.bundle(nil)
    let manifest = try BundleManifest(reading: bundle)
    let snapshot = manifest.snapshot
    let keys = snapshot["liveKeys"]?.int ?? 0
    let archived = manifest.file(BundleDirectory.archiveName) != nil
    let isCompared = manifest.json.at("live", "compared")?.bool == true
    return [
      "summary": .string(
        "\(keys) keys, revision \(manifest.revision), every page sound\(isCompared ? "" : "; not compared with the live cluster")"
          + (archived ? "" : "; without a node archive")),
      "bundle": .string(bundle.id), "revision": .int(manifest.revision), "keys": .int(keys), "compared": .bool(isCompared),
      "liveDigest": snapshot["liveDigest"] ?? .null, "files": .array(manifest.files.map(\.json)),
      "objects": snapshot["objects"] ?? [:],
    ]
  }

  /// The live cluster had as many keys at the snapshot's own revision, no fewer and no more. They were counted when the snapshot was taken;
  /// else they are counted now.
  private func compareWithCluster(_ report: SnapshotReport, _ counted: JSON?, _ context: StepContext) throws(Failure) -> JSON {
    var live = counted?["revision"]?.int == report.revision ? counted : nil
    if live == nil { live = try count(at: report.revision, context) }
    guard var live else { return ["revision": .int(report.revision), "compared": false] }
    let total = live["total"]?.int ?? 0
    guard total == Int64(report.liveKeys) else {
      throw Failure(
        .verification, what: "the snapshot does not hold what the cluster held",
        why: "at revision \(report.revision) the cluster had \(total) keys, and the snapshot has \(report.liveKeys)",
        next: "take another snapshot with `kguard backup`, from another member if it happens again")
    }
    live["compared"] = true
    return live
  }

  /// Nil where the cluster has compacted that revision away: the snapshot is none the worse for it.
  private func count(at revision: Int64, _ context: StepContext) throws(Failure) -> JSON? {
    let location = try EtcdLocation.find(context.machine, context.settings.etcdOverrides)
    let client = try EtcdCluster(location.endpoints, stop: context.stop).healthyClient()
    do throws(Failure) { return try client.keySpace(prefix: location.prefix, revision: revision, hashed: false).json } catch {
      guard error.why.contains("compacted") else { throw error }
      context.message("warning: the live cluster has compacted revision \(revision): its keys could not be compared with the snapshot's")
      return nil
    }
  }

  /// What the cluster said when the snapshot began.
  static func expectations(_ taken: JSON) -> SnapshotExpectations {
    var expectations = SnapshotExpectations()
    expectations.needsTrailer = true
    expectations.sha256 = taken.at("snapshot", "sha256")?.string.flatMap { Digest(hex: $0) }
    expectations.minimumRevision = taken.at("snapshot", "revisionAtLeast")?.int
    return expectations
  }
}
