internal import Cluster
internal import Engine
internal import Host
internal import Journal
internal import Model

/// `kguard check [VERSION]`: the preflight without a run.
enum CheckCommand {
  static let ignore = OptionSpec("--ignore-check", value: "NAME", "only warn where this check fails", isRepeated: true, completes: .check)

  static let spec = CommandSpec(
    name: "check", summary: "look whether this node could be upgraded, and change nothing",
    arguments: [ArgumentSpec("VERSION", "the version to upgrade to (default: look at the node as it is)", isOptional: true)],
    options: [ignore, BackupCommands.noOffsite],
    details: """
      Carries out every check that `kguard upgrade` begins with, all at once, and says what each saw and what to do about it; failures \
      come last, those with one cause together. On a machine without a control plane only that is said. \
      Exit 0 where nothing failed, 3 where something did, 6 where an upgrade, a rollback or an undo is unfinished: then the node is in \
      the middle of it, and what a check advises may be that run's own work.
      """,
    examples: [
      .init("kguard check v1.28.0", "could this node go to v1.28.0?"),
      .init("kguard check -o json | jq '.checks[] | select(.result != \"pass\")'", "for a monitor"),
    ],
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      let unfinished = try unfinished(session)
      if let unfinished, !session.isJSON {
        let next = unfinished.next.first.map { " `\($0.command)` is the way \($0.why)." } ?? ""
        session.say(prose(unfinished.sentence(session.style) + next + " What the checks advise may be its own work.", .errors) + "\n\n")
      }
      let report = try runPreflight(
        session.machine, try session.configuration(), session.state, version: invocation.arguments["VERSION"],
        ignoring: try ignored(invocation), mayStayHere: invocation.has(BackupCommands.noOffsite))
      if session.isJSON {
        session.printJSON([
          "type": "check", "checks": report.json, "failed": JSON(report.failures.count), "summary": .string(report.summary),
          "unfinished": JSON(unfinished?.run.id.text),
        ])
      } else {
        session.print(text(report, session.outputStyle, session.columns))
      }
      if unfinished != nil { return .held }
      return report.failures.isEmpty ? .done : .preflightRefused
    })

  /// A run that changes the node and has not ended; a backup does not change it. A journal that cannot be read keeps no check back.
  private static func unfinished(_ session: Session) throws(Failure) -> RunFacts? {
    guard let journal = try? session.lookAtJournal(), let run = try journal.unfinishedRun(), run.wayBack != nil else { return nil }
    return try RunFacts(run, journal)
  }

  /// What `--ignore-check` names; a name that no check has is refused before anything begins.
  static func ignored(_ invocation: Invocation) throws(Failure) -> [String] {
    let names = invocation.values(ignore).flatMap { $0.split(separator: ",").map(String.init) }
    try requireChecks(names)
    return names
  }

  private static func text(_ report: PreflightReport, _ style: Style, _ columns: Int?) -> String {
    let width = report.checks.map(\.name.count).max() ?? 0
    var out = ""
    for row in report.rows {
      let check = row.check
      let mark =
        check.result == .pass
        ? style.paint("pass", .green) : check.result == .warn ? style.paint("warn", .yellow) : style.paint("FAIL", .red)
      let said = printable(check.evidence) + (check.isIgnored ? " (ignored)" : "")
      out += hanging("\(mark)  \(padded(check.name, width))  ", width: width + 8, said, columns: columns) + "\n"
      let margin = String(repeating: " ", count: width + 8)
      func add(_ lead: String, _ text: String) {
        out += hanging(margin + lead, width: width + 8 + lead.count, text, columns: columns) + "\n"
      }
      if check.result != .pass { add(style.arrow + " ", printable(check.remedy)) }
      if !row.others.isEmpty { add("", "the same: " + row.others.joined(separator: ", ")) }
    }
    return out + prose(report.summary, .output) + "\n"
  }
}
