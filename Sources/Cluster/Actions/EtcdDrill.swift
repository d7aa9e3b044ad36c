public import Bundles
public import Engine
public import Host
internal import Journal
public import Model
public import Playbooks

/// `etcd/drill`: proves that the bundle restores, and leaves the restored data beside etcd's own, ready for a rollback that is only
/// a rename.
public struct EtcdDrill: Action {
  public static let signature = ActionSignature(
    "etcd/drill", summary: "restore the snapshot beside etcd's data, boot it once, prove that it is the same, and keep it for a rollback",
    inputs: [
      ActionInput("bundle", description: "another bundle than this run's, or the path of a bundle's directory"),
      ActionInput("keep", .bool, description: "keep the restored data for a rollback (default true)"),
    ])

  private let bundle: String?
  private let keep: Bool

  public init(_ inputs: ActionInputs) throws(Failure) {
    bundle = inputs["bundle"]
    keep = inputs["keep"] != "false"
  }

  private static let words = [
    "restore": "restoring", "compare": "comparing with the snapshot", "copy": "copying for a trial", "boot": "booting a scratch etcd",
    "count": "counting its keys",
  ]

  public func perform(_ context: StepContext) throws(Failure) {
    let bundle = try context.bundle(self.bundle)
    do throws(Failure) { try drill(bundle, context) } catch {
      // A bundle that does not restore goes nowhere.
      if error.exit != .interrupted { try? SealedAhead.discard(bundle) }
      throw error
    }
  }

  private func drill(_ bundle: BundleDirectory, _ context: StepContext) throws(Failure) {
    // A whole database each, on etcd's own filesystem: those of earlier runs go first.
    try EndedStages(context.journal, running: context.run).discard(context.journal, at: context.machine.now()) { context.message($0) }
    let order = try DrillOrder(context.machine, try context.settings, context.state, bundle, stop: context.stop)
    let growth = FileGrowth(context.progressFromAnywhere)
    defer { growth.end() }
    let data = try order.run {
      order.follow($0, growth)
      context.phase(Self.words[$0] ?? $0)
    } progress: {
      context.progress($0)
    } planned: { (plan) throws(Failure) in
      try context.artifact("staged", plan.staged, .planned, detail: plan.json)
    }
    try context.artifact("staged", data.plan.staged, .present, detail: ["bundle": .string(bundle.id)])
    try Files.makeDirectory(context.directory, mode: 0o700)
    try Files.replace(context.state.directory(of: context.run) + "/drill.json", with: Array(data.evidence.text(pretty: true).utf8))
    try context.journal.bundleDrilled(bundle.id, evidence: data.evidence, at: context.machine.now())
    if !keep {
      try data.discard()
      try context.artifact("staged", data.plan.staged, .removed)
    }
  }

  public func verify(_ context: StepContext) throws(Failure) -> JSON {
    guard let text = try Files.textIfPresent(context.state.directory(of: context.run) + "/drill.json") else {
      throw Failure(.verification, what: "the drill left no record", why: "its file is missing", next: "run `kguard resume`")
    }
    let evidence = try JSON(parsing: text)
    let restore = Duration.milliseconds(evidence.at("milliseconds", "restore")?.int ?? 0)
    let keys = evidence.at("keySpace", "total")?.int ?? 0
    return [
      "summary": .string("restored in \(restore.forPeople), booted, \(keys) keys the same"),
      "bundle": .string(try context.bundle(bundle).id),
      "keys": .int(keys), "revisionBumped": evidence["revisionBumped"] ?? .null, "native": evidence["native"] ?? .null,
      "staged": keep ? evidence.at("plan", "staged") ?? .null : .null, "plan": keep ? evidence["plan"] ?? .null : .null,
      "tool": evidence.at("restoredWith", "program") ?? .null,
    ]
  }
}

/// A drill of any bundle: this run's, an earlier one, or one that was pulled to another machine.
public struct DrillOrder {
  private let order: Drill.Order
  private let drill: Drill
  private let digest: Digest?
  private let liveKeys: Int64?
  private let stop: StopSignal

