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
      if session.isJSON { session.printJSON(facts.json) } else { session.print(try text(facts, journal, session.outputStyle)) }
      return .done
    })

  static func noRuns(_ session: Session) -> Failure {
    Failure(
      .usage, what: "there is no run yet", why: "\(session.state.path) holds no journal", next: "start one with `kguard upgrade VERSION`")
  }

  static func text(_ facts: RunFacts, _ journal: RunJournal, _ style: Style) throws(Failure) -> String {
    var text = facts.sentence(style) + "\n\n" + facts.stepLines(style, now: wallClock())
    if let rollback = facts.rollback {
      text += "\nIts rollback, run \(rollback.id), is \(style.paint(rollback.state)):\n\n"
      text += try RunFacts(rollback, journal).stepLines(style, now: wallClock())
    }
    if let error = facts.run.error { text += "\n" + style.failure(error) }
    return text + "\nNext:\n" + facts.next.split(separator: "\n").map { "  \($0)\n" }.joined()
  }
}

/// `-w`: on a terminal the screen is drawn again, elsewhere each change is a line.
private struct Watch {
  let session: Session
  let journal: RunJournal

  init(_ session: Session, _ journal: RunJournal) {
    self.session = session
    self.journal = journal
  }

  func follow(_ id: RunID) throws(Failure) -> ExitStatus {
    let stop = StopSignal()
    Signals.receive { number in if number != Signals.windowChanged { stop.ask(.now, reason: "") } }
    let isLive = Terminal.isTerminal(.output) && !session.isJSON
    var seen: Int64 = 0
    while true {
      guard let run = try journal.run(id) else { return .failed }
      let facts = try RunFacts(run, journal)
      if isLive {
        session.print("\u{1b}[H\u{1b}[2J" + (try StatusCommand.text(facts, journal, session.outputStyle)))
      } else {
        seen = try printChanges(run, after: seen)
      }
      if run.state.isFinal || (!facts.isWorkedOn && run.state != .pending) { return .done }
      guard stop.sleep(.milliseconds(500)) else { return .done }
    }
  }

  private func printChanges(_ run: RunRecord, after seen: Int64) throws(Failure) -> Int64 {
    var last = seen
    let events = try journal.events(run.id, after: seen)
    for event in events {
      last = event.sequence
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
    return last
  }
}
