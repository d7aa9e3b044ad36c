internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `--dry-run`: what each step would do on this node as it is now. Nothing is written anywhere. It ends as the command itself would where
/// it is known now that that would be refused.
extension Session {
  /// A run that would be begun; `obstacle`: what is known to refuse it already.
  func showSteps(
    _ playbook: Playbook, _ inputs: [String: String], _ configuration: JSON, behind obstacle: Failure? = nil
  ) throws(Failure) -> ExitStatus {
    var notes: [String] = []
    var journal: RunJournal?
    var obstacle = obstacle
    do throws(Failure) {
      journal = try lookAtJournal()
      obstacle = try journal?.unfinishedRun().map(Self.unfinished) ?? obstacle
    } catch {
      notes.append("What earlier runs did is not known: \(error)")
    }
    let dry = DryRun(
      playbook, inputs: inputs, configuration: configuration, machine: machine, state: state, actions: actions, journal: journal)
    return try show(dry, playbook, inputs, parent: nil, obstacle, notes)
  }

  /// The rollback that would be begun, or the one under way that would be gone on with.
  func showRollback(of run: RunRecord, _ journal: RunJournal, inputs given: [String: String]) throws(Failure) -> ExitStatus {
    let original = try load(run.playbookText, run.playbookFile)
    guard let name = original.rollback else {
      throw Failure(
        .usage, what: "cannot roll run \(run.id) back", why: "its playbook names no `rollback:`", next: "put things back by hand")
    }
    let kept = try run.rollbackText.map { (text) throws(Failure) in try load(text, run.rollbackFile ?? name) }
    var playbook: Playbook
    if let kept { playbook = kept } else { playbook = try self.playbook(name) }
    var inputs = try playbook.resolveInputs(run.rollbackInputs(given, for: playbook))
    var ongoing: RunRecord?
    if let earlier = try journal.rollback(of: run.id), !earlier.state.isFinal, given.allSatisfy({ earlier.inputs[$0.key] == $0.value }) {
      (ongoing, inputs) = (earlier, earlier.inputs)
      playbook = try load(earlier.playbookText, earlier.playbookFile)
    }
    var notes: [String] = []
    if ongoing == nil, let earlier = try journal.rollback(of: run.id), !earlier.state.isFinal {
      notes.append("Rollback \(earlier.id) is under way with other inputs: where it has changed something, these would be refused.")
    }
    let other = try journal.unfinishedRun().flatMap { $0.id == run.id || $0.parent == run.id ? nil : $0 }
    var obstacle = other.map(Self.unfinished)
    do throws(Failure) {
      try actions.requireNothingOnTop(of: run, journal, what: "cannot roll run \(run.id) back")
    } catch {
      obstacle = obstacle ?? error
    }
    let dry = DryRun(
      playbook, inputs: inputs, configuration: run.config, machine: machine, state: state, actions: actions, journal: journal,
      parent: run.id, ongoing: ongoing)
    return try show(dry, playbook, inputs, parent: run.id, obstacle, notes)
  }

  /// The journal as it lies there; no file is made beside it where nobody writes.
  func lookAtJournal() throws(Failure) -> RunJournal? {
    if let journal = try RunJournal.glance(in: state.path) { return journal }
    return try readJournal()
  }

  private func load(_ text: String, _ file: String) throws(Failure) -> Playbook {
    do throws(PlaybookProblems) {
      return try Playbook.load(text: text, file: file, catalogue: actions.catalogue)
    } catch {
      throw error.failure
    }
  }

  /// `obstacle`: what comes first.
  private func show(
    _ dry: DryRun, _ playbook: Playbook, _ inputs: [String: String], parent: RunID?, _ obstacle: Failure?, _ notes: [String]
  ) throws(Failure) -> ExitStatus {
    var refusals = obstacle.map { ["\($0)"] } ?? []
    func exit() -> ExitStatus { obstacle?.exit ?? (refusals.isEmpty ? .done : .preflightRefused) }
    if isJSON {
      var steps: [JSON] = []
      try dry.steps { step, told in
        steps.append([
          "id": .string(step.id), "action": .string(step.actionName), "would": JSON(told.lines.map { withoutSecrets(printable($0)) }),
        ])
        refusals += told.refusals
      }
      printJSON([
        "playbook": .string(playbook.name), "steps": .array(steps), "refused": JSON(refusals.map { withoutSecrets(printable($0)) }),
      ])
      return exit()
    }
    let heading = withoutSecrets(Words.heading(playbook, inputs, parent: parent, isResume: false))
    say("Would run \(heading) from \(playbook.file):\n")
    let style = outputStyle
    func trimmedEnd(_ text: String) -> String { String(text.reversed().drop { $0 == " " }.reversed()) }
    let rows = playbook.steps.enumerated().map { number, step in
      let policy = [step.when.map { "when \($0.source)" }, step.onFailure == .stop ? nil : "on failure: \(step.onFailure.rawValue)"]
      return ["\(number + 1).", step.id, step.actionName, policy.compactMap { $0 }.joined(separator: ", ")]
    }
    let isWide = columns.map { columns in table(rows).split(separator: "\n").allSatisfy { $0.count < columns } } ?? true
    // A condition that has no room beside its step is the first line below it.
    var titles = table(isWide ? rows : rows.map { Array($0.dropLast()) }).split(separator: "\n").makeIterator()
    var policies = rows.map { isWide || $0[3].isEmpty ? [] : [$0[3]] }.makeIterator()
    let indent = String(repeating: " ", count: "\(rows.count).".count + 2)
    try dry.steps { _, told in
      refusals += told.refusals
      print(trimmedEnd(String(titles.next() ?? "")) + "\n")
      for line in (policies.next() ?? []) + told.lines {
        let text = style.inCharset(withoutSecrets(printable(line)))
        let parts = columns.map { wrapped(text, $0 - indent.count - 3) } ?? [text]
        for (place, part) in parts.enumerated() { print(indent + (place == 0 ? "" : "  ") + style.paint(part, .dim) + "\n") }
      }
    }
    let refused = refusals.map { "It would be refused now: " + withoutSecrets(printable($0)) }
    say((notes + refused + ["Nothing was changed."]).joined(separator: "\n") + "\n")
    return exit()
  }
}
