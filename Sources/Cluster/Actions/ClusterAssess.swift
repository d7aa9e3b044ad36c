internal import Bundles
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `cluster/assess`: compares the node with what it was before the run, and decides what a rollback has to put back.
struct ClusterAssess: Action {
  static let signature = ActionSignature(
    "cluster/assess", summary: "compare the cluster with what it was before the run, and decide what has to be put back",
    inputs: [
      ActionInput("etcd", description: "auto, always or never restore etcd (default: etcd.restore of the configuration)")
    ])

  private let etcd: String?

  init(_ inputs: ActionInputs) throws(Failure) {
    etcd = inputs["etcd"].flatMap { $0.isEmpty ? nil : $0 }
    guard let etcd, Configuration.EtcdRestore(rawValue: etcd) == nil else { return }
    throw Failure(
      .usage, what: "cannot assess the cluster", why: "the input `etcd` is `\(etcd)`", next: "write auto, always or never")
  }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let target = try RollbackTarget(outlook)
    let site = try ControlPlaneSite.look(outlook, target)
    let evidence: JSON
    do throws(Failure) {
      evidence = try decide(outlook, target, site) { () throws(Failure) in try Assessment.look(outlook, target) }
    } catch {
      return Intentions(["would stop here: \(error)", error.next])
    }
    let reasons = (evidence["reasons"]?.array ?? []).compactMap(\.string)
    var lines = ["decides, as the node is now: \(evidence["summary"]?.string ?? "")"]
    if reasons.count > 1 { lines.append("also: \(naming(Array(reasons.dropFirst()), most: 3, separator: "; "))") }
    return Intentions(lines, evidence: evidence)
  }

  func perform(_ context: StepContext) throws(Failure) {
    let target = try RollbackTarget(context)
    try AvailabilitySampler.start(context)
    // Seen now, while the manifests may still be there.
    let site = try ControlPlaneSite.read(context, target)
    let evidence = try decide(context, target, site) { () throws(Failure) in try Assessment.make(context, target) }
    try failpoint("\(context.step)/save.before")
    try Files.makeDirectory(context.state.directory(of: context.run), mode: 0o700)
    try Files.replace(file(context), with: Array((evidence.text(pretty: true) + "\n").utf8))
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    guard let text = try Files.textIfPresent(file(context)) else {
      throw Failure(what: "the assessment was not written", why: "\(file(context)) is missing", next: "run `kguard resume`")
    }
    return try JSON(parsing: text)
  }

  private func file(_ context: StepContext) -> String { context.state.directory(of: context.run) + "/assessment.json" }

  private func decide(
    _ context: some StepSight, _ target: RollbackTarget, _ site: ControlPlaneSite, assess: () throws(Failure) -> Assessment
  ) throws(Failure) -> JSON {
    let packages = PackageChange.left(context).words
    // Whatever ails the cluster now, this run has not done it, and its bundle is no cure.
    if etcd != Configuration.EtcdRestore.always.rawValue, try !context.parentMayHaveChangedCluster() {
      return try untouched(context, target, packages, isExternal: site.data == nil)
    }
    let assessment = try assess()
    let configured = try context.settings.etcd.restore
    let mode = etcd.flatMap { Configuration.EtcdRestore(rawValue: $0) } ?? configured
    let isExternal = site.data == nil
    let exchange = try target.exchange(context)
    let isBegun = !target.unfinished.isEmpty
    // What an earlier rollback took down is no damage of the run: what the first one saw decides, unless there is more than that.
    var verdict = assessment.verdict
    if verdict == .halfChanged, !assessment.isAnother { verdict = try target.firstVerdict(context) ?? verdict }
    var reasons = assessment.core
    if !assessment.files.isEmpty { reasons.append("\(assessment.files.count) files of the node are not as they were") }
    if isBegun { reasons.append("an earlier rollback has begun to put the node back") }
    if verdict == .unknown { reasons.append("the run kept no baseline: nothing proves that the cluster is as it was") }
    if mode == .always { reasons.append("etcd is always restored, as asked") }

    var restoresEtcd = mode == .always || verdict == .halfChanged || verdict == .unknown || exchange == .half
    var restores = restoresEtcd || verdict == .changedBack || (isBegun && assessment.verdict != .unchanged)
    // What a restore would have exchanged, and does not.
    var stays: String?
    if isExternal {
      if restoresEtcd { stays = externalAdvice(context, target) }
      restoresEtcd = false
    } else if mode == .never {
      if exchange == .half { throw halfExchanged(target) }
      try requireSameEtcd(context, target)
      if restoresEtcd, exchange != .whole { stays = "etcd is never restored, as asked" }
      restoresEtcd = restoresEtcd && exchange == .whole
    }
    if let stays { reasons.append(stays) }
    if restoresEtcd, exchange == .whole {
      reasons.append("it has put etcd's data back already")
      restoresEtcd = false
      restores = assessment.verdict != .unchanged
    }
    let bundle = try target.bundle(context)
    if restoresEtcd, let members = bundle?.etcd["members"]?.array, members.count > 1 { throw severalMembers(members.count, target) }
    if restoresEtcd && bundle == nil {
      guard verdict == .unknown && mode != .always else { throw noBundle(reasons, target) }
      // Neither a baseline nor a bundle: the run came not far enough to have changed anything that could be put back.
      (restoresEtcd, restores) = (false, false)
      reasons = ["the run has neither a baseline nor a bundle: it came not far enough to change anything"]
    }
    return [
      "summary": .string(summary(assessment, restores, restoresEtcd, isBegun, reasons) + Self.words(packages)),
      "verdict": .string(verdict.rawValue), "restore": .bool(restores), "etcd": .bool(restoresEtcd), "proof": .bool(isBegun),
      "packages": .bool(!assessment.programs.isEmpty || !packages.isEmpty),
      "reasons": JSON(Array(reasons.prefix(50))), "files": JSON(Array(assessment.files.prefix(100))), "programs": JSON(assessment.programs),
      "unready": JSON(Array(assessment.unready.prefix(100))), "uncordon": .bool(try isCordonedByRun(context, target)),
      "bundle": JSON(bundle?.id), "external": .bool(isExternal), "etcdStays": JSON(stays),
    ]
  }

  private func untouched(
    _ context: some StepSight, _ target: RollbackTarget, _ packages: [String], isExternal: Bool
  ) throws(Failure) -> JSON {
    let reason = "the run had not begun to change the cluster"
    return [
      "summary": .string("\(reason): nothing is restored, no write is lost" + Self.words(packages)),
      "verdict": .string(Assessment.Verdict.untouched.rawValue), "restore": false, "etcd": false, "packages": .bool(!packages.isEmpty),
      "reasons": JSON([reason]), "files": .array([]), "programs": JSON(packages), "bundle": JSON(try target.bundle(context)?.id),
      "external": .bool(isExternal), "etcdStays": .null, "uncordon": false, "proof": false,
    ]
  }

  private static func words(_ packages: [String]) -> String {
    packages.isEmpty ? "" : "; packages go back: " + packages.joined(separator: ", ")
  }

  private func summary(_ assessment: Assessment, _ restores: Bool, _ etcd: Bool, _ isBegun: Bool, _ reasons: [String]) -> String {
    guard restores else {
      if isBegun { return "an earlier rollback has put the node back: it is compared with the bundle and the baseline again" }
      let unready = assessment.unready
      if unready.isEmpty { return "nothing changed and all is healthy: nothing is restored, no write is lost" }
      return "nothing changed: nothing is restored, no write is lost; not as before: " + naming(unready, most: 4, separator: "; ")
    }
    let what = etcd ? "etcd and the node are put back" : "the node is put back, etcd's data stays as it is"
    let why = reasons.first.map { ": \($0)" } ?? ""
    return what + why + (reasons.count > 1 ? " and \(reasons.count - 1) more" : "")
  }

  /// The run's drain has left the node cordoned. An API server that is away says nothing; then the control plane is put back anyway.
  private func isCordonedByRun(_ context: some StepSight, _ target: RollbackTarget) throws(Failure) -> Bool {
    guard try context.artifacts(of: target.run).contains(where: { $0.kind == "cordon" }) else { return false }
    return (try? NodeView(context))?.isCordoned == true
  }

  private func externalAdvice(_ context: some StepSight, _ target: RollbackTarget) -> String {
    "etcd is external: kguard does not restore it; if its data must go back, stop every API server, have its owner restore "
      + "\(target.bundleDirectory(context).snapshot) on all members with a new token, then start the API servers"
  }

  /// Data that a newer etcd has opened cannot be opened by the older one again.
  private func requireSameEtcd(_ context: some StepSight, _ target: RollbackTarget) throws(Failure) {
    guard let bundle = try target.bundle(context), let before = EtcdVersion(bundle.etcdVersion),
      let survey = try? context.settings.etcdCluster(context.machine, stop: context.stop).survey(),
      let now = survey.seats.compactMap({ $0.status.flatMap { EtcdVersion($0.version) } }).max(), !now.isSameFamily(as: before)
    else { return }
    throw Failure(
      .needsOperator, what: "cannot roll back without restoring etcd",
      why: "etcd was moved from \(before) to \(now), and an older one refuses its data",
      next: "allow the restore: `kguard rollback \(target.run) --etcd auto`")
  }

  /// Etcd would not start, or start with data of two times.
  private func halfExchanged(_ target: RollbackTarget) -> Failure {
    Failure(
      .needsOperator, what: "cannot roll back without restoring etcd",
      why: "an earlier rollback has exchanged a part of etcd's data",
      next: "run `kguard rollback \(target.run) --etcd auto`, which exchanges it whole")
  }

  /// One member that is restored alone founds a cluster of its own, or none: all of them have to be, from the same file and at once.
  private func severalMembers(_ count: Int, _ target: RollbackTarget) -> Failure {
    Failure(
      .needsOperator, what: "cannot restore etcd on this node alone",
      why: "it has \(count) members, and all of them have to be restored together",
      next:
        "restore every member from the bundle \(target.run) with one new token, all API servers stopped; to put back only this node's files "
        + "and versions, run `kguard rollback \(target.run) --etcd never`")
  }

  private func noBundle(_ reasons: [String], _ target: RollbackTarget) -> Failure {
    Failure(
      .needsOperator, what: "cannot roll run \(target.run) back",
      why: "it has no verified bundle to restore, and the cluster is not as it was: \(reasons.prefix(3).joined(separator: "; "))",
      next: "repair what is named; `kguard bundle list` shows earlier bundles")
  }
}
