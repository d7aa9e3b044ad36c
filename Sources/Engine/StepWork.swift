internal import Model
internal import Playbooks

/// What the runner needs of a step, be it a built-in action or an own step.
protocol StepWork {
  var hasUndo: Bool { get }
  var stopping: Stopping { get }
  /// The step is one command, and its exit status is all there is to know.
  var isOneCommand: Bool { get }
  func isInEffect(_ context: StepContext) throws(Failure) -> Bool
  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions
  func perform(_ context: StepContext) throws(Failure)
  func verify(_ context: StepContext) throws(Failure) -> JSON
  func undo(_ context: StepContext) throws(Failure)
}

extension StepWork {
  var stopping: Stopping { .cancels }
  var isOneCommand: Bool { false }
  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions { Intentions() }
}

/// A built-in action with its inputs.
struct ActionWork: StepWork {
  private let action: any Action

  init(_ type: any Action.Type, _ step: Step, _ scope: Scope) throws(Failure) {
    var values: [String: String] = [:]
    for (name, template) in step.with { values[name] = try template.resolved(scope) }
    action = try type.init(ActionInputs(values))
  }

  var stopping: Stopping { type(of: action).stopping }
  var hasUndo: Bool { action.undo != nil }
  func isInEffect(_ context: StepContext) throws(Failure) -> Bool { try action.isInEffect(context) }
  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions { try action.intentions(outlook) }
  func perform(_ context: StepContext) throws(Failure) { try action.perform(context) }
  func verify(_ context: StepContext) throws(Failure) -> JSON { try action.verify(context) }
  func undo(_ context: StepContext) throws(Failure) { try action.undo?(context) }
}
