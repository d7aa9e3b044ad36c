internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `status -w`: on a terminal what the first terminal shows, elsewhere each change is a line. The journal says what has happened; what
/// happens now is read from the run's live record.
struct Watch {
  let session: Session
  let journal: RunJournal

  init(_ session: Session, _ journal: RunJournal) {
    self.session = session
    self.journal = journal
  }

  func follow(_ id: RunID) throws(Failure) -> ExitStatus {
    let stop = StopSignal()
    let view =
      Terminal.isTerminal(.output) && !session.isJSON && !session.isPlain
      ? LiveView(style: session.outputStyle, isVerbose: false, hand: .watches, stream: .output) : nil
    Signals.receive { number in
      if number == Signals.windowChanged { view?.redraw() } else { stop.ask(.now, reason: "") }
    }
    defer { view?.clear() }
    var shown = Shown()
    var seen: [RunID: Int64] = [:]
    while true {
      guard let run = try journal.run(id) else { return .failed }
      let facts = try RunFacts(run, journal)
      if let view { try show(facts, &shown, view) } else { try printChanges(facts, &seen) }
      if run.state.isFinal || (!facts.isWorkedOn && run.state != .pending) {
        view?.clear()
        if Terminal.isTerminal(.output), !session.isJSON { session.print(ending(facts)) }
        return .done
      }
      guard stop.sleep(.milliseconds(view == nil ? 500 : 200)) else { return .done }
    }
  }

  private func ending(_ facts: RunFacts) -> String {
    prose(facts.sentence(session.outputStyle), .output) + "\n" + NextStep.text(facts.next)
  }

  // MARK: - On a terminal

  private struct Shown {
    var runs: Set<RunID> = []
    /// Steps that have ended, by run.
    var steps: Set<String> = []
    var message: Int64 = 0
  }

  private func show(_ facts: RunFacts, _ shown: inout Shown, _ view: LiveView) throws(Failure) {
    let live = facts.isWorkedOn ? LiveRecord.read(session.state, facts.run.id) : nil
    try show(facts.run, facts.steps, live, &shown, view)
    if let rollback = facts.rollback {
      if shown.runs.insert(rollback.id).inserted {
        let steps = try journal.steps(rollback.id)
        let style = session.outputStyle
        view.show {
          $0.end()
          $0.keep("\(style.mark(.undone)) " + style.paint("rolling back", .yellow))
          $0.begin(steps.map { ($0.id, $0.action) }, isRollback: true)
          $0.keep(view.heading(title(of: rollback), rollback.id))
        }
      }
      try show(rollback, try journal.steps(rollback.id), live, &shown, view)
    }
  }

  private func show(
    _ run: RunRecord, _ steps: [StepRecord], _ live: LiveRecord?, _ shown: inout Shown, _ view: LiveView
  ) throws(Failure) {
    if shown.runs.insert(run.id).inserted {
      let title = title(of: run)
      view.show {
        $0.begin(steps.map { ($0.id, $0.action) }, isRollback: run.parent != nil)
        $0.keep(view.heading(title, run.id))
      }
    }
    let live = live?.run == run.id ? live : nil
    var messages = (live?.messages ?? []).filter { $0.number > shown.message }
    shown.message = max(shown.message, messages.last?.number ?? 0)
    for step in steps where step.state.isSettled && shown.steps.insert("\(run.id)/\(step.id)").inserted {
      let told = messages.filter { $0.step == step.id }
      messages.removeAll { $0.step == step.id }
      view.show { block in
        for message in told { block.say(message.step, message.text) }
        block.ended(
          step.id, step.state, step.error, summary: Words.summary(step.evidence), took: step.state == .skipped ? nil : step.took)
      }
    }
    let open = steps.first { $0.state == .started }
    view.show { block in
      for message in messages { block.say(message.step, message.text) }
      block.watchedStop = live?.stop ?? .none
      guard let open else { return }
      if let live, live.step == open.id, let at = live.nextAttempt {
        block.current = nil
        block.nextAttempt = (open.id, open.attempts.count + 1, at)
      } else {
        block.started(current(open, live))
      }
    }
  }

  /// As the first terminal has it: defaults are not worth a word.
  private func title(of run: RunRecord) -> String {
    let playbook = try? Playbook.load(text: run.playbookText, file: run.playbookFile, catalogue: session.actions.catalogue)
    guard let playbook else { return ([run.playbook] + Words.inputs(run.inputs)).joined(separator: " ") }
    return Words.heading(playbook, run.inputs, parent: run.parent, isResume: false)
  }

  private func current(_ step: StepRecord, _ live: LiveRecord?) -> LiveBlock.Current {
    let attempt = step.attempts.last
    let wall = session.machine.now() - (attempt?.started ?? step.started ?? session.machine.now())
    guard let live, live.step == step.id else {
      return .init(
        step: step.id, action: step.action, attempt: attempt?.number ?? 1, stopping: LiveBlock.stopping[step.action] ?? .cancels,
        since: monotonicNow() - max(.zero, wall))
    }
    var current = LiveBlock.Current(
      step: step.id, action: step.action, attempt: live.attempt, stopping: live.waits ? .waits : .cancels,
      since: min(live.since, monotonicNow()))
    current.reading = live.reading
    current.phase = live.phase
    current.line = live.line
    return current
  }

  // MARK: - Elsewhere

  private func printChanges(_ facts: RunFacts, _ seen: inout [RunID: Int64]) throws(Failure) {
    for run in [facts.run] + (facts.rollback.map { [$0] } ?? []) {
      for event in try journal.events(run.id, after: seen[run.id] ?? 0) {
        seen[run.id] = event.sequence
        if session.isJSON {
          let line: JSON = [
            "type": .string(event.type), "run": .string(run.id.text), "step": JSON(event.step), "at": .string(event.at.description),
            "data": event.data,
          ]
          session.print(line.text() + "\n")
        } else {
          session.print("\(localTime(event.at, "%H:%M:%S")) \(event.step.map { "\($0): " } ?? "")\(event.type)\n")
        }
      }
    }
  }
}

extension StepRecord {
  /// Of its last attempt.
  var took: Duration? {
    if let measured = attempts.last?.duration { return measured }
    guard let started, let ended else { return nil }
    return ended - started
  }
}
