internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// Commands outlive kguard: whoever goes on with a run, or rolls it back, waits for the one that was left behind.
extension Runner {
  /// Waits until no command of an earlier kguard runs; then says how the one of this attempt ended. Nil: asked to stop meanwhile.
  func settle(_ run: RunRecord, step: String?, attempt directory: String) throws(Failure) -> PreviousChild? {
    if supervisor.isIdle { return try PreviousChild.read(directory) }
    var announced = false
    return try PreviousChild.settle(directory, state) { process in
      if !announced {
        observer?.notice(.message(run.id, step: step, LeftCommand(self, attempt: directory).words(process)))
      }
      announced = true
      return !stop.isAsked
    }
  }

  static func stillRuns(resume run: RunRecord) -> Failure {
    Failure(
      .interrupted, what: "run \(run.id) was interrupted", why: "a command of the earlier kguard still runs",
      next: "run `kguard resume \(run.parent ?? run.id)` later to go on")
  }

  /// A step that was begun and has not ended, and what became of its command.
  struct OpenStep {
    let record: StepRecord
    let previous: PreviousChild
  }

  /// The open steps of a run that is to be rolled back, once nothing of them runs. Nil: asked to stop before that.
  func openSteps(of run: RunRecord) throws(Failure) -> [OpenStep]? {
    var open: [OpenStep] = []
    for record in try journal.steps(run.id) where record.state == .started {
      let attempt = state.directory(of: run.id, step: record.id, attempt: record.attempts.last?.number ?? 1)
      guard let previous = try settle(run, step: record.id, attempt: attempt) else { return nil }
      open.append(OpenStep(record: record, previous: previous))
    }
    guard try settle(run, step: nil, attempt: state.directory(of: run.id)) != nil else { return nil }
    return open
  }

  /// Nobody goes on with these steps: the rollback takes over, or a person wants no more of the run.
  func close(_ open: [OpenStep], of run: RunRecord, cutShortBy cause: String = "the rollback") throws(Failure) {
    for step in open {
      let record = step.record
      let now = machine.now()
      guard let attempt = record.attempts.last, attempt.outcome == nil else {
        try write { () throws(Failure) in try journal.step(run.id, record.position, .fail, at: now) }
        continue
      }
      if ["run", "shell"].contains(record.action), case .ended(let end) = step.previous, end.isSuccess {
        try write { () throws(Failure) in
          try journal.attemptEnded(
            run.id, record.position, attempt: attempt.number, .succeeded, evidence: ["exit": 0], duration: nil, settles: .succeed, at: now)
        }
        continue
      }
      let failure = Failure(
        what: "the step \(record.id) was cut short by \(cause)", why: step.previous.words,
        next: "read its output with `kguard logs \(run.id) \(record.id)`")
      try write { () throws(Failure) in
        try journal.attemptEnded(
          run.id, record.position, attempt: attempt.number, .interrupted, error: failure, duration: nil, settles: .fail, at: now)
      }
    }
  }
}

extension ChildEnd {
  var isSuccess: Bool { end.isSuccess && !timedOut && !stopped }
}

extension PreviousChild {
  fileprivate var words: String {
    switch self {
    case .none: "it had no command when its kguard stopped"
    case .ended(let end) where end.isSuccess: "its command ended well, and nobody asked whether that was enough"
    case .ended(let end): "its command ended with \(end.end)"
    case .unknown: "nobody saw how its command ended"
    }
  }
}
