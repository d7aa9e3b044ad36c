public import Engine
public import Host
public import Model
public import Playbooks
internal import Synchronization

/// What a preflight looks at, and with what in mind.
struct PreflightScene: Sendable {
  let machine: any Machine
  let configuration: Configuration
  let state: StateDirectory
  /// Nil: the node is checked without an upgrade in mind.
  let target: KubernetesVersion?
  let mayStayHere: Bool

  var api: KubernetesAPI { get throws(Failure) { try ThisNode.api(machine) } }

  func etcd() throws(Failure) -> EtcdCluster { try configuration.etcdCluster(machine, timeout: .seconds(5)) }
}

/// What all checks found.
public struct PreflightReport: Sendable, Equatable {
  public internal(set) var checks: [Check]

  public var failures: [Check] { checks.filter { $0.result == .fail } }
  public var warnings: [Check] { checks.filter { $0.result == .warn } }
  public var json: JSON { .array(checks.map(\.json)) }

  public var summary: String {
    let words = [
      "\(checks.count { $0.result == .pass }) checks passed", warnings.isEmpty ? nil : "\(warnings.count) to look at",
      failures.isEmpty ? nil : "\(failures.count) failed",
    ]
    return words.compactMap { $0 }.joined(separator: ", ")
  }

  /// Checks that saw the very same, told once.
  public struct Row: Sendable, Equatable {
    public let check: Check
    public fileprivate(set) var others: [String] = []

    fileprivate var names: String { ([check.name] + others).joined(separator: ", ") }
  }

  /// For reading on a terminal: what asks for something comes last, where the eye is.
  public var rows: [Row] {
    var rows: [Row] = []
    for result in [Check.Result.pass, .warn, .fail] {
      for check in checks where check.result == result {
        if result == .fail, let place = rows.firstIndex(where: { $0.check.hasSameCause(as: check) }) {
          rows[place].others.append(check.name)
        } else {
          rows.append(Row(check: check))
        }
      }
    }
    return rows
  }

  /// Every failure at once; nil where there is none.
  public var refusal: Failure? {
    guard let first = failures.first else { return nil }
    let causes = rows.filter { $0.check.result == .fail }
    func each(_ words: (Check) -> String) -> String {
      failures.count == 1 ? words(first) : causes.map { "\($0.names): \(words($0.check))" }.joined(separator: "\n")
    }
    return Failure(
      .preflightRefused, what: failures.count == 1 ? "the check `\(first.name)` failed" : "\(failures.count) checks failed",
      why: each(\.evidence), next: each(\.remedy))
  }
}

/// The version that a person wants the cluster to go to.
@discardableResult
public func targetVersion(_ text: String) throws(Failure) -> KubernetesVersion {
  if text.hasPrefix("v"), let version = KubernetesVersion(text) { return version }
  let meant = KubernetesVersion("v" + text)?.description
  throw Failure(.usage, what: "cannot upgrade to `\(text)`", why: "it is not a version", next: "write it as \(meant ?? "v1.28.0")")
}

/// Names of checks that a person typed.
public func requireChecks(_ typed: [String]) throws(Failure) {
  let names = PreflightCheck.all.map(\.name)
  for name in typed where !names.contains(name) {
    throw Failure(
      .usage, what: "there is no check `\(name)`", why: "it cannot be ignored" + didYouMean(name, among: names),
      next: "kguard(1) lists them")
  }
}

/// Looks at the node and its cluster, all at once, and changes nothing. `version`: what an upgrade would go to. `ignoring`: names of
/// checks whose failure is only warned of.
public func runPreflight(
  _ machine: any Machine, _ configuration: Configuration, _ state: StateDirectory, version: String? = nil, ignoring: [String] = [],
  mayStayHere: Bool = false
) throws(Failure) -> PreflightReport {
  var target: KubernetesVersion?
  if let version {
    target = try targetVersion(version)
  }
  try requireChecks(ignoring)
  let scene = PreflightScene(machine: machine, configuration: configuration, state: state, target: target, mayStayHere: mayStayHere)
  // Everything else would only say in its own words that there is no control plane here.
  if let stranger = RoleChecks.stranger(scene), !ignoring.contains(stranger.name) { return PreflightReport(checks: [stranger]) }
  let groups: [@Sendable (PreflightScene) -> [Check]] = [
    HostChecks.all, RoleChecks.all, VersionChecks.all, EtcdChecks.all, DataChecks.all, FileChecks.all, CertificateChecks.all,
    ClusterChecks.all, HealthChecks.all, OffsiteChecks.all,
  ]
  let found = Mutex<[Int: [Check]]>([:])
  let workers = Workers()
  for (place, group) in groups.enumerated() {
    try workers.start {
      let checks = group(scene)
      found.withLock { $0[place] = checks }
    }
  }
  workers.join()
  let checks = found.withLock { table in groups.indices.flatMap { table[$0] ?? [] } }
  return PreflightReport(
    checks: checks.map { check in
      guard check.result == .fail, ignoring.contains(check.name) else { return check }
      var ignored = check
      ignored.result = .warn
      ignored.isIgnored = true
      return ignored
    })
}
