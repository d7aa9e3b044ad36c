internal import Engine
internal import Host
internal import Journal
internal import Model

/// `kguard status [RUN] [-w]`
enum StatusCommand {
  static let watch = OptionSpec("--watch", short: "-w", "keep looking until the run has ended")

  static let spec = CommandSpec(
    name: "status", summary: "say how far a run is",
    arguments: [ArgumentSpec("RUN", "the run, or the end of its id (default: the unfinished one, else the newest)", isOptional: true)],
    options: [watch],
    examples: [
      .init("kguard status -w", "watch from a second terminal"), .init("kguard status -o json | jq .state", "for another program"),
    ],
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      guard let journal = try session.readJournal() else { throw noRuns(session) }
      let run: RunRecord?
      if let text = invocation.arguments["RUN"] {
        run = try session.findRun(text, in: journal)
      } else {
        run = try journal.currentRun()
      }
      guard let run else { throw noRuns(session) }
      if invocation.has(watch) { return try Watch(session, journal).follow(run.parent ?? run.id) }
      let facts = try RunFacts(run, journal)
      if session.isJSON { session.printJSON(facts.json) } else { session.print(try text(facts, journal, session)) }
      return .done
    })

  static func noRuns(_ session: Session) -> Failure {
    Failure(
      .usage, what: "there is no run yet", why: "\(session.state.path) holds no journal", next: "start one with `kguard upgrade VERSION`")
  }

  static func text(_ facts: RunFacts, _ journal: RunJournal, _ session: Session) throws(Failure) -> String {
    let (style, columns) = (session.outputStyle, session.columns)
    var text = prose(facts.sentence(style), .output) + "\n\n" + facts.stepLines(style, now: wallClock(), columns: columns)
    if let rollback = facts.rollback {
      text += "\nIts rollback, run \(rollback.id), is \(style.paint(rollback.state)):\n\n"
      text += try RunFacts(rollback, journal).stepLines(style, now: wallClock(), columns: columns)
    }
    if let error = facts.run.error { text += "\n" + prose(style.failure(error), .output) }
    return text + "\n" + NextStep.text(facts.next)
  }
}
