public import Model

extension RunJournal {
  /// The newest run of each playbook, by the playbook's name.
  public func newestRuns() throws(Failure) -> [RunRecord] {
    var runs: [RunRecord] = []
    let ids = try database.rows("SELECT max(id) FROM runs GROUP BY playbook ORDER BY playbook") { RunID($0.text(0)) }
    for id in ids { if let id, let run = try run(id) { runs.append(run) } }
    return runs
  }

  /// When a run of each playbook last succeeded.
  public func lastSuccesses() throws(Failure) -> [(playbook: String, ended: Timestamp)] {
    try database.rows(
      "SELECT playbook, max(ended) FROM runs WHERE state = 'succeeded' AND ended IS NOT NULL GROUP BY playbook ORDER BY playbook"
    ) {
      ($0.text(0), $0.time(1) ?? Timestamp(milliseconds: 0))
    }
  }
}
