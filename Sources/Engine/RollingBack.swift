internal import Host
public import Journal
public import Model
public import Playbooks

/// The other way: a run of its own, by the playbook that the run's own playbook names.
extension Runner {
  /// Rolls a run back because a person asks for it, whatever state it is in. `inputs` of the rollback's playbook come before those that
  /// the run itself had.
  public func rollBack(_ id: RunID, inputs: [String: String] = [:]) throws(Failure) -> RunResult {
    let run = try record(id)
    if let other = try journal.unfinishedRun(), other.id != id, other.parent != id {
      throw Failure(
        .held, what: "cannot roll run \(id) back", why: "run \(other.id) (\(other.playbook)) is \(other.state.rawValue)",
        next: "finish it first: \(other.waysOut)")
    }
    let playbook = try rollbackPlaybook(of: run, try rollbackName(of: run, try actions.playbook(of: run)))
    _ = try playbook.resolveInputs(run.rollbackInputs(inputs, for: playbook))
    try actions.requireNothingOnTop(of: run, journal, what: "cannot roll run \(id) back")
    try refuseOtherInputs(run, inputs)
    return try answering(for: run) { () throws(Failure) in
      if run.state == .rollingBack { try write { () throws(Failure) in try journal.rollbackAsked(id, at: machine.now()) } }
      return try rollBack(try record(id), inputs: inputs, isAsked: true)
    }
  }

  func hasBegunRollback(_ id: RunID) -> Bool { (try? journal.rollback(of: id)) != nil }

  /// Begins or goes on. `isAsked`: by a person, who may have wanted it for no failure at all.
  func rollBack(_ run: RunRecord, inputs: [String: String] = [:], isAsked: Bool = false) throws(Failure) -> RunResult {
    let name = try rollbackName(of: run, try actions.playbook(of: run))
    // A crash may have come between the end of the rollback and the end of the run that it rolls back.
    if run.state == .rollingBack, try hasEndedRollback(run.id) { return try endRollback(run) }
    // Nothing is put back beside a command of the run that still works.
    guard let open = try openSteps(of: run) else { return try stopWaiting(run) }
    if run.state != .rollingBack {
      let event: RunEvent = isAsked ? .rollBack : .resume
      try write { () throws(Failure) in try journal.record(run.id, event, at: machine.now()) }
    }
    try failpoint("run/settle.before")
    try close(open, of: run)
    try failpoint("run/settle.after")
    let child = try rollbackRun(of: run, name, inputs)
    let result = try execute(child)
    switch result.state {
    case .succeeded:
      return try endRollback(try record(run.id))
    case .interrupted, .running, .pending:
      return RunResult(run: run.id, state: .rollingBack, exit: result.exit, failure: result.failure)
    default:
      var failure = result.failure ?? Failure(what: "the rollback did not succeed", why: "it is \(result.state.rawValue)", next: "")
      failure.exit = .needsOperator
      failure.next += "; then run `kguard resume \(run.id)`, which tries the rollback again"
      return try finish(run, .giveUp, failure, exit: .needsOperator)
    }
  }

  private func rollbackName(of run: RunRecord, _ playbook: Playbook) throws(Failure) -> String {
    if run.parent == nil, let name = playbook.rollback { return name }
    throw Failure(
      .usage, what: "cannot roll run \(run.id) back", why: "its playbook `\(playbook.name)` names no `rollback:`",
      next: "put things back by hand; `kguard show \(run.id)` says what the run did")
  }

  /// The operator does not want to wait for the command: all can be resumed, and nothing was put back.
  private func stopWaiting(_ run: RunRecord) throws(Failure) -> RunResult {
    let again = run.state == .rollingBack ? "resume" : "rollback"
    let failure = Failure(
      .interrupted, what: "run \(run.id) is not rolled back yet", why: "a command of it still runs",
      next: "run `kguard \(again) \(run.id)` later: it waits for the command")
    if run.state == .running { return try interrupt(run, failure) }
    observer?.notice(.runEnded(run.id, run.state, failure))
    return RunResult(run: run.id, state: run.state, exit: .interrupted, failure: failure)
  }

  /// Where the rollback found nothing to restore, the run simply failed, and the cluster was never touched. One that had succeeded is
  /// rolled back all the same: the cluster was compared, and is as before it.
  private func endRollback(_ run: RunRecord) throws(Failure) -> RunResult {
    let isAsked = run.rollbackBy == .asked
    let isSettled = try journal.steps(run.id).allSatisfy { $0.state.isSettled }
    let isTouched = try anyRollbackTouched(run)
    let isBack = isTouched || (isAsked && run.cause == nil && isSettled)
    let event: RunEvent = isBack ? .finishRollback : .nothingChanged
    let exit: ExitStatus = isAsked ? .done : event == .finishRollback ? .rolledBack : .failed
    return try finish(run, event, isAsked ? nil : run.cause, exit: exit)
  }

