public import Model

extension RunJournal {
  /// The new run, all its steps pending, and this process as its owner.
  public func createRun(
    _ new: NewRun, playbookDigest: Digest, rollbackDigest: Digest? = nil, kguard: String, salt: UInt16, at now: Timestamp
  )
    throws(Failure) -> RunID
  {
    try checkpoint { () throws(Failure) in
      let newest = try database.row("SELECT max(id) FROM runs") { $0.textIfAny(0) } ?? nil
      let id = RunID(at: now, salt: salt, after: newest.flatMap { RunID($0) })
      var inputs = JSON.Members()
      for (name, value) in new.inputs.sorted(by: { $0.key < $1.key }) { inputs[name] = .string(value) }
      try database.run(
        """
        INSERT INTO runs (id, playbook, playbook_file, playbook_text, playbook_sha256, inputs, config, root, kguard, parent, state, created,
          rollback_file, rollback_text, rollback_sha256)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?, ?)
        """, .text(id.text), .text(new.playbook), .text(new.playbookFile), .text(new.playbookText), .text(playbookDigest.description),
        SQLValue(JSON.object(inputs)), SQLValue(new.config), .text(new.root), .text(kguard), SQLValue(new.parent?.text), SQLValue(now),
        SQLValue(new.rollback?.file), SQLValue(new.rollback?.text), SQLValue(rollbackDigest?.description))
      for (position, step) in new.steps.enumerated() {
        try database.run(
          "INSERT INTO steps (run, position, id, action, state) VALUES (?, ?, ?, ?, 'pending')", .text(id.text), .int(Int64(position)),
          .text(step.id), .text(step.action))
      }
      try database.run("UPDATE owner SET run = ?", .text(id.text))
      try addEvent(id, nil, "run-created", ["playbook": .string(new.playbook)], at: now)
      return id
    }
  }

  /// Moves a run on. The transition function decides whether that can be.
  @discardableResult
  public func record(_ run: RunID, _ event: RunEvent, error: Failure? = nil, at now: Timestamp) throws(Failure) -> RunState {
    try checkpoint { () throws(Failure) in
      guard let state = try database.row("SELECT state FROM runs WHERE id = ?", .text(run.text), read: { RunState(rawValue: $0.text(0)) }),
        let state
      else { throw impossible("run \(run) is not in the journal") }
      guard let next = transition(state, event) else { throw impossible("run \(run) is \(state.rawValue) and cannot \(event)") }
      // A rollback that found nothing to do has not made the run any longer.
      let ended = event == .nothingChanged ? try firstEnd(of: run) ?? now : next.isFinal || next == .needsOperator ? now : nil
      try database.run(
        "UPDATE runs SET state = ?, started = coalesce(started, ?), ended = ? WHERE id = ?", .text(next.rawValue), SQLValue(now),
        SQLValue(ended), .text(run.text))
      switch event {
      case .rollBack: try beginRollback(run, error)
      case .finishRollback, .nothingChanged: try database.run("UPDATE runs SET error = cause WHERE id = ?", .text(run.text))
      case .resume where next == .rollingBack: try database.run("UPDATE runs SET error = cause WHERE id = ?", .text(run.text))
      case .start, .resume, .retry, .succeed, .fail, .interrupt, .giveUp, .abandon:
        // What stopped the run earlier is over as soon as it goes on; the events keep it.
        try database.run("UPDATE runs SET error = ? WHERE id = ?", SQLValue(error?.json), .text(run.text))
      }
      switch event {
      case .start, .resume, .retry, .rollBack: try database.run("UPDATE owner SET run = ?", .text(run.text))
      default: break
      }
      try addEvent(run, nil, "run-\(next.rawValue)", error?.json ?? [:], at: now)
      return next
    }
  }

  private func firstEnd(of run: RunID) throws(Failure) -> Timestamp? {
    try database.row(
      "SELECT at FROM events WHERE run = ? AND type IN ('run-succeeded', 'run-failed') ORDER BY sequence LIMIT 1", .text(run.text)
    ) { $0.time(0) }.flatMap { $0 }
  }

  /// Why the run is rolled back. With `failure`, because of it; else a person asks, and what the run had failed of before its first
  /// rollback is its cause. That it was interrupted is none.
  private func beginRollback(_ run: RunID, _ failure: Failure?) throws(Failure) {
    let by: RollbackCause = failure == nil ? .asked : .failure
    try database.run(
      """
      UPDATE runs SET rollback_by = ?1,
        cause = coalesce(?2, cause, CASE WHEN rollback_by IS NULL AND json_extract(error, '$.exit') <> ?3 THEN error END)
      WHERE id = ?4
      """, .text(by.rawValue), SQLValue(failure?.json), .int(Int64(ExitStatus.interrupted.rawValue)), .text(run.text))
    try database.run("UPDATE runs SET error = cause WHERE id = ?", .text(run.text))
  }

  /// A person asks for the rollback that is under way.
  public func rollbackAsked(_ run: RunID, at now: Timestamp) throws(Failure) {
    try checkpoint { () throws(Failure) in
      try database.run("UPDATE runs SET rollback_by = ? WHERE id = ?", .text(RollbackCause.asked.rawValue), .text(run.text))
      try addEvent(run, nil, "rollback-asked", [:], at: now)
    }
  }

