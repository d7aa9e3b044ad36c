internal import Bundles
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `cluster/verify-restored`: the cluster is well again and holds what the bundle holds; then the story: what was lost, how long it took,
/// how to take it back.
struct ClusterVerifyRestored: Action {
  static let signature = ActionSignature(
    "cluster/verify-restored", summary: "compare the restored cluster with the bundle and the baseline, and say what was lost",
    inputs: [.undo, ActionInput("timeout", .duration, description: "how long the cluster may take to be well (default: health.timeout)")])

  private let undo: String?
  private let timeout: Duration?

  init(_ inputs: ActionInputs) throws(Failure) {
    undo = inputs.undo
    timeout = inputs["timeout"].flatMap { Duration(text: $0) }
  }

  /// An undo is over when its record is there: what it took back is not known as moved any more.
  func isInEffect(_ context: StepContext) throws(Failure) -> Bool { undo != nil ? try Files.exists(file(context)) : false }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let settings = try outlook.settings
    let limit = timeout ?? settings.health.timeout
    let target = try RollbackTarget(outlook, undo: undo)
    let with = try target.bundle(outlook).map { "; compares it with the bundle \($0.id)" } ?? ""
    return Intentions(["waits at most \(limit.forPeople) until the cluster is well\(undo == nil ? with : "")"])
  }

  func perform(_ context: StepContext) throws(Failure) {
    let target = try RollbackTarget(context, undo: undo)
    let packages = undo == nil ? PackageChange.left(context) : (words: [], commands: "")
    var evidence: JSON = [:]
    if hasRestored(context) {
      try Outage.begin(.verify, context)
      let look = try waitUntilWell(context, target, packages.words)
      evidence["members"] = .array(try members(context, target))
      if !look.gone.isEmpty { evidence["gone"] = JSON(Array(look.gone.prefix(100))) }
      if !look.reported.isEmpty { evidence["lessReady"] = JSON(Array(look.reported.prefix(100))) }
      if undo == nil, let proof = try proof(context, target) { evidence["bundle"] = proof }
    }
    if undo == nil {
      evidence["packages"] = JSON(try leftPrograms(context, target) + packages.words)
      if let lost = try lost(context, target) { evidence["lost"] = lost }
      let left = hasRestored(context) ? try leftRecords(context, target) : []
      if !left.isEmpty { evidence["stillAtTarget"] = JSON(left) }
      if hasRestored(context), let stays = context.evidence(of: "assess")?["etcdStays"]?.string { evidence["etcdStays"] = .string(stays) }
    }
    if undo != nil {
      try markUndone(context, target)
    } else if hasRestored(context) {
      try ArchivedNode.find(context, target)?.discard()
    }
    try failpoint("\(context.step)/save.before")
    try Files.replace(file(context), with: Array((evidence.text(pretty: true) + "\n").utf8))
    if hasRestored(context) { try Outage.end(.verify, context) }
    try failpoint("\(context.step)/save.after")
    guard packages.words.isEmpty else { throw left(packages, context) }
  }

  /// The rollback's own part, and all of it where the API server had been away before already.
  private func away(_ context: StepContext, _ outage: Outage) -> String {
    guard let own = outage.total.map({ Duration.milliseconds($0) }) else { return "" }
    let words = "; the API was away for \(own.forPeople)"
    guard undo == nil, let parent = context.parent, let whole = Availability.read(context.state, parent)?.outage,
      whole > own + .seconds(3)
    else { return words }
    return words + " in the rollback, \(whole.forPeople) in all"
  }

  /// The control plane runs, with programs that are not those from before.
  private func left(_ packages: (words: [String], commands: String), _ context: StepContext) -> Failure {
    Failure(
      .needsOperator, what: "the cluster is as it was, but its packages are not", why: packages.words.joined(separator: "; "),
      next: "see `kguard logs \(context.run) packages` for what kept them from it; by hand: \(packages.commands)")
  }

  /// Nothing but packages was put back where the assessment says so; what an earlier rollback put back has to be proven all the same.
  private func hasRestored(_ context: StepContext) -> Bool {
    guard undo == nil, let assessed = context.evidence(of: "assess") else { return true }
    return assessed["restore"]?.bool != false || assessed["proof"]?.bool == true
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    guard let text = try Files.textIfPresent(file(context)) else {
      throw Failure(what: "the cluster was not verified", why: "\(file(context)) is missing", next: "run `kguard resume`")
    }
    AvailabilitySampler.end(context)
    var evidence = try JSON(parsing: text)
    let outage = try Outage(context, together: undo == nil ? try RollbackTarget(context).unfinished : [])
    evidence["milliseconds"] = outage.split
    let took = away(context, outage)
    if undo != nil {
      var words = "the rollback is taken back, all is well\(took)"
      if try hasChangedPackages(context) { words += "; kubeadm, kubelet and kubectl stay as the rollback left them" }
      evidence["summary"] = .string(words)
      return evidence
    }
    let target = try RollbackTarget(context)
    evidence["aside"] = JSON(try aside(context))
    if target.moved.contains(where: { $0.state != .removed && $0.kind != EtcdRescue.kind }) {
      evidence["undo"] = .string("kguard rollback --undo \(target.run)")
    }
    let left = evidence["stillAtTarget"]?.array?.compactMap(\.string) ?? []
    let stays = evidence["etcdStays"]?.string
    let isWhole = left.isEmpty && stays == nil
    let what = !hasRestored(context) ? "the packages are as they were" : isWhole ? "the cluster is as it was" : "the node is as it was"
    var words = what + took
    if let stays { words += "; \(stays)" }
    if !left.isEmpty { words += "; still at the target, since etcd was not restored: " + left.joined(separator: "; ") }
    let unready = evidence["lessReady"]?.array?.compactMap(\.string) ?? []
    if !unready.isEmpty { words += "; not as before: " + naming(unready, most: 4, separator: "; ") }
    if evidence.at("lost", "unknown") != nil { words += "; what was written since the snapshot is lost, and not known" }
    if let lost = evidence.at("lost", "objects")?.int { words += "; \(lost) objects written since the snapshot were lost" }
    evidence["summary"] = .string(words)
    return evidence
  }

  private func file(_ context: StepContext) -> String { context.state.directory(of: context.run) + "/restored.json" }

  /// Packages are not moved aside, and so not taken back: an older kubelet is supported, and the next upgrade brings it up.
  private func hasChangedPackages(_ context: StepContext) throws(Failure) -> Bool {
    for rollback in try RollbackTarget(context, undo: undo).rollbacks {
      for step in try context.journal.steps(rollback) where step.action == "packages/restore" && step.state == .succeeded { return true }
    }
    return false
  }

  /// What the rollback had moved lies where it was: it can't be taken back once more.
  private func markUndone(_ context: StepContext, _ target: RollbackTarget) throws(Failure) {
    for artifact in target.records where artifact.state != .removed && artifact.kind != EtcdRescue.kind {
      try context.forget(artifact)
    }
  }

  // MARK: - Well

  /// Until all is well. What is only less ready than before gets a while, and is told then.
  private func waitUntilWell(_ context: StepContext, _ target: RollbackTarget, _ packages: [String]) throws(Failure) -> ClusterHealth {
    let settings = try context.settings
    let limit = timeout ?? settings.health.timeout
    let expected = try expectation(context, target)
    var problems: [String] = []
    var told = monotonicNow()
    var leases: [String: String]?
    var well: ClusterHealth?
    var wellSince: Duration?
    let isWell = try context.wait(limit, every: .milliseconds(500)) { () throws(Failure) in
      var look = ClusterHealth.look(context.machine, settings, expected, stop: context.stop)
      try context.checkpoint()
      look.add(try cordoned(context, expected.baseline))
      look.add(phantoms(context))
      problems = look.decisive
      if problems.isEmpty { problems = try staleLeases(context, &leases) }
      well = problems.isEmpty ? look : nil
      wellSince = problems.isEmpty ? wellSince ?? monotonicNow() : nil
      if problems.isEmpty, let since = wellSince, monotonicNow() - since < Self.patience { problems = look.reported }
      if !problems.isEmpty, monotonicNow() - told > .seconds(10) {
        told = monotonicNow()
        context.message("not well yet: \(problems[0])" + (problems.count > 1 ? " and \(problems.count - 1) more" : ""))
      }
      return problems.isEmpty
    }
    if isWell, let well { return well }
    // The time was up while pods were still awaited.
    if let well { return well }
    throw Failure(
      .needsOperator, what: "the cluster is not well \(limit.forPeople) after the rollback",
      why: (problems.prefix(6) + packages).joined(separator: "; "),
      next: "look at what is named (crictl ps -a, crictl logs), then run `kguard resume`"
        + (undo == nil ? "" : "; where that was so before the rollback too: `kguard abandon`, then `kguard rollback \(target.run)`"))
  }

  /// How long pods may take to be as ready as before, once the control plane is well.
  private static let patience = Duration.seconds(120)

  private func expectation(_ context: StepContext, _ target: RollbackTarget) throws(Failure) -> ClusterHealth.Expectation {
    var expected = ClusterHealth.Expectation()
    guard undo == nil, let baseline = try Baseline.load(context.state, target.run) else { return expected }
    expected.baseline = baseline
    // kubeadm's records come back with etcd only. Packages may not be kguard's: what is installed is told apart, and what runs is what is
    // installed.
    expected.versions = .before(baseline, records: hasSwapped(target))
    return expected
  }

  /// A node that took pods before the run and takes none now.
  private func cordoned(_ context: StepContext, _ baseline: Baseline?) throws(Failure) -> [HealthProblem] {
    guard let baseline, baseline.nodes.contains(where: { $0.name == baseline.node && $0.isSchedulable }) else { return [] }
    let nodes = (try? ThisNode.api(context.machine, stop: context.stop).nodes()) ?? []
    guard nodes.contains(where: { $0.name == baseline.node && !$0.isSchedulable }) else { return [] }
    return [HealthProblem(.reported, "the node \(baseline.node) takes no pods, which it did before: kubectl uncordon \(baseline.node)")]
  }

  /// Where one of the two does not answer, others say so.
  private func phantoms(_ context: StepContext) -> [HealthProblem] {
    guard let containers = try? ContainerRuntime(context.machine).containers(), let node = try? ThisNode.name(context.machine),
      let pods = try? ThisNode.api(context.machine, stop: context.stop).pods(on: node)
    else { return [] }
    return Phantoms.find(containers, known: pods)
  }

  /// Without a restore of etcd, what kubeadm wrote into it stays.
  private func leftRecords(_ context: StepContext, _ target: RollbackTarget) throws(Failure) -> [String] {
    guard !hasSwapped(target), let baseline = try Baseline.load(context.state, target.run) else { return [] }
    return try ClusterRecords.read(try ThisNode.api(context.machine, stop: context.stop)).advice(baseline)
  }

  /// Leaders live where their leases are renewed: each must be seen to change once.
  private func staleLeases(_ context: StepContext, _ first: inout [String: String]?) throws(Failure) -> [String] {
    let now = try Leases.renewals(context.machine, stop: context.stop)
    guard let before = first else {
      first = now
      return ["the leases are watched"]
    }
    return before.keys.filter { now[$0] == nil || now[$0] == before[$0] }.sorted().map { "the lease of \($0) is not renewed" }
  }

  // MARK: - As it was

  /// Every member must name the same members, and those of the bundle.
  private func members(_ context: StepContext, _ target: RollbackTarget) throws(Failure) -> [JSON] {
    let survey = try context.settings.etcdCluster(context.machine, stop: context.stop).survey()
    guard undo == nil, let bundle = try target.bundle(context) else { return survey.members.map(\.json) }
    let before = (bundle.etcd["members"]?.array ?? []).compactMap { EtcdMember(json: $0) }
    func table(_ members: [EtcdMember]) -> [String] { members.map { "\($0.name)=\($0.peerURLs.sorted().joined(separator: ","))" }.sorted() }
    guard table(before) == table(survey.members) else {
      throw Failure(
        .needsOperator, what: "etcd's members are not those of the bundle",
        why: "now \(table(survey.members).joined(separator: " ")), in the bundle \(table(before).joined(separator: " "))",
        next: "restore the other members from the same bundle, \(bundle.id)")
    }
    return survey.members.map(\.json)
  }

  private func leftPrograms(_ context: StepContext, _ target: RollbackTarget) throws(Failure) -> [String] {
    guard let baseline = try Baseline.load(context.state, target.run) else { return [] }
    return baseline.programs.sorted { $0.key < $1.key }.compactMap { name, before in
      let now = (try? ThisNode.version(of: name, context.machine).description) ?? "not there"
      return now == before ? nil : "\(name) is \(now), it was \(before)"
    }
  }

  private func hasSwapped(_ target: RollbackTarget) -> Bool { !target.moved(EtcdExchange.restoredKind).isEmpty }

  private func proof(_ context: StepContext, _ target: RollbackTarget) throws(Failure) -> JSON? {
    guard hasSwapped(target) else { return nil }
    guard try target.exchange(context) == .whole else {
      throw Failure(
        .needsOperator, what: "etcd does not run on the bundle's data",
        why: "only a part of it was put into place, or it was replaced since",
        next: "run `kguard rollback \(target.run) --etcd auto`, which exchanges it whole")
    }
    let path = context.state.directory(of: context.run) + "/after.db"
    try Files.removeOwn(path)
    let cluster = try context.settings.etcdCluster(context.machine, stop: context.stop)
    _ = try cluster.snapshot(to: path, machine: context.machine)
    let proof = try RestoredProof.compare(bundle: target.bundleDirectory(context).snapshot, present: path, stop: context.stop)
    try Files.removeOwn(path)
    guard proof.gone.isEmpty else {
      throw Failure(
        .needsOperator, what: "the restored cluster lacks \(proof.gone.count) objects of the bundle",
        why: proof.gone.prefix(5).joined(separator: ", "),
        next: "see who deleted them since the start (the API server's audit log); `kguard bundle cat` prints each from the bundle; "
          + "once they are back, run `kguard resume`; `kguard abandon` leaves it as it is")
    }
    return proof.json
  }

  /// The data that was moved aside tells to the last write what is lost; where it cannot be read, what the rescue has found.
  private func lost(_ context: StepContext, _ target: RollbackTarget) throws(Failure) -> JSON? {
    guard hasSwapped(target) else { return nil }
    let aside = target.moved(EtcdExchange.asideKind).first { $0.detail["name"]?.string == "data" }
    if let aside {
      let inside = Files.name(of: aside.origin ?? "") == "member" ? "/snap/db" : "/member/snap/db"
      let list = context.state.directory(of: context.run) + "/lost.jsonl"
      do throws(Failure) {
        let lost = try LostObjects.compare(
          bundle: target.bundleDirectory(context).snapshot, present: aside.path + inside, list: list, stop: context.stop)
        return lost.json(list: list)
      } catch {
        if error.exit == .interrupted { throw error }
        let isTold = context.evidence(of: "rescue")?.at("lost", "objects")?.int != nil
        context.message(
          "the data aside cannot be read (\(error.why)): what was lost is " + (isTold ? "told by the rescue" : "not known"))
      }
    }
    return context.evidence(of: "rescue")?["lost"]
  }

  private func aside(_ context: StepContext) throws(Failure) -> [String] {
    let kinds = [EtcdExchange.asideKind, NodeRestore.asideKind, StaticPodFiles.outKind, EtcdRescue.kind]
    var paths: [String] = []
    for artifact in try RollbackTarget(context).moved where kinds.contains(artifact.kind) && artifact.state == .present {
      if try Files.exists(artifact.path) { paths.append(artifact.path) }
    }
    return paths
  }
}
