internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `kubeadm/apply`: the point of no return. kubeadm's exit status is evidence; the manifests, the container runtime and the API server
/// say what is true.
struct KubeadmApply: Action {
  static let signature = ActionSignature(
    "kubeadm/apply", summary: "upgrade the control plane of this node",
    inputs: [
      .version("the version to upgrade to"),
      ActionInput("max-bundle-age", .duration, description: "how old the bundle may be when kubeadm is started (default: 4h)"),
    ],
    requiresBefore: ["bundle/verify", "etcd/drill", "bundle/copy"])
  static let changesCluster = true
  static let stopping = Stopping.waits

  /// An event: from here on kubeadm may have changed the control plane.
  private static let begun = "kubeadm-begun"
  /// How long the control plane may take to be what kubeadm says it is.
  static let settlingTime = Duration.seconds(120)
  /// How long the proof at the end may find it unwell.
  static let proofTime = Duration.seconds(60)

  let version: KubernetesVersion
  private let maxAge: Duration

  init(_ inputs: ActionInputs) throws(Failure) {
    version = try inputs.requireVersion("version")
    maxAge = inputs["max-bundle-age"].flatMap { Duration(text: $0) } ?? .seconds(4 * 3600)
  }

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    try AvailabilitySampler.goOn(context)
    // Files first: where they are old, nobody has to be asked.
    let manifests = try ControlPlane.manifestVersions(context.machine)
    guard ControlPlane.names.allSatisfy({ manifests[$0] == version }) else { return false }
    return try context.wait(.seconds(context.isResume ? 60 : 5)) { () throws(Failure) in
      try differences(try ControlPlane.read(context.machine), context).isEmpty
    }
  }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let limit = "only with a bundle of this run that is verified, drilled, copied and at most \(maxAge.forPeople) old"
    let versions = try ControlPlane.manifestVersions(outlook.machine)
    var moves: [String] = []
    for group in Set(versions.values).sorted() {
      let names = ControlPlane.names.filter { versions[$0] == group }.joined(separator: ", ")
      moves.append(group == version ? "\(names) at \(group) already" : "\(names): \(group) → \(version)")
    }
    if let etcd = try? outlook.settings.etcdLocation(outlook.machine).manifest { moves.append("etcd: kubeadm decides; now \(etcd.image)") }
    return Intentions(["runs `\(argv.joined(separator: " "))`, \(limit)"] + moves)
  }

  func perform(_ context: StepContext) throws(Failure) {
    // Where kubeadm was at work already, going on is better than going back, whatever the bundle's age.
    let isBegun = try context.journal.events(context.run).contains { $0.type == Self.begun }
    _ = try GuardedBundle.require(context, maxAge: isBegun ? nil : maxAge)
    try AvailabilitySampler.start(context)
    try refuseAnother(context)
    try waitForServer(context)
    try failpoint("kubeadm-apply/begin.before")
    if !isBegun {
      let detail: JSON = ["version": .string(version.description)]
      try context.journal.note(context.run, step: context.step, Self.begun, detail, at: context.machine.now())
    }
    try failpoint("kubeadm-apply/command.before")
    let reporter = CrashReporter(context, version)
    var end = try apply(context, reporter)
    var passing: String?
    if !end.end.isSuccess {
      if try isOwnJob(context) {
        passing = "kubeadm met the health-check Job of its last run, which is gone now"
      } else if reporter.seen == nil, try isSlowKubelet(context) {
        passing = "kubeadm gave up waiting for kubelet and put its manifests back; all is well"
      }
    }
    if let passing {
      context.message(passing + ": it tries once more")
      end = try apply(context, reporter)
    }
    try failpoint("kubeadm-apply/command.after")
    try settle(context, end, reporter)
  }

  private var argv: [String] { ["kubeadm", "upgrade", "apply", version.description, "-y"] }

  private func apply(_ context: StepContext, _ reporter: CrashReporter) throws(Failure) -> ChildEnd {
    try reporter.watch { () throws(Failure) in try context.supervise(argv) }
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    // A server that has just been started may be busy for a moment: that is no reason to go back.
    var left: [String] = []
    var crashes = CrashWatch(version)
    var crashing: CrashWatch.Crash?
    let isThere = try context.wait(Self.proofTime) { () throws(Failure) in
      do throws(Failure) {
        let controlPlane = try ControlPlane.read(context.machine)
        crashing = crashes.see(controlPlane)
        if crashing != nil { return true }
        left = try differences(controlPlane, context)
      } catch {
        left = [error.description]
        throw error
      }
      return left.isEmpty
    }
    guard isThere, crashing == nil else {
      let before = context.output().contains("SUCCESS!") ? "kubeadm said SUCCESS; " : ""
      throw notThere(left, before + "asked again, the cluster says otherwise", context, crashing)
    }
    var evidence: JSON = ["version": .string(version.description)]
    if let controlPlane = try? ControlPlane.read(context.machine) { evidence["components"] = controlPlane.json }
    evidence["summary"] = .string("the control plane runs \(version)")
    return evidence
  }

  // MARK: - What the world says

  private func differences(_ controlPlane: ControlPlane, _ context: StepContext) throws(Failure) -> [String] {
    let words = controlPlane.differences(from: version)
    if !words.isEmpty { return words }
    return try ClusterRecords.read(try ThisNode.api(context.machine)).differences(from: version)
  }

  /// Waits until what kubeadm did has taken hold. The same containers must run at two looks: one that crashes runs for a moment too.
  private func settle(_ context: StepContext, _ end: ChildEnd, _ reporter: CrashReporter) throws(Failure) {
    let manifests = try ControlPlane.manifestVersions(context.machine)
    // kubeadm failed and the manifests are old, or half of them: there is nothing to wait for.
    let isHopeless = !end.end.isSuccess && !ControlPlane.names.allSatisfy { manifests[$0] == version }
    var words: [String] = []
    var containers: [String] = []
    var crashes = CrashWatch(version)
    var crashing: CrashWatch.Crash?
    let isThere = try context.wait(isHopeless ? .zero : end.end.isSuccess ? Self.settlingTime : .seconds(15)) { () throws(Failure) in
      do throws(Failure) {
        let controlPlane = try ControlPlane.read(context.machine)
        crashing = crashes.see(controlPlane)
        if crashing != nil { return true }
        words = try differences(controlPlane, context)
        let isSame = containers == controlPlane.containers
        containers = controlPlane.containers
        return words.isEmpty && isSame
      } catch {
        words = [error.description]
        throw error
      }
    }
    if isThere, crashing == nil { return }
    let seen = reporter.seen
    throw notThere(words, said(end), context, crashing ?? seen?.crash, isOver: crashing == nil, log: seen?.log)
  }

  private func said(_ end: ChildEnd) -> String {
    if end.timedOut { return "kubeadm's time was up" }
    return end.end.isSuccess ? "kubeadm said SUCCESS" : "kubeadm ended with \(end.end)"
  }

  /// `crash`: what crashes, or crashed before kubeadm put its manifest back; `log`: what was read of it then.
  private func notThere(
    _ words: [String], _ said: String, _ context: StepContext, _ crash: CrashWatch.Crash?, isOver: Bool = false, log: CrashLog? = nil
  ) -> Failure {
    let lines = context.output().split(whereSeparator: \.isNewline)
    let last =
      lines.last { $0.contains("[ERROR ") }
      ?? lines.last { line in
        !line.contains("To see the stack trace")
          && (line.contains("FATAL") || line.contains("ERROR") || line.contains("error") || line.contains("Errors faced"))
      }
    let quote = last.map { " (\($0.trimmed.prefix(300)))" } ?? ""
    var words = Array(words.prefix(4))
    var next = "read kubeadm's output with `kguard logs \(context.run) \(context.step)`"
    if let crash {
      let found = (isOver ? nil : CrashLog.read(context.machine, crash.component)) ?? (log?.component == crash.component ? log : nil)
      let cause = found?.lastWords.map { " (\($0))" } ?? ""
      words = isOver ? words + ["before that, " + crash.words + cause] : [crash.words + cause]
      if let found {
        // After what kubeadm said was read: it is not kubeadm's.
        found.keep(context)
        next = "read the end of \(crash.component)'s log, after kubeadm's output, with `kguard logs \(context.run) \(context.step)`"
      }
    }
    return Failure(
      what: "the control plane is not at \(version)", why: "\(said)\(quote): \(words.joined(separator: "; "))", next: next)
  }

  // MARK: - Before and between

  /// After a crash in the middle the API server may be starting; kubeadm would give up at once.
  private func waitForServer(_ context: StepContext) throws(Failure) {
    let isReady = try context.wait(Self.settlingTime) { () throws(Failure) in try ThisNode.api(context.machine).health().isOK }
    if isReady { return }
    throw Failure(
      what: "cannot start kubeadm", why: "the API server was not ready for \(Self.settlingTime.forPeople)",
      next: "look at its container: crictl ps -a --name kube-apiserver")
  }

  /// Somebody else's kubeadm would work on the same files.
  private func refuseAnother(_ context: StepContext) throws(Failure) {
    guard context.machine.root == "/" else { return }
    for name in (try? Files.list("/proc")) ?? [] {
      guard let pid = Int32(name), pid != ProcessIdentity.current().pid, let comm = try? Files.read("/proc/\(pid)/comm", limit: 64),
        String(decoding: comm, as: UTF8.self).hasPrefix("kubeadm\n"),
        // One in a container, such as a test cluster's, works on other files.
        (try? Files.linkTarget("/proc/\(pid)/ns/net")) == (try? Files.linkTarget("/proc/self/ns/net"))
      else { continue }
      throw Failure(
        .held, what: "cannot start kubeadm", why: "another one runs already (process \(pid))",
        next: "wait for it to end, then run `kguard resume`")
    }
  }

  /// Before it changes anything kubeadm makes a Job and deletes it; one of `plan` a moment ago that is still going away fails it.
  private func isOwnJob(_ context: StepContext) throws(Failure) -> Bool {
    guard context.output().contains("[ERROR CreateJob]"),
      try ControlPlane.manifestVersions(context.machine).values.allSatisfy({ $0 != version })
    else { return false }
    return try context.wait(.seconds(60)) { () throws(Failure) in
      try ThisNode.api(context.machine).find("/apis/batch/v1/namespaces/kube-system/jobs/upgrade-health-check") == nil
    }
  }

  /// "static Pod hash … did not change": kubeadm waited for the API's copy of the pod, gave up, and put the old manifests back. Where
  /// no container of the target has failed and the old control plane is whole, kubelet was only slow, and a second try is safe.
  private func isSlowKubelet(_ context: StepContext) throws(Failure) -> Bool {
    let output = context.output()
    guard output.contains("did not change after") else { return false }
    return try context.wait(.seconds(60), every: .seconds(2)) { () throws(Failure) in
      let controlPlane = try ControlPlane.read(context.machine)
      guard controlPlane.components.allSatisfy({ $0.version != version && $0.running.count == 1 }) else { return false }
      guard controlPlane.components.allSatisfy({ component in component.running.allSatisfy { $0.tags.contains(component.image) } }) else {
        return false
      }
      guard try Kubelet.isActive(context.machine) else { return false }
      return try ThisNode.api(context.machine).health().isOK
    }
  }
}