  /// Intent: an attempt begins. Committed before anything is touched.
  public func stepStarted(_ run: RunID, _ position: Int, attempt: Int, at now: Timestamp) throws(Failure) {
    try checkpoint { () throws(Failure) in
      try moveStep(run, position, .start, at: now)
      try database.run(
        "INSERT INTO attempts (run, position, number, started) VALUES (?, ?, ?, ?)", .text(run.text), .int(Int64(position)),
        .int(Int64(attempt)), SQLValue(now))
      try addStepEvent(run, position, "attempt-started", ["attempt": JSON(attempt)], at: now)
    }
  }

  /// An attempt has ended. `settles`: the step goes with it; otherwise another attempt follows.
  public func attemptEnded(
    _ run: RunID, _ position: Int, attempt: Int, _ outcome: AttemptRecord.Outcome, evidence: JSON? = nil, error: Failure? = nil,
    duration: Duration?, settles event: StepEvent?, at now: Timestamp
  ) throws(Failure) {
    try checkpoint { () throws(Failure) in
      try database.run(
        "UPDATE attempts SET ended = ?, milliseconds = ?, outcome = ?, error = ? WHERE run = ? AND position = ? AND number = ?",
        SQLValue(now), SQLValue(duration?.milliseconds), .text(outcome.rawValue), SQLValue(error?.json), .text(run.text),
        .int(Int64(position)), .int(Int64(attempt)))
      if let event { try moveStep(run, position, event, evidence: evidence, error: error, at: now) }
      let data: JSON = ["attempt": JSON(attempt), "error": error?.json ?? .null]
      try addStepEvent(run, position, "attempt-\(outcome.rawValue)", data, at: now)
    }
  }

  /// A step that needs no attempt: skipped, or undone.
  public func step(_ run: RunID, _ position: Int, _ event: StepEvent, detail: JSON = [:], at now: Timestamp) throws(Failure) {
    try checkpoint { () throws(Failure) in
      let state = try moveStep(run, position, event, at: now)
      try addStepEvent(run, position, "step-\(state.rawValue)", detail, at: now)
    }
  }

  /// The last failed step is open again; its attempts stay on record.
  public func reopenFailedStep(_ run: RunID, at now: Timestamp) throws(Failure) {
    guard let failed = try steps(run).last(where: { $0.state != .pending }), failed.state == .failed else { return }
    try step(run, failed.position, .reopen, at: now)
  }

  /// Something worth remembering that is no change of state.
  public func note(_ run: RunID, step: String?, _ type: String, _ data: JSON, at now: Timestamp) throws(Failure) {
    try checkpoint { () throws(Failure) in try addEvent(run, step, type, data, at: now) }
  }

  /// Records a path that kguard makes or moves something to. `planned` before, `present` after, `removed` when it is gone again.
  public func artifact(
    _ run: RunID, step: String, kind: String, path: String, detail: JSON = [:], _ state: ArtifactRecord.State, at now: Timestamp
  ) throws(Failure) {
    try checkpoint { () throws(Failure) in
      try database.run(
        """
        INSERT INTO artifacts (run, step, kind, path, detail, state, created) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (run, kind, path) DO UPDATE SET state = excluded.state, detail = json_patch(detail, excluded.detail)
        """, .text(run.text), .text(step), .text(kind), .text(path), SQLValue(detail), .text(state.rawValue), SQLValue(now))
    }
  }

  @discardableResult
  private func moveStep(
    _ run: RunID, _ position: Int, _ event: StepEvent, evidence: JSON? = nil, error: Failure? = nil, at now: Timestamp
  ) throws(Failure) -> StepState {
    let state = try database.row(
      "SELECT state FROM steps WHERE run = ? AND position = ?", .text(run.text), .int(Int64(position)),
      read: { StepState(rawValue: $0.text(0)) })
    guard let state, let state else { throw impossible("step \(position) of run \(run) is not in the journal") }
    guard let next = transition(state, event) else {
      throw impossible("step \(position) of run \(run) is \(state.rawValue) and cannot \(event)")
    }
    try database.run(
      """
      UPDATE steps SET state = ?, started = coalesce(started, ?), ended = ?, evidence = coalesce(?, evidence), error = ?
      WHERE run = ? AND position = ?
      """, .text(next.rawValue), SQLValue(now), next.isSettled ? SQLValue(now) : .null, SQLValue(evidence), SQLValue(error?.json),
      .text(run.text), .int(Int64(position)))
    return next
  }

  private func addStepEvent(_ run: RunID, _ position: Int, _ type: String, _ data: JSON, at now: Timestamp) throws(Failure) {
    try database.run(
      """
      INSERT INTO events (run, step, at, type, data)
      VALUES (?1, (SELECT id FROM steps WHERE run = ?1 AND position = ?2), ?3, ?4, ?5)
      """, .text(run.text), .int(Int64(position)), SQLValue(now), .text(type), SQLValue(data))
  }

  private func addEvent(_ run: RunID?, _ step: String?, _ type: String, _ data: JSON, at now: Timestamp) throws(Failure) {
    try database.run(
      "INSERT INTO events (run, step, at, type, data) VALUES (?, ?, ?, ?, ?)", SQLValue(run?.text), SQLValue(step), SQLValue(now),
      .text(type), SQLValue(data))
  }

  /// The journal and the engine disagree: a bug, which debug builds show at once.
  private func impossible(_ why: String) -> Failure {
    assertionFailure(why)
    return Failure(
      .needsOperator, what: "kguard stops", why: "its record would not make sense: \(why)",
      next: "report this as a bug, with the output of `kguard show`")
  }
}
