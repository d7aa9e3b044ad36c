public import Journal
public import Model
public import Playbooks

/// A built-in verb. It answers five questions; the engine alone decides when they are asked.
public protocol Action: Sendable {
  /// Its path and inputs, as playbooks write them.
  static var signature: ActionSignature { get }
  /// Whether it may change the cluster: a run that stops after such a step is not "nothing was changed".
  static var changesCluster: Bool { get }
  /// What the first Ctrl-C does while it performs.
  static var stopping: Stopping { get }

  init(_ inputs: ActionInputs) throws(Failure)

  /// Did it already happen? Asked before acting, and on every resume. It looks at the world and changes nothing.
  func isInEffect(_ context: StepContext) throws(Failure) -> Bool
  /// What `perform` would do, with the paths and versions of this node as it is now, a line each. It only looks: see `StepSight`.
  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions
  /// The effect.
  func perform(_ context: StepContext) throws(Failure)
  /// Does the world now say so? What it returns is kept as evidence: facts, no times and no process numbers.
  func verify(_ context: StepContext) throws(Failure) -> JSON
  /// Takes the effect back as far as it is there; asked again after a crash. Nil: there is nothing to take back.
  var undo: (@Sendable (StepContext) throws(Failure) -> Void)? { get }
}

public enum Stopping: Sendable {
  /// Ctrl-C cancels it; nothing is lost but time.
  case cancels
  /// Ctrl-C waits for its end: cutting it would leave the cluster half way.
  case waits
}

extension Action {
  public static var changesCluster: Bool { false }
  public static var stopping: Stopping { .cancels }
  public func isInEffect(_ context: StepContext) throws(Failure) -> Bool { false }
  public func intentions(_ outlook: Outlook) throws(Failure) -> Intentions { Intentions() }
  public var undo: (@Sendable (StepContext) throws(Failure) -> Void)? { nil }
}

/// The values of `with:`, all references resolved. The playbook's checker has compared them with the signature.
public struct ActionInputs: Sendable {
  private let values: [String: String]
  public init(_ values: [String: String]) { self.values = values }

  public subscript(name: String) -> String? { values[name] }

  public func require(_ name: String) throws(Failure) -> String {
    if let value = values[name] { return value }
    throw Failure(.usage, what: "the step has no input `\(name)`", why: "its action needs it", next: "add it under `with:`")
  }
}

/// Every action there is, by path.
public struct Actions: Sendable {
  private let types: [String: any Action.Type]

  public init(_ types: [any Action.Type]) {
    self.types = Dictionary(([RunUndo.self] + types).map { ($0.signature.path, $0) }) { $1 }
  }

  public var catalogue: Catalogue { Catalogue(types.values.map { $0.signature }.sorted { $0.path < $1.path }) }

  subscript(path: String) -> (any Action.Type)? { types[path] }

  func work(of step: Step, _ scope: Scope) throws(Failure) -> any StepWork {
    guard let path = step.action else { return try OwnStep(step, scope) }
    guard let type = self[path] else {
      throw Failure(.usage, what: "cannot run the step \(step.id)", why: "there is no action `\(path)`", next: "see `kguard playbook list`")
    }
    return try ActionWork(type, step, scope)
  }

  /// The playbook as it was when the run began, not the file as it is today.
  func playbook(of run: RunRecord) throws(Failure) -> Playbook {
    do throws(PlaybookProblems) {
      return try Playbook.load(text: run.playbookText, file: run.playbookFile, catalogue: catalogue)
    } catch {
      throw error.failure.within("cannot read the playbook of run \(run.id), which another kguard wrote (\(run.kguard))")
    }
  }

  /// Whether a run began a step that may change the cluster; one that is undone by now counts too.
  public func everTouchedCluster(_ run: RunRecord, _ journal: RunJournal) throws(Failure) -> Bool {
    let begun = Set(StepState.allCases).subtracting([.pending, .skipped])
    return try anyStep(of: run, journal, try playbook(of: run), changedCluster: begun)
  }

  func anyStep(
    of run: RunRecord, _ journal: RunJournal, _ playbook: Playbook, changedCluster states: Set<StepState>
  ) throws(Failure) -> Bool {
    zip(playbook.steps, try journal.steps(run.id)).contains { step, record in states.contains(record.state) && changesCluster(step) }
  }

  private func changesCluster(_ step: Step) -> Bool {
    guard let path = step.action else { return step.changes }
    return self[path]?.changesCluster ?? true
  }
}
