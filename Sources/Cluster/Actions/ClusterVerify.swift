internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// `cluster/verify`: all is well, and stays so for a whole window.
struct ClusterVerify: Action {
  static let signature = ActionSignature(
    "cluster/verify", summary: "see that everything is healthy for a whole soak window, and as ready as before the run",
    inputs: [
      .version("the version that the control plane must have; left out, whatever its manifests say", isRequired: false),
      ActionInput("kubelet", description: "the version that this node's kubelet must have (default: the installed one)"),
      ActionInput("soak", .duration, description: "how long all must be well without a break (default: health.soak)"),
      ActionInput("timeout", .duration, description: "how long to wait for that (default: health.timeout)"),
    ])

  let version: KubernetesVersion?
  let kubelet: KubernetesVersion?
  let soak: Duration?
  let timeout: Duration?

  init(_ inputs: ActionInputs) throws(Failure) {
    version = try inputs.version("version")
    kubelet = try inputs.version("kubelet")
    soak = inputs["soak"].flatMap { Duration(text: $0) }
    timeout = inputs["timeout"].flatMap { Duration(text: $0) }
  }

  func perform(_ context: StepContext) throws(Failure) {
    try AvailabilitySampler.start(context)
    let settings = try context.settings
    let expected = try expectation(context)
    let (soak, limit) = (soak ?? settings.health.soak, timeout ?? settings.health.timeout)
    let end = monotonicNow() + limit
    var window: Window?
    var problems: [String] = []
    while true {
      let look = ClusterHealth.look(context.machine, settings, expected, stop: context.stop)
      try context.checkpoint()
      if look.problems != problems, let first = look.problems.first {
        context.message("not well yet: \(first)" + (look.problems.count > 1 ? " and \(look.problems.count - 1) more" : ""))
      }
      problems = look.problems
      if problems.isEmpty {
        let leases = (try? renewals(context)) ?? [:]
        if let open = window, open.lives == look.lives {
          window?.see(leases)
        } else {
          window = Window(began: monotonicNow(), lives: look.lives, leases: leases)
        }
        if let open = window, monotonicNow() - open.began >= soak {
          let stale = open.stale(soak)
          if stale.isEmpty { return }
          problems = stale.map { "the lease of \($0) is not renewed" }
        }
      } else {
        window = nil
      }
      if monotonicNow() >= end { throw unwell(problems, soak, limit, context) }
      try context.sleep(settings.health.interval)
    }
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let settings = try context.settings
    let look = ClusterHealth.look(context.machine, settings, try expectation(context), stop: context.stop)
    guard look.problems.isEmpty else {
      throw unwell(look.problems, soak ?? settings.health.soak, timeout ?? settings.health.timeout, context)
    }
    AvailabilitySampler.end(context)
    var evidence: JSON = ["controlPlane": try ControlPlane.read(context.machine).json]
    var words = "all is well" + (version.map { " at \($0)" } ?? "")
    if let availability = Availability.read(context.state, context.parent ?? context.run) {
      evidence["availability"] = availability.json
      words += "; \(availability.words)"
    }
    if let before = try Baseline.load(context.state, context.parent ?? context.run) {
      let differences = before.compare(try Baseline.read(context.machine, settings, stop: context.stop))
      evidence["differences"] = .array(differences.prefix(200).map(\.json))
    }
    evidence["summary"] = .string(words)
    return evidence
  }

  private func expectation(_ context: StepContext) throws(Failure) -> ClusterHealth.Expectation {
    ClusterHealth.Expectation(
      version: version, kubelet: kubelet, baseline: try Baseline.load(context.state, context.parent ?? context.run))
  }

  private func renewals(_ context: StepContext) throws(Failure) -> [String: String] {
    Leases.renewals(try ThisNode.api(context.machine, stop: context.stop), try ThisNode.name(context.machine))
  }

  private func unwell(_ problems: [String], _ soak: Duration, _ limit: Duration, _ context: StepContext) -> Failure {
    let why = problems.isEmpty ? "something was started anew again and again" : problems.prefix(6).joined(separator: "; ")
    return Failure(
      what: "the cluster was not healthy for \(soak.forPeople) within \(limit.forPeople)",
      why: why + (problems.count > 6 ? "; and \(problems.count - 6) more" : ""),
      next: "look at the components that are named (crictl ps -a, crictl logs), then `kguard resume`")
  }

  /// A time in which nothing was wrong and nothing was started anew.
  private struct Window {
    let began: Duration
    let lives: [String]
    let leases: [String: String]
    var renewed: Set<String> = []

    init(began: Duration, lives: [String], leases: [String: String]) {
      self.began = began
      self.lives = lives
      self.leases = leases
    }

    mutating func see(_ now: [String: String]) {
      for (name, time) in now where leases[name] != time { renewed.insert(name) }
    }

    /// Leases that nobody renewed in the window; kubelet renews every 10 s, so that a short window says nothing.
    func stale(_ soak: Duration) -> [String] {
      guard soak >= .seconds(15) else { return [] }
      return leases.keys.filter { !renewed.contains($0) }.sorted()
    }
  }
}
