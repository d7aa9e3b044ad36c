public import Model

extension RunJournal {
  /// Every rollback of a run, the oldest first: one that failed is followed by another.
  public func rollbacks(of parent: RunID) throws(Failure) -> [RunID] {
    try database.rows("SELECT id FROM runs WHERE parent = ? ORDER BY id", .text(parent.text)) { RunID($0.text(0)) }.compactMap { $0 }
  }
}
