internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `run/undo`: takes the steps of the run that is rolled back in reverse order, and undoes those that can be.
struct RunUndo: Action {
  static let signature = ActionSignature(
    "run/undo", summary: "undo the steps of the run that is rolled back, the last one first", inputs: [])
  static let changesCluster = true
  static let stopping = Stopping.waits

  init(_ inputs: ActionInputs) throws(Failure) {}

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let parent = try parent(outlook)
    let names = try undoable(outlook.actions, parent, outlook.records).filter { $0.1.state != .undone }.map(\.0.id)
    return Intentions([names.isEmpty ? "nothing: no step of run \(parent.id) can be undone" : "undoes " + names.joined(separator: ", ")])
  }

  func perform(_ context: StepContext) throws(Failure) {
    for (step, record) in try undoable(context) where record.state != .undone {
      context.message("undo \(step.id)")
      let work = try context.engine.work(of: step, in: try parent(context))
      try failpoint("\(context.step)/undo-\(step.id).before")
      try work.undo(context)
      try failpoint("\(context.step)/undo-\(step.id).after")
      try context.journal.step(try parent(context).id, record.position, .undo, at: context.machine.now())
    }
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let undone = try undoable(context)
    guard let left = undone.first(where: { $0.1.state != .undone }) else {
      return ["undone": JSON(undone.map { $0.0.id })]
    }
    throw Failure(what: "the step \(left.0.id) is not undone", why: "its state is \(left.1.state.rawValue)", next: "run `kguard resume`")
  }

  private func parent(_ sight: some StepSight) throws(Failure) -> RunRecord {
    guard let id = sight.parent, let run = try sight.records?.run(id) else {
      throw Failure(
        .usage, what: "cannot undo", why: "this run rolls no other run back", next: "use `run/undo` in a rollback playbook only")
    }
    return run
  }

  /// The steps that touched something and can take it back, the last one first.
  private func undoable(_ context: StepContext) throws(Failure) -> [(Step, StepRecord)] {
    try undoable(context.engine.actions, try parent(context), context.journal)
  }

  private func undoable(_ actions: Actions, _ parent: RunRecord, _ journal: RunJournal?) throws(Failure) -> [(Step, StepRecord)] {
    let playbook = try actions.playbook(of: parent)
    let records = try journal?.steps(parent.id) ?? []
    var out: [(Step, StepRecord)] = []
    for (step, record) in zip(playbook.steps, records).reversed() where [.started, .succeeded, .failed, .undone].contains(record.state) {
      if try actions.work(of: step, Runner.scope(parent, step, attempt: 1, evidence: [:])).hasUndo { out.append((step, record)) }
    }
    return out
  }
}
