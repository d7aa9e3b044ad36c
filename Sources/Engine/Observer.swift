public import Model
public import Playbooks

/// What the engine tells the one who watches. The journal is the record; this is for the screen.
public enum Notice: Sendable {
  case runStarted(RunID, playbook: Playbook, inputs: [String: String], parent: RunID?, isResume: Bool)
  /// What an earlier process has settled of the run that goes on.
  case settledBefore(RunID, [String: StepState], of: Int)
  case stepStarted(RunID, step: String, action: String, attempt: Int, stopping: Stopping)
  case progress(RunID, step: String, Progress)
  /// A line that a command printed.
  case output(RunID, step: String, String)
  /// Something that a person should read, and find again in the log of the screen.
  case message(RunID, step: String?, String)
  /// What the step does just now.
  case phase(RunID, step: String, String)
  case retrying(RunID, step: String, failure: Failure, after: Duration, attempt: Int)
  case stepEnded(RunID, step: String, StepState, Failure?, evidence: JSON?, took: Duration?)
  case runEnded(RunID, RunState, Failure?)
}

public protocol Observer: AnyObject, Sendable {
  func notice(_ notice: Notice)
}
