public import Model

extension RunJournal {
  /// What any run made or moved of one kind and is, by the journal, still there; the oldest first.
  public func presentArtifacts(_ kind: String) throws(Failure) -> [ArtifactRecord] {
    try database.rows(
      "SELECT run, step, path, detail, state, created FROM artifacts WHERE kind = ? AND state <> 'removed' ORDER BY id", .text(kind)
    ) { (row) throws(Failure) -> ArtifactRecord? in
      guard let run = RunID(row.text(0)) else { return nil }
      return ArtifactRecord(
        run: run, step: row.text(1), kind: kind, path: row.text(2), detail: try row.json(3) ?? [:],
        state: ArtifactRecord.State(rawValue: row.text(4)) ?? .present, created: row.time(5) ?? Timestamp(milliseconds: 0))
    }.compactMap { $0 }
  }
}
