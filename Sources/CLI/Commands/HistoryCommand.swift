internal import Host
internal import Journal
internal import Model

/// `kguard history`
enum HistoryCommand {
  static let limit = OptionSpec("--limit", short: "-n", value: "N", "how many runs (default 20)")

  static let spec = CommandSpec(
    name: "history", summary: "list the runs, newest first", options: [limit, .noPager],
    examples: [.init("kguard history -n 5", "the last five")],
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      let count = invocation.value(limit).map { Int($0) } ?? 20
      guard let count, count > 0 else {
        throw Failure(.usage, what: "cannot understand `--limit`", why: "it is not a number above 0", next: "write it as `-n 20`")
      }
      let journal = try session.readJournal()
      let runs = try journal?.history(limit: count) ?? []
      if session.isJSON {
        for run in runs { session.print(json(run).text() + "\n") }
      } else if runs.isEmpty {
        session.say("No run yet.\n")
      } else {
        // Where there is little room, seconds and the zone are left out.
        let time = (session.columns ?? 80) < 80 ? "%Y-%m-%d %H:%M" : "%Y-%m-%d %H:%M:%S %Z"
        var rows: [[String]] = []
        for run in runs {
          let undo = try run.state == .rolledBack ? journal?.undo(of: run.id) : nil
          rows.append(row(run, time, isTakenBack: undo != nil))
        }
        session.page(table([["RUN", "BEGUN", "TOOK", "STATE", "WHAT"]] + rows, within: session.columns))
      }
      return .done
    })

  private static func json(_ run: RunSummary) -> JSON {
    [
      "run": .string(run.id.text), "playbook": .string(run.playbook), "inputs": run.inputs, "parent": JSON(run.parent?.text),
      "state": .string(run.state.rawValue), "created": .string(run.created.description), "ended": JSON(run.ended?.description),
    ]
  }

  private static func row(_ run: RunSummary, _ time: String, isTakenBack: Bool) -> [String] {
    let pairs = run.inputs.object?.pairs ?? []
    let values = Words.inputs(Dictionary(pairs.map { ($0.key, $0.value.string ?? "") }) { $1 })
    let whose = run.parent.map { ["of \($0)"] } ?? values
    return [
      run.id.text, localTime(run.created, time), run.ended.map { ($0 - run.created).forPeople } ?? "", run.state.rawValue,
      ([run.playbook] + whose).joined(separator: " ") + (isTakenBack ? ", taken back" : ""),
    ]
  }
}
