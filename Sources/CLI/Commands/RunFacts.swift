internal import Cluster
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// What the journal says about one run, in words and as JSON.
struct RunFacts {
  let run: RunRecord
  let steps: [StepRecord]
  let owner: OwnerRecord
  /// The rollback of this run, if it has one.
  let rollback: RunRecord?
  /// The run that took the rollback back.
  let undo: RunID?
  /// It is the one that a person would take back: the newest that succeeded and whose playbook knows how.
  private let isWayBack: Bool
  /// Its rollback has moved something that is not back.
  private let canBeUndone: Bool

  init(_ run: RunRecord, _ journal: RunJournal) throws(Failure) {
    self.run = run
    steps = try journal.steps(run.id)
    owner = try journal.owner()
    rollback = try journal.rollback(of: run.id)
    undo = run.state == .rolledBack ? try journal.undo(of: run.id) : nil
    canBeUndone = run.state == .rolledBack ? try RollbackRecords.canBeUndone(run.id, journal) : false
    let wayBack = try journal.newestWithWayBack()
    isWayBack = wayBack == run.id
  }

  /// A process works on it now.
  var isWorkedOn: Bool {
    guard !run.state.isFinal, let process = owner.process, process.isAlive else { return false }
    return owner.run == run.id || (rollback != nil && owner.run == rollback?.id)
  }

  var title: String {
    ([run.playbook] + Words.inputs(run.inputs)).joined(separator: " ")
  }

  func sentence(_ style: Style) -> String {
    let done = steps.count(where: \.state.isDone)
    var text = "Run \(run.id) (\(title)) is \(style.paint(run.state)), \(done) of \(steps.count) steps done"
    if isWorkedOn, let process = owner.process {
      text += "; kguard works on it (process \(process.pid))"
    } else if run.state == .running || run.state == .rollingBack {
      text += "; the kguard that worked on it is gone"
    }
    if let ended = run.ended, run.state.isFinal { text += ", since \(localTime(ended))" }
    if let undo { text += "; the rollback was taken back by run \(undo)" }
    return text + "."
  }

  /// What a person would type now.
  var next: [NextStep] {
    let resume = NextStep("kguard resume", "to go on")
    switch run.state {
    case _ where isWorkedOn: return [NextStep("kguard status -w", "to watch it")]
    case .pending, .running, .interrupted: return [resume] + back
    case .rollingBack: return [NextStep("kguard resume", "to go on with the rollback")]
    case .needsOperator: return [NextStep("kguard show", "to see what happened"), NextStep("kguard resume", "to try on")] + back
    case .succeeded where isWayBack:
      return [
        NextStep("kguard report -o report.html", "for the whole story, as a page"),
        NextStep("kguard rollback \(run.id)", "to take it back"), NextStep("kguard history", "for earlier runs"),
      ]
    case .rolledBack where undo != nil:
      return [NextStep("kguard rollback \(run.id)", "to roll it back again"), NextStep("kguard history", "for earlier runs")]
    case .rolledBack where canBeUndone:
      return [
        NextStep("kguard report -o report.html", "for the whole story, as a page"),
        NextStep("kguard rollback --undo \(run.id)", "to take the rollback back"), NextStep("kguard history", "for earlier runs"),
      ]
    case .succeeded, .failed, .rolledBack:
      return [NextStep("kguard show", "to see what it did"), NextStep("kguard history", "for earlier runs")]
    }
  }

  /// Offered only where the run's playbook knows how.
  private var back: [NextStep] { run.rollbackName == nil ? [] : [NextStep("kguard rollback", "to put things back")] }

  var json: JSON {
    var inputs = JSON.Members()
    for (name, value) in run.inputs.sorted(by: { $0.key < $1.key }) { inputs[name] = .string(value) }
    return [
      "run": .string(run.id.text), "state": .string(run.state.rawValue), "playbook": .string(run.playbook), "inputs": .object(inputs),
      "parent": JSON(run.parent?.text), "rollback": JSON(rollback?.id.text), "undo": JSON(undo?.text),
      "created": .string(run.created.description),
      "started": JSON(run.started?.description), "ended": JSON(run.ended?.description), "active": .bool(isWorkedOn),
      "error": run.error?.json ?? .null, "steps": .array(steps.map(Self.json)),
    ]
  }

  private static func json(_ step: StepRecord) -> JSON {
    [
      "id": .string(step.id), "action": .string(step.action), "state": .string(step.state.rawValue), "attempts": JSON(step.attempts.count),
      "started": JSON(step.started?.description), "ended": JSON(step.ended?.description), "error": step.error?.json ?? .null,
      "evidence": step.evidence ?? .null,
    ]
  }

  /// A line for each step, as `status` and `show` print them.
  func stepLines(_ style: Style, now: Timestamp, columns: Int?) -> String {
    let names = steps.map(\.id.count).max() ?? 0, actions = steps.map(\.action.count).max() ?? 0
    return steps.map { step in
      let said = step.error.map { inOneLine($0.description) } ?? Words.summary(step.evidence)
      let tries = step.attempts.count > 1 ? "(\(step.attempts.count) attempts) " : ""
      let time = padded(Self.time(step, now: now, isWorkedOn: isWorkedOn), 11)
      let line = hanging(
        "\(style.mark(of: step.state)) \(padded(step.id, names))  \(style.paint(padded(step.action, actions), .dim))  \(time) ",
        width: style.markWidth + 6 + names + actions + time.count, tries + said, columns: columns
      ) { step.error == nil ? $0 : style.paint($0, .red) }
      return String(line.reversed().drop { $0 == " " }.reversed()) + "\n"
    }.joined()
  }

  private static func time(_ step: StepRecord, now: Timestamp, isWorkedOn: Bool) -> String {
    if let took = step.attempts.last?.duration { return took.forPeople }
    guard let started = step.started else { return "" }
    if let ended = step.ended { return (ended - started).forPeople }
    return isWorkedOn ? (now - started).forPeople : ""
  }
}

extension RunRecord {
  /// The playbook that puts this run back, where its own names one.
  var rollbackName: String? {
    (try? Playbook.load(text: playbookText, file: playbookFile, catalogue: Actions(BuiltIn.actions).catalogue))?.rollback
  }
}
