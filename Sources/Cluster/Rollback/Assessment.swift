internal import Bundles
internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// The node compared with what it was before the run: by what runs and what is written, never by how a program ended.
struct Assessment {
  enum Verdict: String {
    /// The run began nothing that could have changed the cluster: nobody has to look.
    case untouched
    /// As it was, and healthy: nothing has to be put back, and no write is lost.
    case unchanged
    /// The control plane is as it was and healthy, but files of the node are not: kubeadm took its own work back, and not all of it.
    case changedBack = "changed-back"
    case halfChanged = "half-changed"
    /// Nothing was written down to compare with.
    case unknown
  }

  /// What differs in the control plane, or is not well.
  private(set) var core: [String] = []
  /// Files of the node that are not as archived, or were not there.
  private(set) var files: [String] = []
  /// Installed programs of another version.
  private(set) var programs: [String] = []
  /// What is not ready in the cluster, and no proof that anything of this node was changed: told, and nothing is put back for it.
  private(set) var unready: [String] = []
  private var hasBaseline = false
  /// The control plane was changed, and not only taken down: another manifest, another etcd.
  private(set) var isAnother = false

  var verdict: Verdict {
    if !hasBaseline { return .unknown }
    if !core.isEmpty { return .halfChanged }
    return files.isEmpty ? .unchanged : .changedBack
  }

  /// A control plane whose manifests are as they were may still be starting: it gets this long to be well.
  static let settlingTime = Duration.seconds(90)

  /// Waits for a control plane that may still be starting.
  static func make(_ context: StepContext, _ target: RollbackTarget) throws(Failure) -> Assessment {
    var (found, baseline) = try written(context, target)
    guard let baseline else { return found }
    // With other manifests there is nothing to wait for: it is no more what it was.
    let limit = found.core.isEmpty ? min(settlingTime, try context.settings.health.timeout) : .zero
    let bundle = try target.bundle(context)
    var seen: (core: [String], unready: [String], isAnother: Bool) = ([], [], false)
    var told = monotonicNow()
    _ = try context.wait(limit, every: .seconds(1)) { () throws(Failure) in
      seen = try running(context, baseline, bundle)
      try context.checkpoint()
      if let problem = seen.core.first, monotonicNow() - told > .seconds(10) {
        told = monotonicNow()
        context.message("the manifests are as before; waiting for the rest: \(problem)")
      }
      return seen.core.isEmpty
    }
    found.add(seen)
    return found
  }

  private mutating func add(_ seen: (core: [String], unready: [String], isAnother: Bool)) {
    core += seen.core
    unready = seen.unready
    isAnother = isAnother || seen.isAnother
  }

  /// The node at this moment.
  static func look(_ context: some StepSight, _ target: RollbackTarget) throws(Failure) -> Assessment {
    var (found, baseline) = try written(context, target)
    guard let baseline else { return found }
    found.add(try running(context, baseline, try target.bundle(context)))
    return found
  }

  /// What files and programs say; with the baseline, where there is one.
  private static func written(_ context: some StepSight, _ target: RollbackTarget) throws(Failure) -> (Assessment, Baseline?) {
    let machine = context.machine
    var found = Assessment()
    let baseline = try Baseline.load(context.state, target.run)
    let archive = try ArchivedNode.find(context, target)
    found.hasBaseline = baseline != nil
    for difference in try archive?.differing(machine) ?? [] { found.files.append(difference.path) }
    guard let baseline else { return (found, nil) }
    for (name, before) in baseline.programs.sorted(by: { $0.key < $1.key }) {
      let now = (try? ThisNode.version(of: name, machine).description) ?? "not there"
      if now != before { found.programs.append("\(name) is \(now), it was \(before)") }
    }
    let present = Dictionary(try StaticPods.hashes(machine).map { ($0.name, $0.sha256.description) }) { $1 }
    for name in Set(baseline.manifests.keys).union(present.keys).sorted() where baseline.manifests[name] != present[name] {
      if present[name] != nil { found.isAnother = true }
      let how = present[name] == nil ? "missing" : baseline.manifests[name] == nil ? "new" : "another"
      found.core.append("the manifest \(name) is \(how)")
    }
    return (found, baseline)
  }

  /// Containers, etcd, kubeadm's record and this node's health, against the baseline; then what is not ready elsewhere. A deployment
  /// that somebody deleted, or a worker that is down, is not undone by older data.
  private static func running(
    _ context: some StepSight, _ baseline: Baseline, _ bundle: BundleManifest?
  ) throws(Failure) -> (core: [String], unready: [String], isAnother: Bool) {
    let settings = try context.settings
    var expected = ClusterHealth.Expectation(versions: .before(baseline, records: true), baseline: baseline)
    // A newer kubelet that is installed and not started is a matter of packages.
    if let before = baseline.nodes.first(where: { $0.name == baseline.node }).flatMap({ KubernetesVersion($0.kubelet) }) {
      expected.kubelet = .exactly(before)
    }
    let look = ClusterHealth.look(context.machine, settings, expected, stop: context.stop)
    var isAnother = false
    var core = look.problems.filter { $0.weight == .controlPlane }.map(\.words)
    let unready = look.problems.filter { $0.weight != .controlPlane }.map(\.words) + look.gone.map { "\($0) is gone" }
    if let survey = try? settings.etcdCluster(context.machine, timeout: .seconds(5), stop: context.stop).survey() {
      let versions = Set(survey.seats.compactMap { $0.status?.version }).sorted().joined(separator: ", ")
      let before = bundle?.etcdVersion ?? baseline.etcd
      if !versions.isEmpty, versions != before {
        core.append("etcd is \(versions), it was \(before)")
        isAnother = true
      }
    }
    return (core, unready, isAnother)
  }
}
