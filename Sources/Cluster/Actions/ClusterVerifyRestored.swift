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

  func perform(_ context: StepContext) throws(Failure) {
    try Outage.begin(.verify, context)
    let target = try RollbackTarget(context, undo: undo)
    try waitUntilWell(context, target)
    var evidence: JSON = ["members": .array(try members(context, target))]
    if undo == nil {
      evidence["packages"] = JSON(try leftPackages(context, target))
      if let proof = try proof(context, target) { evidence["bundle"] = proof }
      if let lost = try lost(context, target) { evidence["lost"] = lost }
    }
    if undo != nil { try markUndone(context, target) } else { try ArchivedNode.find(context, target)?.discard() }
    try failpoint("\(context.step)/save.before")
    try Files.replace(file(context), with: Array((evidence.text(pretty: true) + "\n").utf8))
    try Outage.end(.verify, context)
    try failpoint("\(context.step)/save.after")
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    guard let text = try Files.textIfPresent(file(context)) else {
      throw Failure(what: "the cluster was not verified", why: "\(file(context)) is missing", next: "run `kguard resume`")
    }
    AvailabilitySampler.end(context)
    var evidence = try JSON(parsing: text)
    let outage = try Outage(context)
    evidence["milliseconds"] = outage.split
    let took = outage.total.map { "; the API was away for \(Duration.milliseconds($0).forPeople)" } ?? ""
    if undo != nil {
      evidence["summary"] = .string("the rollback is taken back, all is well\(took)")
      return evidence
    }
    let target = try RollbackTarget(context)
    evidence["aside"] = JSON(try aside(context))
    evidence["undo"] = .string("kguard rollback --undo \(target.run)")
    var words = "the cluster is as it was" + took
    if let lost = evidence.at("lost", "objects")?.int { words += "; \(lost) objects written since the snapshot were lost" }
    evidence["summary"] = .string(words)
    return evidence
  }

  private func file(_ context: StepContext) -> String { context.state.directory(of: context.run) + "/restored.json" }

  /// What the rollback had moved lies where it was: it can't be taken back once more.
  private func markUndone(_ context: StepContext, _ target: RollbackTarget) throws(Failure) {
    for artifact in target.moved where artifact.state != .removed && artifact.kind != EtcdRescue.kind {
      try context.journal.artifact(
        artifact.run, step: artifact.step, kind: artifact.kind, path: artifact.path, .removed, at: context.machine.now())
    }
  }

  // MARK: - Well

  private func waitUntilWell(_ context: StepContext, _ target: RollbackTarget) throws(Failure) {
    let settings = try context.settings
    let limit = timeout ?? settings.health.timeout
    let expected = try expectation(context, target)
    var problems: [String] = []
    var told = monotonicNow()
    var leases: [String: String]?
    let isWell = try context.wait(limit, every: .milliseconds(500)) { () throws(Failure) in
      problems = ClusterHealth.look(context.machine, settings, expected, stop: context.stop).problems
      try context.checkpoint()
      if problems.isEmpty { problems = try staleLeases(context, &leases) }
      if !problems.isEmpty, monotonicNow() - told > .seconds(10) {
        told = monotonicNow()
        context.message("not well yet: \(problems[0])" + (problems.count > 1 ? " and \(problems.count - 1) more" : ""))
      }
      return problems.isEmpty
    }
    guard isWell else {
      throw Failure(
        .needsOperator, what: "the cluster is not well \(limit.forPeople) after the rollback",
        why: problems.prefix(6).joined(separator: "; "),
        next: "look at what is named (crictl ps -a, crictl logs), then run `kguard resume`")
    }
  }

  private func expectation(_ context: StepContext, _ target: RollbackTarget) throws(Failure) -> ClusterHealth.Expectation {
    var expected = ClusterHealth.Expectation()
    guard undo == nil, let baseline = try Baseline.load(context.state, target.run) else { return expected }
    expected.baseline = baseline
    expected.version = KubernetesVersion(baseline.kubernetes)
    // Packages may not be kguard's: what is installed is told apart, and what runs is what is installed.
    return expected
  }

  /// Leaders live where their leases are renewed: each must be seen to change once.
  private func staleLeases(_ context: StepContext, _ first: inout [String: String]?) throws(Failure) -> [String] {
    let now = Leases.renewals(try ThisNode.api(context.machine, stop: context.stop), try ThisNode.name(context.machine))
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

  private func leftPackages(_ context: StepContext, _ target: RollbackTarget) throws(Failure) -> [String] {
    guard let baseline = try Baseline.load(context.state, target.run) else { return [] }
    return baseline.programs.sorted { $0.key < $1.key }.compactMap { name, before in
      let now = (try? ThisNode.version(of: name, context.machine).description) ?? "not there"
      return now == before ? nil : "\(name) is \(now), it was \(before)"
    }
  }

  private func hasSwapped(_ target: RollbackTarget) -> Bool { !target.moved(EtcdExchange.restoredKind).isEmpty }

  private func proof(_ context: StepContext, _ target: RollbackTarget) throws(Failure) -> JSON? {
    guard hasSwapped(target) else { return nil }
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
        next: "see who deleted them since the start (the API server's audit log); `kguard bundle cat` prints each from the bundle")
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
        context.message("the data aside cannot be read (\(error.why)): what was lost is told by the rescue")
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
