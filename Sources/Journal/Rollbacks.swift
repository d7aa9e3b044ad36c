public import Model

extension RunJournal {
  /// Every rollback of a run, the oldest first: one that failed is followed by another.
  public func rollbacks(of parent: RunID) throws(Failure) -> [RunID] {
    try database.rows("SELECT id FROM runs WHERE parent = ? ORDER BY id", .text(parent.text)) { RunID($0.text(0)) }.compactMap { $0 }
  }

  /// The run that took the newest rollback of this run back, or began to; nil where what was rolled back still is.
  public func undo(of run: RunID) throws(Failure) -> RunID? {
    try database.row(
      """
      SELECT id FROM runs WHERE playbook = 'undo' AND json_extract(inputs, '$.run') = ?1
        AND id > (SELECT max(id) FROM runs WHERE parent = ?1)
        AND EXISTS (SELECT 1 FROM steps WHERE run = runs.id AND steps.state NOT IN ('pending', 'skipped')) ORDER BY id DESC LIMIT 1
      """, .text(run.text)
    ) { RunID($0.text(0)) }.flatMap { $0 }
  }

  /// The runs whose playbooks name a way back, the newest first; with `after` only those that were begun after that one.
  public func runsWithWayBack(after run: RunID? = nil) throws(Failure) -> [RunID] {
    try database.rows(
      "SELECT id FROM runs WHERE parent IS NULL AND rollback_text IS NOT NULL AND id > ? ORDER BY id DESC", .text(run?.text ?? "")
    ) { RunID($0.text(0)) }.compactMap { $0 }
  }

  /// The newest run that took a rollback of this run back, or began to, whether or not it was rolled back again since.
  public func newestUndo(of run: RunID) throws(Failure) -> RunID? {
    try database.row(
      """
      SELECT max(id) FROM runs WHERE playbook = 'undo' AND json_extract(inputs, '$.run') = ?1
        AND EXISTS (SELECT 1 FROM steps WHERE run = runs.id AND steps.state NOT IN ('pending', 'skipped'))
      """, .text(run.text)
    ) { $0.textIfAny(0).flatMap { RunID($0) } }.flatMap { $0 }
  }

  /// The newest run that has succeeded and whose playbook names a way back: a person may want it tomorrow.
  public func newestWithWayBack() throws(Failure) -> RunID? {
    try database.row(
      "SELECT id FROM runs WHERE parent IS NULL AND rollback_text IS NOT NULL AND state = 'succeeded' ORDER BY id DESC LIMIT 1"
    ) { RunID($0.text(0)) }.flatMap { $0 }
  }
}
