public import Model

extension RunJournal {
  private static let runColumns = """
    SELECT id, playbook, playbook_file, playbook_text, inputs, config, root, kguard, parent, state, created, started, ended, error,
      rollback_file, rollback_text, rollback_by, cause FROM runs
    """

  public func run(_ id: RunID) throws(Failure) -> RunRecord? {
    try database.row(Self.runColumns + " WHERE id = ?", .text(id.text)) { (row) throws(Failure) in try runRecord(row) }
  }

  /// The newest run that is no rollback of another, or nil.
  public func newestRun() throws(Failure) -> RunRecord? {
    try database.row(
      Self.runColumns + " WHERE parent IS NULL ORDER BY max(created, coalesce(started, 0), coalesce(ended, 0)) DESC, id DESC LIMIT 1"
    ) { (row) throws(Failure) in try runRecord(row) }
  }

  /// The run that must be resumed or rolled back before another can start, or nil.
  public func unfinishedRun() throws(Failure) -> RunRecord? {
    try database.row(
      Self.runColumns + " WHERE state NOT IN ('succeeded', 'failed', 'rolled-back') ORDER BY parent IS NOT NULL, id DESC LIMIT 1"
    ) { (row) throws(Failure) in try runRecord(row) }
  }

  /// The run that a person most likely asks about: the unfinished one, else the newest.
  public func currentRun() throws(Failure) -> RunRecord? {
    if let unfinished = try unfinishedRun() { return unfinished }
    return try newestRun()
  }

  /// The newest rollback of a run, or nil.
  public func rollback(of parent: RunID) throws(Failure) -> RunRecord? {
    try database.row(Self.runColumns + " WHERE parent = ? ORDER BY id DESC LIMIT 1", .text(parent.text)) { (row) throws(Failure) in
      try runRecord(row)
    }
  }

  /// Runs whose id contains a text: people type the end of an id.
  public func runs(matching part: String) throws(Failure) -> [RunID] {
    let plain = part.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
    guard !plain.isEmpty, plain.count == part.count else { return [] }
    return try database.rows("SELECT id FROM runs WHERE id LIKE ? ORDER BY id DESC LIMIT 20", .text("%\(plain)%")) { RunID($0.text(0)) }
      .compactMap { $0 }
  }

  public func history(limit: Int) throws(Failure) -> [RunSummary] {
    try database.rows(
      "SELECT id, playbook, inputs, parent, state, created, ended FROM runs ORDER BY id DESC LIMIT ?", .int(Int64(limit))
    ) { (row) throws(Failure) -> RunSummary? in
      guard let id = RunID(row.text(0)), let state = RunState(rawValue: row.text(4)), let created = row.time(5) else { return nil }
      return RunSummary(
        id: id, playbook: row.text(1), inputs: try row.json(2) ?? [:], parent: row.textIfAny(3).flatMap { RunID($0) }, state: state,
        created: created, ended: row.time(6))
    }.compactMap { $0 }
  }

  public func steps(_ run: RunID) throws(Failure) -> [StepRecord] {
    var steps = try database.rows(
      "SELECT position, id, action, state, started, ended, evidence, error FROM steps WHERE run = ? ORDER BY position", .text(run.text)
    ) { (row) throws(Failure) in
      StepRecord(
        position: Int(row.int(0)), id: row.text(1), action: row.text(2), state: StepState(rawValue: row.text(3)) ?? .pending,
        started: row.time(4), ended: row.time(5), evidence: try row.json(6), error: try row.json(7).flatMap { Failure(json: $0) },
        attempts: [])
    }
    let attempts = try database.rows(
      "SELECT position, number, started, ended, milliseconds, outcome, error FROM attempts WHERE run = ? ORDER BY position, number",
      .text(run.text)
    ) { (row) throws(Failure) in
      (
        Int(row.int(0)),
        AttemptRecord(
          number: Int(row.int(1)), started: row.time(2) ?? Timestamp(milliseconds: 0), ended: row.time(3),
          duration: row.intIfAny(4).map { .milliseconds($0) }, outcome: row.textIfAny(5).flatMap { AttemptRecord.Outcome(rawValue: $0) },
          error: try row.json(6).flatMap { Failure(json: $0) })
      )
    }
    for (position, attempt) in attempts where steps.indices.contains(position) { steps[position].attempts.append(attempt) }
    return steps
  }

  public func artifacts(_ run: RunID) throws(Failure) -> [ArtifactRecord] {
    try database.rows("SELECT step, kind, path, detail, state, created FROM artifacts WHERE run = ? ORDER BY id", .text(run.text)) {
      (row) throws(Failure) in
      ArtifactRecord(
        run: run, step: row.text(0), kind: row.text(1), path: row.text(2), detail: try row.json(3) ?? [:],
        state: ArtifactRecord.State(rawValue: row.text(4)) ?? .present, created: row.time(5) ?? Timestamp(milliseconds: 0))
    }
  }

  public func events(_ run: RunID, after sequence: Int64 = 0) throws(Failure) -> [EventRecord] {
    try database.rows(
      "SELECT sequence, step, at, type, data FROM events WHERE run = ? AND sequence > ? ORDER BY sequence", .text(run.text), .int(sequence)
    ) { (row) throws(Failure) in
      EventRecord(
        sequence: row.int(0), run: run, step: row.textIfAny(1), at: row.time(2) ?? Timestamp(milliseconds: 0), type: row.text(3),
        data: try row.json(4) ?? [:])
    }
  }

  private func runRecord(_ row: Row) throws(Failure) -> RunRecord {
    guard let id = RunID(row.text(0)), let state = RunState(rawValue: row.text(9)), let created = row.time(10) else {
      throw Failure(
        .needsOperator, what: "cannot read the journal \(path)", why: "the row of a run does not make sense",
        next: "copy the journal away and report this as a bug")
    }
    var inputs: [String: String] = [:]
    for (name, value) in try row.json(4)?.object?.pairs ?? [] { inputs[name] = value.string }
    return RunRecord(
      id: id, playbook: row.text(1), playbookFile: row.text(2), playbookText: row.text(3), inputs: inputs, config: try row.json(5) ?? [:],
      root: row.text(6), kguard: row.text(7), parent: row.textIfAny(8).flatMap { RunID($0) }, state: state, created: created,
      started: row.time(11), ended: row.time(12), error: try row.json(13).flatMap { Failure(json: $0) },
      rollbackFile: row.textIfAny(14), rollbackText: row.textIfAny(15),
      rollbackBy: row.textIfAny(16).flatMap { RollbackCause(rawValue: $0) },
      cause: try row.json(17).flatMap { Failure(json: $0) })
  }
}
