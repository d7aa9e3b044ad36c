public import Host
public import Journal
public import Model
public import Playbooks

/// How a run ended, for now.
public struct RunResult: Sendable, Equatable {
  public let run: RunID
  public let state: RunState
  public let exit: ExitStatus
  public let failure: Failure?
}

/// Executes runs: the only place that decides in which order the questions of a step are asked. For one thread.
public final class Runner {
  let journal: RunJournal
  let machine: any Machine
  let actions: Actions
  let state: StateDirectory
  let supervisor: Supervisor
  let observer: (any Observer)?
  let stop: StopSignal
  let reserve: Reserve
  let findPlaybook: (String) throws(Failure) -> Playbook
  private let version: String

  /// `findPlaybook` is asked for the playbook that rolls a run back.
  public init(
    journal: RunJournal, machine: any Machine, actions: Actions, state: StateDirectory, supervisor: Supervisor, observer: (any Observer)?,
    stop: StopSignal, version: String, findPlaybook: @escaping (String) throws(Failure) -> Playbook
  ) {
    self.journal = journal
    self.machine = machine
    self.actions = actions
    self.state = state
    self.supervisor = supervisor
    self.observer = observer
    self.stop = stop
    self.version = version
    self.findPlaybook = findPlaybook
    reserve = Reserve(path: state.reserve)
  }

  /// Writes a new run down. Nothing is done yet.
  public func create(_ playbook: Playbook, inputs: [String: String], config: JSON, parent: RunID? = nil) throws(Failure) -> RunID {
    // A rollback begins without room for its records where it must: each record tries again.
    do throws(Failure) { try reserve.ensure() } catch { if parent == nil { throw error } }
    try failpoint("run/create.before")
    // What rolls it back is kept with it: it must be there, and be the same, when it is needed.
    let rollback = try parent == nil ? playbook.rollback.map { (name) throws(Failure) in try findPlaybook(name) } : nil
    let new = NewRun(
      playbook: playbook.name, playbookFile: playbook.file, playbookText: playbook.text,
      inputs: try playbook.resolveInputs(inputs), config: config, root: machine.root, parent: parent,
      steps: playbook.steps.map { ($0.id, $0.actionName) }, rollback: rollback.map { ($0.file, $0.text) })
    let salt = machine.random(2)
    let id = try write { () throws(Failure) in
      try journal.createRun(
        new, playbookDigest: sha256(Array(playbook.text.utf8)), rollbackDigest: rollback.map { sha256(Array($0.text.utf8)) },
        kguard: version, salt: UInt16(salt[0]) << 8 | UInt16(salt[1]), at: machine.now())
    }
    try failpoint("run/create.after")
    return id
  }

  /// Goes on with a run from wherever it is, to its end or to where it has to stop.
  public func execute(_ id: RunID) throws(Failure) -> RunResult {
    let run = try record(id)
    return try answering(for: run) { () throws(Failure) in
      if run.state == .rollingBack || run.state == .needsOperator && hasBegunRollback(id) {
        return try rollBack(run)
      }
      return try goOn(run)
    }
  }

  private func goOn(_ run: RunRecord) throws(Failure) -> RunResult {
    let isResume = run.state != .pending
    let playbook = try actions.playbook(of: run)
    // An operator has looked, and says "go on": the step that failed is tried again.
    if run.state == .needsOperator { try write { () throws(Failure) in try journal.reopenFailedStep(run.id, at: machine.now()) } }
    let event: RunEvent = run.state == .needsOperator ? .retry : isResume ? .resume : .start
    try write { () throws(Failure) in try journal.record(run.id, event, at: machine.now()) }
    try failpoint("run/start.after")
    observer?.notice(.runStarted(run.id, playbook: playbook, inputs: run.inputs, parent: run.parent, isResume: isResume))
    // Not every step has a command, and none may work beside one that was left behind.
    guard try settle(run, step: nil, attempt: state.directory(of: run.id)) != nil else {
      return try interrupt(run, Self.stillRuns(resume: run))
    }
    return try steps(of: run, playbook)
  }

  // MARK: - The steps

