internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// `cluster/baseline`: writes down how the cluster is, for `cluster/verify` and the rollback to compare with.
struct ClusterBaseline: Action {
  static let signature = ActionSignature(
    "cluster/baseline", summary: "record versions, manifests, images, object counts and workloads as they are before the run")

  init(_ inputs: ActionInputs) throws(Failure) {}

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    // A torn or foreign file is written anew.
    (try? Baseline.load(context.state, context.run)) != nil
  }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    var lines = ["writes \(Baseline.path(outlook.state, outlook.run))"]
    let versions = try ControlPlane.manifestVersions(outlook.machine)
    lines.append("now: " + ControlPlane.names.map { "\($0) \(versions[$0]?.description ?? "of no version")" }.joined(separator: ", "))
    return Intentions(lines)
  }

  func perform(_ context: StepContext) throws(Failure) {
    let baseline = try Baseline.read(context.machine, try context.settings, stop: context.stop)
    try failpoint("cluster-baseline/save.before")
    try baseline.save(context.state, context.run)
    try failpoint("cluster-baseline/save.after")
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    guard let baseline = try Baseline.load(context.state, context.run) else {
      throw Failure(
        what: "the baseline was not written", why: "\(Baseline.path(context.state, context.run)) is missing", next: "run `kguard resume`")
    }
    let objects = baseline.counts.values.reduce(0) { $0 &+ $1 }
    var evidence = baseline.json
    // The file has them all.
    for (key, most) in [("counts", 300), ("workloads", 200), ("namespaces", 200)] {
      if evidence[key]?.array.map({ $0.count > most }) ?? ((evidence[key]?.object?.count ?? 0) > most) { evidence[key] = nil }
    }
    evidence["summary"] = .string(
      "\(baseline.kubernetes), etcd \(baseline.etcd), \(objects) objects in \(baseline.namespaces.count) namespaces, \(baseline.workloads.count) workloads"
    )
    return evidence
  }
}
