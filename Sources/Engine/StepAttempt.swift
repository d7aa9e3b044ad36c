internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// Carries one step out: intent, effect, proof, outcome; and again where it may be retried.
struct StepAttempt {
  let runner: Runner
  let run: RunRecord
  let step: Step
  let record: StepRecord
  let evidence: [String: JSON]

  enum Result {
    case settled(StepRecord)
    case interrupted(Failure)
  }

  /// Whoever kills the supervisor this often means it.
  private static let mostLost = 3

  private var journal: RunJournal { runner.journal }

  func carryOut() throws(Failure) -> Result {
    // Asked after a crash, too: whoever died may have begun the step only to say that its condition cannot be answered.
    var isWanted = true
    var objection: Failure?
    do throws(Failure) {
      if let condition = step.when { isWanted = try condition.holds(Runner.scope(run, step, attempt: 1, evidence: evidence)) }
    } catch {
      objection = error
    }
    guard record.state == .pending else { return try resume(objection) }
    guard isWanted else {
      try runner.write { () throws(Failure) in
        try journal.step(
          run.id, record.position, .skip, detail: ["when": .string(step.when?.source ?? "")], at: runner.machine.now())
      }
      runner.observer?.notice(.stepEnded(run.id, step: step.id, .skipped, nil, evidence: nil, took: nil))
      return .settled(with(.skipped))
    }
    return try attempts(from: 1, failures: 0, objection: objection)
  }

  // MARK: - Going on after a crash

  /// The step is `started`, by a process that is gone: ask the world how far it came.
  private func resume(_ objection: Failure?) throws(Failure) -> Result {
    guard let last = record.attempts.last else { return try attempts(from: 1, failures: 0, objection: objection) }
    let failures = record.attempts.count { $0.outcome == .failed }
    guard last.outcome == nil else { return try attempts(from: last.number + 1, failures: failures, objection: objection) }
    if let objection { return try afterFailure(objection, attempt: last.number, failures: failures, took: nil) }
    return try recover(last.number, failures: failures)
  }

  /// Nobody saw how this attempt ended. What still runs is waited for; then the world says whether the step is in effect.
  private func recover(_ number: Int, failures: Int, lost: Int = 0) throws(Failure) -> Result {
    guard let previous = try settle(number) else { return .interrupted(Runner.stillRuns(resume: run)) }
    let context = makeContext(attempt: number, previous: previous)
    announce(number)
    let proof: JSON?
    do throws(Failure) {
      let work = try runner.work(of: step, in: run, attempt: number, evidence: evidence)
      if try work.isInEffect(context) {
        proof = try work.verify(context)
      } else {
        if work.isOneCommand, case .ended(let end) = previous, !end.stopped,
          let failure = end.failure(of: "the command of \(step.id)", context)
        {
          throw failure
        }
        proof = nil
      }
    } catch {
      return try afterFailure(error, attempt: number, failures: failures, took: nil)
    }
    if let proof { return try succeed(proof, attempt: number, took: nil) }
    try runner.write { () throws(Failure) in
      try journal.attemptEnded(
        run.id, record.position, attempt: number, .interrupted, duration: nil, settles: nil, at: runner.machine.now())
    }
    return try attempts(from: number + 1, failures: failures, lost: lost)
  }

  /// What became of the command of an attempt, once nothing of it runs. Nil: asked to stop before that.
  private func settle(_ number: Int) throws(Failure) -> PreviousChild? {
    try runner.settle(run, step: step.id, attempt: runner.state.directory(of: run.id, step: step.id, attempt: number))
  }

  // MARK: - Attempts

