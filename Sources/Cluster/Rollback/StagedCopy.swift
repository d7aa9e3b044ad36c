internal import Bundles
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// The bundle's data as the drill has restored it, ready to take the live one's place; restored again where it is not there any more.
struct StagedCopy {
  let plan: StagingPlan
  let bundle: BundleDirectory
  let manifest: BundleManifest

  init(_ context: some StepSight, _ target: RollbackTarget, _ site: ControlPlaneSite) throws(Failure) {
    bundle = target.bundleDirectory(context)
    manifest = try BundleManifest(reading: bundle)
    if let plan = try target.stagingPlan(context) {
      self.plan = plan
      return
    }
    let settings = try context.settings
    let own = try? EtcdLocation.find(context.machine, settings.etcdOverrides).manifest
    guard let directory = settings.etcd.dataDir ?? own?.dataDirectory ?? site.data.map({ _ in site.hostData(context.machine) }) else {
      throw Failure(
        .needsOperator, what: "cannot restore etcd", why: "neither a manifest nor an earlier drill says where its data lies",
        next: "set etcd.data-dir in the configuration, then run `kguard resume`")
    }
    plan = try StagingPlan.make(context.machine, dataDirectory: directory, walDirectory: own?.walDirectory, id: bundle.id)
  }

  /// What stands there is whole by its marker, and of this bundle.
  func ready() throws(Failure) -> StagedData? {
    guard let data = try StagedData.read(plan), data.plan == plan,
      data.snapshot == manifest.file(BundleDirectory.snapshotName)?.sha256, try data.isWhole()
    else { return nil }
    return data
  }

  /// Reads the staged database whole: it must hold what the bundle holds. A bit that has flipped since the drill is found here.
  func isSound(stop: StopSignal) throws(Failure) -> Bool {
    var expectations = SnapshotExpectations()
    expectations.liveDigest = manifest.liveDigest
    do throws(Failure) {
      _ = try verifySnapshot(plan.staged + "/member/snap/db", expecting: expectations, withLiveDigest: true, stop: stop)
      return true
    } catch {
      guard error.exit == .verification else { throw error }
      return false
    }
  }

  /// Makes it where it is missing. The order of the drill is asked with the same plan, so that a second one finds the first one's work.
  @discardableResult
  func ensure(_ context: StepContext) throws(Failure) -> StagedData {
    if let data = try ready() { return data }
    let order = try DrillOrder(context.machine, try context.settings, context.state, bundle, plan: plan, stop: context.stop)
    let data = try order.run { phase in
      context.message("restoring the bundle \(bundle.id): \(phase)")
    } planned: { (plan) throws(Failure) in
      try context.artifact("staged", plan.staged, .planned, detail: plan.json)
    }
    try context.artifact("staged", data.plan.staged, .present, detail: ["bundle": .string(bundle.id)])
    return data
  }
}

extension ControlPlaneSite {
  /// The data directory as the host calls it.
  func hostData(_ machine: any Machine) -> String {
    guard let data, machine.root != "/", data.hasPrefix(machine.root + "/") else { return data ?? "" }
    return String(data.dropFirst(machine.root.count))
  }
}