  private func steps(of run: RunRecord, _ playbook: Playbook) throws(Failure) -> RunResult {
    let records = try journal.steps(run.id)
    guard records.map(\.id) == playbook.steps.map(\.id) else {
      throw Failure(
        .needsOperator, what: "cannot go on with run \(run.id)", why: "its steps in the journal are not those of its playbook",
        next: "report this as a bug, with the output of `kguard show \(run.id)`")
    }
    let settled = records.filter(\.state.isSettled)
    if !settled.isEmpty {
      observer?.notice(.settledBefore(run.id, Dictionary(settled.map { ($0.id, $0.state) }) { $1 }, of: records.count))
    }
    var evidence: [String: JSON] = [:]
    for (step, earlier) in zip(playbook.steps, records) {
      var record = earlier
      if !record.state.isSettled {
        if stop.isAsked { return try interrupt(run, nil) }
        let attempt = StepAttempt(runner: self, run: run, step: step, record: record, evidence: evidence)
        switch try attempt.carryOut() {
        case .settled(let settled): record = settled
        case .interrupted(let failure): return try interrupt(run, failure)
        }
      }
      if record.state == .failed, step.onFailure != .continue {
        let failure = record.error ?? Failure(what: "the step \(step.id) failed", why: "the journal does not say why", next: "")
        return try fail(run, playbook, step, failure)
      }
      evidence[step.id] = record.evidence
    }
    return try finish(run, .succeed, nil, exit: .done)
  }

  func interrupt(_ run: RunRecord, _ failure: Failure?) throws(Failure) -> RunResult {
    let reason = stop.reason.isEmpty ? "it was asked to stop" : stop.reason
    let failure =
      failure
      ?? Failure(
        .interrupted, what: "run \(run.id) was interrupted", why: reason, next: "run `kguard resume \(run.parent ?? run.id)` to go on")
    return try finish(run, .interrupt, failure, exit: .interrupted)
  }

  private func fail(_ run: RunRecord, _ playbook: Playbook, _ step: Step, _ failure: Failure) throws(Failure) -> RunResult {
    // What asks for a person is not decided without one.
    let needsPerson = failure.exit == .needsOperator
    if step.onFailure == .rollback, run.parent == nil, !needsPerson {
      try write { () throws(Failure) in try journal.record(run.id, .rollBack, error: failure, at: machine.now()) }
      try failpoint("run/roll-back.after")
      observer?.notice(.runEnded(run.id, .rollingBack, failure))
      return try rollBack(try record(run.id))
    }
    // "Failed" promises that the cluster is untouched. Where that is not so, an operator must look.
    if run.parent == nil, try touchedCluster(run, playbook) {
      var failure = failure
      failure.exit = .needsOperator
      if !needsPerson {
        let back = playbook.rollback == nil ? "its playbook names no rollback" : "`kguard rollback` puts it back"
        failure.next += "; the cluster has been changed: `kguard resume` tries on, \(back)"
      }
      return try finish(run, .giveUp, failure, exit: .needsOperator)
    }
    return try finish(run, .fail, failure, exit: failure.exit == .done ? .failed : failure.exit)
  }

  func finish(_ run: RunRecord, _ event: RunEvent, _ failure: Failure?, exit: ExitStatus) throws(Failure) -> RunResult {
    try failpoint("run/end.before")
    let state = try write { () throws(Failure) in try journal.record(run.id, event, error: failure, at: machine.now()) }
    try failpoint("run/end.after")
    observer?.notice(.runEnded(run.id, state, failure))
    return RunResult(run: run.id, state: state, exit: exit, failure: failure)
  }

  /// Whether a step that may change the cluster was begun and not undone.
  func touchedCluster(_ run: RunRecord, _ playbook: Playbook) throws(Failure) -> Bool {
    try actions.anyStep(of: run, journal, playbook, changedCluster: [.started, .succeeded, .failed])
  }

  // MARK: - Finding things

  func record(_ id: RunID) throws(Failure) -> RunRecord {
    if let run = try journal.run(id) { return run }
    throw Failure(.usage, what: "there is no run \(id)", why: "the journal does not know it", next: "see `kguard history`")
  }

  func work(of step: Step, in run: RunRecord, attempt: Int = 1, evidence: [String: JSON] = [:]) throws(Failure) -> any StepWork {
    try actions.work(of: step, Self.scope(run, step, attempt: attempt, evidence: evidence))
  }

  static func scope(_ run: RunRecord, _ step: Step, attempt: Int, evidence: [String: JSON]) -> Scope {
    let facts = [
      "id": run.id.text, "playbook": run.playbook, "step": step.id, "attempt": String(attempt),
      "started": (run.started ?? run.created).description,
    ]
    return Scope(inputs: run.inputs, run: facts, config: run.config, steps: evidence)
  }
}

extension Step {
  /// What the journal and the screen call its work.
  public var actionName: String {
    switch work {
    case .action(let path): path
    case .run: "run"
    case .shell: "shell"
    }
  }
}
