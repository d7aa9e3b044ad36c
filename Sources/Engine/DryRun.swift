public import Host
public import Journal
public import Model
public import Playbooks

/// A run that is only thought through: each step says what it would do on this node as it is now. It reads, and changes nothing.
public struct DryRun {
  /// Stands in all lines for the id that the run will get.
  public static let placeholder = "<run>"

  private let outlook: Outlook
  private let playbook: Playbook
  private let inputs: [String: String]
  /// A rollback that is under way, which would be gone on with.
  private let ongoing: RunRecord?

  /// `journal`: nil where there is none. `parent`: the run that is rolled back.
  public init(
    _ playbook: Playbook, inputs: [String: String], configuration: JSON, machine: any Machine, state: StateDirectory, actions: Actions,
    journal: RunJournal?, parent: RunID? = nil, ongoing: RunRecord? = nil
  ) {
    self.playbook = playbook
    self.inputs = inputs
    self.ongoing = ongoing
    let salt = machine.random(2)
    let provisional = RunID(at: machine.now(), salt: UInt16(salt[0]) << 8 | UInt16(salt[1]), after: nil)
    outlook = Outlook(
      machine: machine, state: state, run: ongoing?.id ?? provisional, parent: parent, configuration: configuration, records: journal,
      actions: actions)
  }

  /// Asks the steps in their order. Throws only where the input is wrong: what cannot be told now is a line that says so.
  public func steps(_ each: (Step, Intentions) -> Void) throws(Failure) {
    let records = try ongoing.flatMap { (run) throws(Failure) in try outlook.records?.steps(run.id) } ?? []
    var evidence: [String: JSON] = [:]
    var known: Set<String> = []
    for (place, step) in playbook.steps.enumerated() {
      let record = records.indices.contains(place) && records[place].id == step.id ? records[place] : nil
      var told: Intentions
      // A failed step at which the run has stopped is tried again.
      if let record, record.state.isSettled, record.state != .failed || step.onFailure == .continue {
        told = Intentions(["\(record.state.rawValue) already"], evidence: record.evidence ?? [:])
      } else {
        told = try intentions(step, evidence, known)
      }
      if let found = told.evidence {
        evidence[step.id] = found
        known.insert(step.id)
      }
      told.lines = told.lines.map(named)
      told.refusals = told.refusals.map(named)
      each(step, told)
    }
  }

  /// The id of a run that is not begun is nobody's.
  private func named(_ line: String) -> String {
    guard ongoing == nil else { return line }
    return line.split(separator: outlook.run.text, omittingEmptySubsequences: false).joined(separator: Self.placeholder)
  }

  private func intentions(_ step: Step, _ evidence: [String: JSON], _ known: Set<String>) throws(Failure) -> Intentions {
    let facts = [
      "id": outlook.run.text, "playbook": playbook.name, "step": step.id, "attempt": "1", "started": outlook.machine.now().description,
    ]
    let scope = Scope(inputs: inputs, run: facts, config: outlook.configuration, steps: evidence)
    var before: [String] = []
    if let condition = step.when {
      do throws(Failure) {
        switch try condition.foreseen(scope, known: known) {
        case true?: break
        case false?: return Intentions(["skipped: `when: \(condition.source)` is false"], evidence: [:])
        case nil: before = ["only where `\(condition.source)`, which is known when the steps before it have looked"]
        }
      } catch {
        return Intentions([Self.cannotTell(error)])
      }
    }
    var told = try work(step, scope, known)
    told.lines = before + told.lines + told.refusals.map { "would be refused: \($0)" }
    // Where it may be skipped, what it would find out decides nothing.
    if !before.isEmpty { told.evidence = nil }
    if !before.isEmpty || step.onFailure == .continue { told.refusals = [] }
    return told
  }

  private func work(_ step: Step, _ scope: Scope, _ known: Set<String>) throws(Failure) -> Intentions {
    guard let path = step.action else {
      return Intentions(OwnStep.intentions(step) { $0.foreseen(scope, known: known) })
    }
    let unknown = step.with.flatMap { $0.value.unknown(known) }
    if let first = unknown.first {
      return Intentions(["what \(path) would do depends on \(first.text), which is known when that step has looked"])
    }
    let work = try outlook.actions.work(of: step, scope)
    do throws(Failure) { return try work.intentions(outlook) } catch {
      return Intentions([Self.cannotTell(error)])
    }
  }

  private static func cannotTell(_ failure: Failure) -> String { "cannot be told now: \(failure)" }
}