  /// `objection`: why the step fails before it does anything.
  private func attempts(from number: Int, failures: Int, lost: Int = 0, objection: Failure? = nil) throws(Failure) -> Result {
    // Room to record the outcome, or the step fails: before its effect, not after.
    let objection = objection ?? runner.shortage(run)
    try failpoint("\(step.id)/start.before")
    try runner.write { () throws(Failure) in
      try journal.stepStarted(run.id, record.position, attempt: number, at: runner.machine.now())
    }
    try failpoint("\(step.id)/start.after")
    let began = monotonicNow()
    var took: Duration { monotonicNow() - began }
    let context = makeContext(attempt: number, previous: nil)
    announce(number)
    let proof: JSON
    do throws(Failure) {
      if let objection { throw objection }
      let work = try runner.work(of: step, in: run, attempt: number, evidence: evidence)
      if try !work.isInEffect(context) {
        try failpoint("\(step.id)/effect.before")
        runner.stop.setCancellable(work.stopping == .cancels)
        defer { runner.stop.setCancellable(false) }
        try work.perform(context)
        try failpoint("\(step.id)/effect.after")
      }
      proof = try work.verify(context)
    } catch {
      // Somebody killed the supervisor: the same questions as after a crash of our own. Whatever follows, the command has ended first.
      if context.lostChild {
        if lost < Self.mostLost { return try recover(number, failures: failures, lost: lost + 1) }
        guard try settle(number) != nil else { return .interrupted(Runner.stillRuns(resume: run)) }
      }
      return try afterFailure(error, attempt: number, failures: failures, took: took)
    }
    return try succeed(proof, attempt: number, took: took)
  }

  /// Writes down what was proven. Where that cannot be done the step has not failed: its attempt stays open, and resume asks the world.
  private func succeed(_ proof: JSON, attempt: Int, took: Duration?) throws(Failure) -> Result {
    try failpoint("\(step.id)/commit.before")
    try runner.write { () throws(Failure) in
      try journal.attemptEnded(
        run.id, record.position, attempt: attempt, .succeeded, evidence: proof, duration: took, settles: .succeed,
        at: runner.machine.now())
    }
    try failpoint("\(step.id)/commit.after")
    runner.observer?.notice(.stepEnded(run.id, step: step.id, .succeeded, nil, evidence: proof, took: took))
    var settled = with(.succeeded)
    settled.evidence = proof
    return .settled(settled)
  }

  private func afterFailure(_ failure: Failure, attempt: Int, failures: Int, took: Duration?) throws(Failure) -> Result {
    switch failure.exit {
    case .held: throw failure
    case .interrupted:
      // Left running or cancelled, the attempt stays open: resume asks what became of it.
      return .interrupted(failure)
    default: break
    }
    let mayRetry = failures < step.retries.max && (failure.exit == .failed || failure.isTransient)
    try failpoint("\(step.id)/fail.before")
    try runner.write { () throws(Failure) in
      try journal.attemptEnded(
        run.id, record.position, attempt: attempt, .failed, error: failure, duration: took, settles: mayRetry ? nil : .fail,
        at: runner.machine.now())
    }
    try failpoint("\(step.id)/fail.after")
    guard mayRetry else {
      runner.observer?.notice(.stepEnded(run.id, step: step.id, .failed, failure, evidence: nil, took: took))
      var settled = with(.failed)
      settled.error = failure
      return .settled(settled)
    }
    let chance = runner.machine.random(4).reduce(0.0) { ($0 + Double($1)) / 256 }
    let wait = step.retries.delay(beforeRetry: failures + 1, randomness: chance)
    runner.observer?.notice(.retrying(run.id, step: step.id, failure: failure, after: wait, attempt: attempt + 1))
    guard runner.stop.sleep(wait) else {
      return .interrupted(
        Failure(
          .interrupted, what: "the step \(step.id) was interrupted before its next attempt", why: runner.stop.reason,
          next: "run `kguard resume` to go on"))
    }
    return try attempts(from: attempt + 1, failures: failures + 1)
  }

  private var stopping: Stopping { step.action.flatMap { runner.actions[$0]?.stopping } ?? .cancels }

  private func announce(_ attempt: Int) {
    runner.observer?.notice(.stepStarted(run.id, step: step.id, action: step.actionName, attempt: attempt, stopping: stopping))
  }

  private func makeContext(attempt: Int, previous: PreviousChild?) -> StepContext {
    StepContext(
      engine: runner, run: run, step: step.id, attempt: attempt, timeout: step.timeout, stopping: stopping, evidence: evidence,
      previousChild: previous)
  }

  private func with(_ state: StepState) -> StepRecord {
    var settled = record
    settled.state = state
    return settled
  }
}