  /// True where the rollback that was begun last has succeeded already.
  private func hasEndedRollback(_ id: RunID) throws(Failure) -> Bool {
    guard let rollback = try journal.rollback(of: id), rollback.state == .succeeded else { return false }
    let begun = try journal.events(id).last { $0.type == "run-\(RunState.rollingBack.rawValue)" }?.sequence ?? 0
    let created = try journal.events(rollback.id).first?.sequence ?? 0
    return created > begun
  }

  /// Whether this rollback, or an earlier one that it goes on from, changed the cluster.
  private func anyRollbackTouched(_ run: RunRecord) throws(Failure) -> Bool {
    // What was taken back meanwhile is none of this one's.
    let undo = try journal.newestUndo(of: run.id)
    for id in try journal.rollbacks(of: run.id) where undo.map({ $0 < id }) ?? true {
      let rollback = try record(id)
      if try touchedCluster(rollback, try actions.playbook(of: rollback)) { return true }
    }
    return false
  }

  // MARK: - The run that does it

  /// The rollback that is under way, or a new one.
  private func rollbackRun(of run: RunRecord, _ name: String, _ given: [String: String]) throws(Failure) -> RunID {
    if let earlier = try journal.rollback(of: run.id), !earlier.state.isFinal {
      if !differs(earlier, given) { return earlier.id }
      try replace(earlier)
    }
    let rollback = try rollbackPlaybook(of: run, name)
    var given = given
    // It failed, and is tried again: what was asked for then is still meant.
    if [.rollingBack, .needsOperator].contains(run.state), let earlier = try journal.rollback(of: run.id), earlier.state == .failed {
      let accepted = Set(rollback.inputs.map(\.name))
      given = earlier.inputs.filter { accepted.contains($0.key) }.merging(given) { $1 }
    }
    return try create(rollback, inputs: run.rollbackInputs(given, for: rollback), config: run.config, parent: run.id)
  }

  /// As it was when the run began; only an older kguard has not kept it.
  private func rollbackPlaybook(of run: RunRecord, _ name: String) throws(Failure) -> Playbook {
    guard let text = run.rollbackText else { return try findPlaybook(name) }
    do throws(PlaybookProblems) {
      return try Playbook.load(text: text, file: run.rollbackFile ?? name, catalogue: actions.catalogue)
    } catch {
      throw error.failure.within("cannot read the rollback that run \(run.id) was begun with (kguard \(run.kguard))")
    }
  }

  private func differs(_ rollback: RunRecord, _ given: [String: String]) -> Bool {
    given.contains { rollback.inputs[$0.key] != $0.value }
  }

  /// A rollback that is under way has decided by its own inputs. What is asked for now must not be passed over in silence.
  private func refuseOtherInputs(_ run: RunRecord, _ given: [String: String]) throws(Failure) {
    guard let earlier = try journal.rollback(of: run.id), differs(earlier, given) else { return }
    // The next rollback after one that has ended has inputs of its own; unless only the end of the run is still to be recorded.
    let hasEnded = try hasEndedRollback(run.id)
    if earlier.state.isFinal, run.state != .rollingBack || !hasEnded { return }
    if !earlier.state.isFinal, try !touchedCluster(earlier, try actions.playbook(of: earlier)) { return }
    let wanted = given.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " ")
    throw Failure(
      .usage, what: "cannot roll run \(run.id) back with \(wanted)",
      why: "its rollback \(earlier.id) was begun with other inputs, and has changed the cluster by now",
      next: "run `kguard resume \(run.id)`, which finishes it as it was begun")
  }

  /// Ends a rollback that has not touched anything yet, so that one with other inputs takes its place.
  private func replace(_ earlier: RunRecord) throws(Failure) {
    guard let open = try openSteps(of: earlier) else { throw Self.stillRuns(resume: earlier) }
    try write { () throws(Failure) in try journal.record(earlier.id, .resume, at: machine.now()) }
    try close(open, of: earlier)
    let failure = Failure(
      what: "this rollback was given up", why: "another one with other inputs was asked for",
      next: "see `kguard show \(earlier.parent?.text ?? earlier.id.text)`")
    _ = try finish(earlier, .fail, failure, exit: .failed)
  }
}

extension RunRecord {
  /// The inputs of its rollback: what is given, and what the run itself had of those that the playbook knows.
  public func rollbackInputs(_ given: [String: String], for rollback: Playbook) -> [String: String] {
    let accepted = Set(rollback.inputs.map(\.name))
    return inputs.filter { accepted.contains($0.key) }.merging(given) { $1 }
  }
}