  /// `plan`: where the restored data must stand, as a rollback knows while the manifests are away.
  public init(
    _ machine: any Machine, _ configuration: Configuration, _ state: StateDirectory, _ bundle: BundleDirectory,
    plan given: StagingPlan? = nil,
    stop: StopSignal
  ) throws(Failure) {
    let manifest = try BundleManifest.own(bundle)
    let etcd = manifest.etcd
    guard let version = EtcdVersion(manifest.etcdVersion), let file = manifest.file(BundleDirectory.snapshotName) else {
      throw Failure(
        .verification, what: "cannot drill the bundle \(bundle.id)", why: "its manifest is not complete", next: "choose another")
    }
    let members = (etcd["members"]?.array ?? []).compactMap { EtcdMember(json: $0) }
    // On a member of the cluster beside its data; on another machine in kguard's own directory.
    let location = try? EtcdLocation.find(machine, configuration.etcdOverrides)
    let own = location?.manifest.flatMap { manifest in members.contains { $0.name == manifest.name } ? manifest : nil }
    let plan: StagingPlan
    if let given {
      plan = given
    } else if let own {
      plan = try StagingPlan.make(
        machine, dataDirectory: configuration.etcd.dataDir ?? own.dataDirectory, walDirectory: own.walDirectory, id: bundle.id)
    } else {
      let directory = state.path + "/drills"
      try Files.makeDirectory(directory, mode: 0o700)
      plan = try StagingPlan.loose(in: directory, id: bundle.id)
    }
    let name = own?.name ?? etcd["name"]?.string ?? members.first?.name ?? "default"
    let membership = try RestoreMembership(name: name, members: members, token: "kguard-\(bundle.id)")
    var order = Drill.Order(snapshot: bundle.snapshot, sha256: file.sha256, plan: plan, membership: membership, version: version)
    order.prefix = etcd["prefix"]?.string ?? "/registry"
    self.order = order
    drill = Drill(
      EtcdTools(machine, cache: state.path + "/tools", image: etcd["image"]?.string, restoreTool: configuration.etcd.tool), stop: stop)
    digest = manifest.liveDigest
    liveKeys = manifest.snapshot["liveKeys"]?.int
    self.stop = stop
  }

  /// `planned` is told where the restored data will stand before anything is made there.
  /// What is seen from outside of a phase that does not tell by itself how far it is.
  func follow(_ phase: String, _ growth: FileGrowth) {
    let size = (try? Files.info(order.snapshot)?.size) ?? 0
    switch phase {
    case "restore": growth.follow(order.plan.staged + "/member/snap/db", total: size)
    case "copy": growth.follow(order.plan.scratch + "/data/member/snap/db", total: size)
    default: growth.end()
    }
  }

  public func run(
    _ phase: (String) -> Void, progress: (Progress) -> Void = { _ in }, planned: (StagingPlan) throws(Failure) -> Void
  ) throws(Failure) -> StagedData {
    try planned(order.plan)
    let data = try drill.run(order, phase: phase) { (snapshot, db) throws(Failure) in
      // The same keys with the same values and leases, whatever their revisions: the restore bumps those.
      var expectations = SnapshotExpectations()
      expectations.liveDigest = digest
      let staged = try verifySnapshot(db, expecting: expectations, withLiveDigest: true, stop: stop) {
        progress(Progress(done: $0, total: $1))
      }
      return [
        "liveDigest": JSON(staged.report.liveDigest?.description), "keys": JSON(staged.report.liveKeys),
        "compared": .bool(digest != nil),
      ]
    }
    let booted = data.evidence.at("keySpace", "total")?.int
    guard liveKeys == nil || booted == liveKeys else {
      throw Failure(
        .verification, what: "the drill failed: the restored etcd serves \(booted ?? 0) keys", why: "the snapshot holds \(liveKeys ?? 0)",
        next: "take another snapshot with `kguard backup`; do not upgrade with this one")
    }
    return data
  }
}
