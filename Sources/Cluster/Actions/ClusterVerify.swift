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

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let settings = try outlook.settings
    let (soak, limit) = (soak ?? settings.health.soak, timeout ?? settings.health.timeout)
    let goal = version.map { "all is well at \($0)" } ?? "all is well"
    return Intentions(["waits at most \(limit.forPeople) until \(goal) for \(soak.forPeople) without a break"])
  }

  func perform(_ context: StepContext) throws(Failure) {
    try AvailabilitySampler.start(context)
    let settings = try context.settings
    let expected = try expectation(context)
    let (soak, limit) = (soak ?? settings.health.soak, timeout ?? settings.health.timeout)
    let began = monotonicNow()
    var end = began + limit
    // The step's own limit would end it without an answer; where there is time for one, it comes before.
    if let deadline = context.deadline, deadline - soak - Self.grace * 2 >= began + soak * 2 {
      end = min(end, deadline - soak - Self.grace * 2)
    }
    // `whole`: nothing at all is wrong. `core`: nothing decisive is.
    var (whole, core) = (SoakWindow(soak), SoakWindow(soak))
    var told: HealthProblem?
    var isProven = false
    while true {
      let look = ClusterHealth.look(context.machine, settings, expected, stop: context.stop)
      try context.checkpoint()
      if look.problems.first != told, let first = look.problems.first {
        context.message("not well yet: \(first.words)" + (look.problems.count > 1 ? " and \(look.problems.count - 1) more" : ""))
      }
      told = look.problems.first
      let leases = look.decisive.isEmpty ? (try? Leases.renewals(context.machine, stop: context.stop)) ?? [:] : [:]
      core.see(isWell: look.decisive.isEmpty, look.lives, leases)
      whole.see(isWell: look.problems.isEmpty, look.lives, leases)
      if whole.isOver && whole.stale.isEmpty { return }
      if core.isOver && core.stale.isEmpty { isProven = true }
      let now = monotonicNow()
      if now >= end && isProven && look.decisive.isEmpty && !look.reported.isEmpty { throw lessReady(look) }
      // One bad look at the very end must not undo what was well for a whole window before.
      if now >= end + (isProven ? soak + Self.grace : .zero) {
        throw unwell(look.decisive + core.stale.map { "the lease of \($0) is not renewed" }, soak, limit)
      }
      try context.sleep(settings.health.interval)
    }
  }

  /// How long a control plane that was well already may be away when the time is up.
  private static let grace = Duration.seconds(60)

  /// Once more, so that a step that ended long ago is not believed; a server that is busy for a moment is asked again.
  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let settings = try context.settings
    let expected = try expectation(context)
    var last: ClusterHealth?
    let isWell = try context.wait(Self.grace, every: settings.health.interval) { () throws(Failure) in
      let look = ClusterHealth.look(context.machine, settings, expected, stop: context.stop)
      try context.checkpoint()
      last = look
      return look.decisive.isEmpty
    }
    guard isWell, let last else {
      throw unwell(last?.decisive ?? [], soak ?? settings.health.soak, timeout ?? settings.health.timeout)
    }
    AvailabilitySampler.end(context)
    return evidence(context, last)
  }

  /// For the report: what cannot be asked for it is left out, and never fails a cluster that is well.
  private func evidence(_ context: StepContext, _ look: ClusterHealth) -> JSON {
    var evidence: JSON = [:]
    if let controlPlane = try? ControlPlane.read(context.machine) { evidence["controlPlane"] = controlPlane.json }
    var words = "all is well" + (version.map { " at \($0)" } ?? "")
    if let availability = Availability.read(context.state, context.parent ?? context.run) {
      evidence["availability"] = availability.json
      words += "; \(availability.words)"
    }
    if let version, let kubelet = try? ThisNode.version(of: "kubelet", context.machine), kubelet != version {
      words += "; kubelet stays at \(kubelet), which is yours to install"
    }
    if let before = try? Baseline.load(context.state, context.parent ?? context.run) {
      do throws(Failure) {
        let now = try Baseline.read(context.machine, try context.settings, stop: context.stop)
        evidence["differences"] = .array(before.compare(now).prefix(200).map(\.json))
        let uncounted = Set(before.uncounted).union(now.uncounted).sorted()
        if !uncounted.isEmpty { evidence["uncounted"] = JSON(uncounted) }
      } catch {
        context.message("the comparison with the cluster as it was is left out: \(error)")
      }
    }
    if !look.gone.isEmpty {
      evidence["gone"] = JSON(Array(look.gone.prefix(100)))
      words += "; deleted meanwhile: \(naming(look.gone, separator: "; "))"
    }
    if !look.reported.isEmpty { evidence["lessReady"] = JSON(Array(look.reported.prefix(100))) }
    evidence["summary"] = .string(words)
    return evidence
  }

  private func expectation(_ context: StepContext) throws(Failure) -> ClusterHealth.Expectation {
    var expected = ClusterHealth.Expectation()
    if let version { expected.versions = .all(version) }
    if let kubelet { expected.kubelet = .exactly(kubelet) }
    do throws(Failure) {
      expected.baseline = try Baseline.load(context.state, context.parent ?? context.run)
    } catch {
      // A damaged file says nothing of the cluster.
      throw Failure(.needsOperator, what: error.what, why: error.why, next: error.next)
    }
    return expected
  }

  private func unwell(_ problems: [String], _ soak: Duration, _ limit: Duration) -> Failure {
    Failure(
      what: "the cluster was not healthy for \(soak.forPeople) within \(limit.forPeople)",
      why: problems.isEmpty ? "something was started anew again and again" : naming(problems, separator: "; "),
      next: "look at the components that are named (crictl ps -a, crictl logs), then `kguard resume`")
  }

  /// An upgrade is seldom the cause, and a rollback would lose every write since: a person decides.
  private func lessReady(_ look: ClusterHealth) -> Failure {
    let what = version.map { "upgraded to \($0), and the control plane is healthy" } ?? "the control plane is healthy"
    let why =
      look.reported.count == 1 ? "1 thing is less ready than before: " : "\(look.reported.count) things are less ready than before: "
    return Failure(
      .needsOperator, what: what + "; not all else is", why: why + naming(look.reported, separator: "; "),
      next: "look at what is named; `kguard resume` looks again, `kguard rollback` goes back, and loses what was written since")
  }
}

/// A time in which nothing was wrong and nothing was started anew.
struct SoakWindow {
  private let soak: Duration
  private var open: (began: Duration, lives: [String], leases: [String: String])?
  private var renewed: Set<String> = []
  private var last = Duration.zero

  init(_ soak: Duration) { self.soak = soak }

  mutating func see(isWell: Bool, _ lives: [String], _ leases: [String: String], at now: Duration = monotonicNow()) {
    last = now
    guard isWell else {
      open = nil
      return
    }
    guard let open, open.lives == lives else {
      open = (now, lives, leases)
      renewed = []
      return
    }
    for (name, time) in leases where open.leases[name] != time { renewed.insert(name) }
  }

  var isOver: Bool { open.map { last - $0.began >= soak } ?? false }

  /// Leases that nobody renewed in the window; kubelet renews every 10 s, so that a short window says nothing.
  var stale: [String] {
    guard soak >= .seconds(15), let open, isOver else { return [] }
    return open.leases.keys.filter { !renewed.contains($0) }.sorted()
  }
}
