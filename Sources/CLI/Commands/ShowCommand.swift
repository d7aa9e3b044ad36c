internal import Engine
internal import Host
internal import Journal
internal import Model

/// `kguard show RUN`: the story of a run.
enum ShowCommand {
  static let spec = CommandSpec(
    name: "show", summary: "tell the story of a run: steps, attempts, evidence, and where everything lies",
    arguments: [ArgumentSpec("RUN", "the run, or the end of its id (default: the newest)", isOptional: true)],
    options: [.noPager],
    examples: [.init("kguard show", "the newest run"), .init("kguard show k7 -o json", "everything about the run whose id ends in k7")],
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      guard let journal = try session.readJournal() else { throw StatusCommand.noRuns(session) }
      let run = try session.findRun(invocation.arguments["RUN"], in: journal)
      if session.isJSON { session.printJSON(try json(run, journal)) } else { session.page(try text(run, journal, session)) }
      return .done
    })

  private static func json(_ run: RunRecord, _ journal: RunJournal) throws(Failure) -> JSON {
    var json = try RunFacts(run, journal).json
    json["artifacts"] = .array(
      try journal.artifacts(run.id).map {
        [
          "step": .string($0.step), "kind": .string($0.kind), "path": .string($0.path), "state": .string($0.state.rawValue),
          "detail": $0.detail,
        ]
      })
    json["events"] = .array(
      try journal.events(run.id).map {
        ["at": .string($0.at.description), "type": .string($0.type), "step": JSON($0.step), "data": $0.data]
      })
    return json
  }

  private static func text(_ run: RunRecord, _ journal: RunJournal, _ session: Session) throws(Failure) -> String {
    let facts = try RunFacts(run, journal)
    var text = try story(facts, journal, session)
    // A run that was put back is half of its story.
    if let rollback = facts.rollback { text += "\n\n" + (try story(try RunFacts(rollback, journal), journal, session)) }
    return text
  }

  private static func story(_ facts: RunFacts, _ journal: RunJournal, _ session: Session) throws(Failure) -> String {
    let (style, run) = (session.outputStyle, facts.run)
    var head = [["Run", run.id.text], ["What", facts.title], ["State", style.paint(run.state)], ["Begun", localTime(run.created)]]
    if let ended = run.ended { head.append(["Ended", "\(localTime(ended)) (\((ended - run.created).forPeople))"]) }
    if let parent = run.parent { head.append(["Rolls back", "run \(parent)"]) }
    if let rollback = facts.rollback {
      let earlier = try journal.rollbacks(of: run.id).filter { $0 != rollback.id }.map(\.text)
      let more = earlier.isEmpty ? "" : "; before it \(naming(earlier))"
      head.append(["Rolled back by", "run \(rollback.id), \(rollback.state.rawValue)\(more)"])
    }
    if let undo = facts.undo { head.append(["Taken back by", "run \(undo): what the run had done is in place again"]) }
    head.append(["Host root", run.root])
    head.append(["Playbook", run.playbookFile])
    head.append(["Logs", session.state.directory(of: run.id)])
    let columns = session.columns
    var text = table(head, within: columns) + "\n"
    if let error = run.error { text += prose(style.failure(error), .output) + "\n" }
    text += facts.stepLines(style, now: wallClock(), columns: columns)
    for step in facts.steps where step.evidence != nil || step.attempts.count > 1 || step.error != nil {
      text += "\n" + style.paint(step.id, .bold) + "\n" + details(step, columns)
    }
    // What earlier rollbacks moved is the newest one's to answer for.
    let makers = try run.parent.map { (parent) throws(Failure) in try journal.rollbacks(of: parent).filter { $0 <= run.id } } ?? [run.id]
    var artifacts: [ArtifactRecord] = []
    for maker in makers { artifacts += try journal.artifacts(maker).filter { $0.state != .removed } }
    if artifacts.isEmpty { return text }
    return text + "\nPaths that the run made\n" + table(artifacts.map { ["  \($0.kind)", $0.path, $0.state.rawValue] }, within: columns)
  }

  private static func details(_ step: StepRecord, _ columns: Int?) -> String {
    var text = ""
    for attempt in step.attempts where step.attempts.count > 1 || attempt.outcome != .succeeded {
      let outcome = attempt.outcome?.rawValue ?? "not known how it ended"
      let error = attempt.error.map { ": \(inOneLine($0.description))" } ?? ""
      let head = "  attempt \(attempt.number), \(localTime(attempt.started, "%H:%M:%S")): "
      text += hanging(head, width: head.count, outcome + error, columns: columns) + "\n"
    }
    if let hint = step.error?.next, !hint.isEmpty { text += hanging("  hint: ", width: 8, inOneLine(hint), columns: columns) + "\n" }
    guard var evidence = step.evidence?.object else { return text }
    // The list of steps has it already.
    evidence["summary"] = nil
    return text + Outline(evidence, indent: 2, columns: columns).text
  }
}
