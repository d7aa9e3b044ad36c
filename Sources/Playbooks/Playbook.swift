internal import Model
public import YAML

/// An ordered list of steps, checked: every action, input and reference in it exists.
public struct Playbook: Sendable, Equatable {
  public let name: String
  public let description: String
  public let inputs: [Input]
  public let steps: [Step]
  /// The playbook that takes over where a step says `on-failure: rollback`.
  public let rollback: String?
  /// Where the text came from, for messages.
  public let file: String
  /// The source as it was loaded; a run keeps it.
  public let text: String
}

/// What a playbook asks of the one who starts it.
public struct Input: Sendable, Equatable {
  public let name: String
  public let description: String
  public let isRequired: Bool
  public let defaultValue: String?
  /// A `Pattern` that the whole value must match.
  public let pattern: String?
  public let position: Position
}

/// One entry of a playbook: the work, its inputs and its policy.
public struct Step: Sendable {
  public enum Work: Sendable, Equatable {
    /// A built-in action, by its path.
    case action(String)
    /// A program and its arguments; each template stays one argument.
    case run([Template])
    /// A script, word for word; values reach it through `environment` only.
    case shell(String)
  }

  public enum OnFailure: String, Sendable, CaseIterable {
    case stop, rollback, `continue`
  }

  public let id: String
  public let description: String
  public let work: Work
  /// The inputs of an action.
  public let with: [(name: String, value: Template)]
  /// `env:` of an own step.
  public let environment: [(name: String, value: Template)]
  public let when: Condition?
  public let timeout: Duration?
  public let retries: Retries
  public let onFailure: OnFailure
  /// Asked before acting and on resume: exit 0 says that the step is in effect already.
  public let check: [Template]?
  /// What rollback runs to take an own step back.
  public let undo: [Template]?
  /// Whether an own step may change the cluster.
  public let changes: Bool
  public let position: Position

  /// The path of the built-in action; nil for an own step.
  public var action: String? { if case .action(let path) = work { path } else { nil } }
}

extension Step: Equatable {
  public static func == (a: Self, b: Self) -> Bool {
    a.id == b.id && a.description == b.description && a.work == b.work
      && a.with.elementsEqual(b.with, by: ==) && a.environment.elementsEqual(b.environment, by: ==)
      && a.when == b.when && a.timeout == b.timeout && a.retries == b.retries && a.onFailure == b.onFailure
      && a.check == b.check && a.undo == b.undo && a.changes == b.changes && a.position == b.position
  }
}
