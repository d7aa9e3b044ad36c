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

  public func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let settings = try outlook.settings
    let bundle = try outlook.bundle(self.bundle)
    let scene = try DrillScene(outlook, bundle)
    var lines: [String] = []
    let old = try outlook.records.map { (journal) throws(Failure) in
      try EndedStages(journal).paths.filter { (try? Files.exists($0)) == true }
    }
    if let old, !old.isEmpty { lines.append("removes what earlier drills have left: \(naming(old))") }
    let plan = try scene.own.map { (own) throws(Failure) in
      try DrillOrder.plan(outlook.machine, settings, beside: own, id: bundle.id)
    }
    let staged = plan?.staged ?? DrillOrder.elsewhere(outlook.state)
    let tools = DrillOrder.tools(outlook.machine, settings, outlook.state, image: scene.image)
    if let version = scene.version {
      lines.append("restores with \(tools.words("a restore tool") { (tools) throws(Failure) in try tools.findRestoreTool(for: version) })")
      lines.append("into \(staged)" + (keep ? ", which stays for a rollback" : ", and removes it again"))
      lines.append(
        "boots a copy with \(tools.words("etcd") { (tools) throws(Failure) in try tools.findServer(for: version) })")
    } else {
      lines += ["with the tools of etcd's own version, which cannot be told now", "into \(staged)"]
    }
    let place = plan?.parent ?? outlook.state.path
    if let size = scene.size, let free = try? Files.freeSpace(place) {
      lines.append("needs \(sizeForPeople(Drill.space(forSnapshot: size))) in \(place), where \(sizeForPeople(free)) are free")
    }
    return Intentions(lines)
  }

  public func perform(_ context: StepContext) throws(Failure) {
    let bundle = try context.bundle(self.bundle)
    do throws(Failure) { try drill(bundle, context) } catch {
      // A bundle of this run that does not restore goes nowhere. Another's sealed files may be its only copy.
      if self.bundle == nil, error.exit != .interrupted { try? SealedAhead.discard(bundle) }
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
    // A copy elsewhere proves nothing of the one that the catalogue knows.
    if try context.journal.bundles().contains(where: { $0.id == bundle.id && $0.directory == bundle.path }) {
      try context.journal.bundleDrilled(bundle.id, evidence: data.evidence, at: context.machine.now())
    }
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

/// What a drill will find: a bundle that is there, or, of one that is not taken yet, the living etcd.
private struct DrillScene {
  var own: EtcdManifest?
  var version: EtcdVersion?
  var image: String?
  var size: Int64?

  init(_ outlook: Outlook, _ bundle: BundleDirectory) throws(Failure) {
    let settings = try outlook.settings
    if try Files.exists(bundle.manifest) {
      let manifest = try BundleManifest(reading: bundle)
      let members = (manifest.etcd["members"]?.array ?? []).compactMap { EtcdMember(json: $0) }
      own = DrillOrder.own(outlook.machine, settings, members)
      version = EtcdVersion(manifest.etcdVersion)
      image = DrillOrder.image(manifest.etcd, bundle, outlook.state, own ?? DrillOrder.here(outlook.machine, settings))
      size = manifest.file(BundleDirectory.snapshotName)?.size
      return
    }
    own = try settings.etcdLocation(outlook.machine).manifest
    image = own?.image
    let source = try? EtcdSource.find(outlook)
    version = source.map { EtcdVersion($0.status.version) } ?? own.flatMap { EtcdVersion(image: $0.image) }
    size = source?.status.dbSize
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
    let own = Self.own(machine, configuration, members)
    let plan: StagingPlan
    if let given {
      plan = given
    } else if let own {
      plan = try Self.plan(machine, configuration, beside: own, id: bundle.id)
    } else {
      let directory = Self.elsewhere(state)
      try Files.makeDirectory(directory, mode: 0o700)
      plan = try StagingPlan.loose(in: directory, id: bundle.id)
    }
    let name = own?.name ?? etcd["name"]?.string ?? members.first?.name ?? "default"
    let membership = try RestoreMembership(name: name, members: members, token: "kguard-\(bundle.id)")
    var order = Drill.Order(snapshot: bundle.snapshot, sha256: file.sha256, plan: plan, membership: membership, version: version)
    order.prefix = etcd["prefix"]?.string ?? "/registry"
    self.order = order
    let image = Self.image(etcd, bundle, state, own ?? Self.here(machine, configuration))
    drill = Drill(Self.tools(machine, configuration, state, image: image), stop: stop)
    digest = manifest.liveDigest
    liveKeys = manifest.snapshot["liveKeys"]?.int
    self.stop = stop
  }

  /// The etcd of this machine, where it is one of these members.
  static func own(_ machine: any Machine, _ configuration: Configuration, _ members: [EtcdMember]) -> EtcdManifest? {
    here(machine, configuration).flatMap { manifest in members.contains { $0.name == manifest.name } ? manifest : nil }
  }

  /// The etcd that runs on this machine, of whatever cluster.
  fileprivate static func here(_ machine: any Machine, _ configuration: Configuration) -> EtcdManifest? {
    (try? EtcdLocation.find(machine, configuration.etcdOverrides))?.manifest
  }

  /// Programs are taken out of an image that this node has chosen: what a bundle from elsewhere names is somebody else's word.
  fileprivate static func image(_ etcd: JSON, _ bundle: BundleDirectory, _ state: StateDirectory, _ here: EtcdManifest?) -> String? {
    bundle.path == state.bundle(bundle.id) ? etcd["image"]?.string : here?.image
  }

  static func plan(
    _ machine: any Machine, _ configuration: Configuration, beside own: EtcdManifest, id: String
  ) throws(Failure) -> StagingPlan {
    try StagingPlan.make(
      machine, dataDirectory: configuration.etcd.dataDir ?? own.dataDirectory, walDirectory: own.walDirectory, id: id)
  }

  /// Where the data is restored on a machine that is no member.
  static func elsewhere(_ state: StateDirectory) -> String { state.path + "/drills" }

  static func tools(_ machine: any Machine, _ configuration: Configuration, _ state: StateDirectory, image: String?) -> EtcdTools {
    EtcdTools(machine, cache: state.path + "/tools", image: image, restoreTool: configuration.etcd.tool)
  }

  /// What is seen from outside of a phase that does not tell by itself how far it is.
  func follow(_ phase: String, _ growth: FileGrowth) {
    let size = (try? Files.info(order.snapshot)?.size) ?? 0
    switch phase {
    case "restore": growth.follow(order.plan.staged + "/member/snap/db", total: size)
    case "copy": growth.follow(order.plan.scratch + "/data/member/snap/db", total: size)
    default: growth.end()
    }
  }

  /// `planned` is told where the restored data will stand before anything is made there.
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
