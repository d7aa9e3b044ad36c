public import Host
public import Model

/// A run as the journal has it.
public struct RunRecord: Sendable, Equatable {
  public var id: RunID
  public var playbook: String
  public var playbookFile: String
  public var playbookText: String
  public var inputs: [String: String]
  public var config: JSON
  public var root: String
  public var kguard: String
  /// The run that this one rolls back.
  public var parent: RunID?
  public var state: RunState
  public var created: Timestamp
  public var started: Timestamp?
  public var ended: Timestamp?
  /// What stops it now, or has ended it.
  public var error: Failure?
  /// The playbook that rolls it back, as it was when the run began; nil in a run of an older kguard.
  public var rollbackFile: String?
  public var rollbackText: String?
  /// Why its newest rollback was begun; nil: none was.
  public var rollbackBy: RollbackCause?
  /// The failure that came before its rollback, if one did.
  public var cause: Failure?
}

/// Who wanted a rollback.
public enum RollbackCause: String, Sendable, CaseIterable {
  /// A person asked for it.
  case asked
  /// A step failed that says `on-failure: rollback`.
  case failure
}

/// A line of `kguard history`.
public struct RunSummary: Sendable, Equatable {
  public let id: RunID
  public let playbook: String
  public let inputs: JSON
  public let parent: RunID?
  public let state: RunState
  public let created: Timestamp
  public let ended: Timestamp?
}

public struct StepRecord: Sendable, Equatable {
  public var position: Int
  public var id: String
  /// The action's path, `run` or `shell`.
  public var action: String
  public var state: StepState
  public var started: Timestamp?
  public var ended: Timestamp?
  public var evidence: JSON?
  public var error: Failure?
  public var attempts: [AttemptRecord]
}

public struct AttemptRecord: Sendable, Equatable {
  public enum Outcome: String, Sendable { case succeeded, failed, interrupted }
  public var number: Int
  public var started: Timestamp
  public var ended: Timestamp?
  /// Measured with a clock that does not jump, in the process that ended it.
  public var duration: Duration?
  /// Nil: started, and nobody has said how it ended.
  public var outcome: Outcome?
  public var error: Failure?
}

public struct ArtifactRecord: Sendable, Equatable {
  public enum State: String, Sendable { case planned, present, removed }
  public let run: RunID
  public let step: String
  public let kind: String
  public let path: String
  public let detail: JSON
  public let state: State
  public let created: Timestamp
}

public struct EventRecord: Sendable, Equatable {
  public let sequence: Int64
  public let run: RunID?
  public let step: String?
  public let at: Timestamp
  public let type: String
  public let data: JSON
}

/// Who holds this node, by the journal.
public struct OwnerRecord: Sendable, Equatable {
  public let epoch: Int64
  public let run: RunID?
  public let process: ProcessIdentity?
  public let since: Timestamp?
}

/// What a new run is made of.
public struct NewRun: Sendable {
  public var playbook: String
  public var playbookFile: String
  public var playbookText: String
  public var inputs: [String: String]
  public var config: JSON
  public var root: String
  public var parent: RunID?
  public var steps: [(id: String, action: String)]
  /// The playbook that rolls it back: the run keeps it, too.
  public var rollback: (file: String, text: String)?

  public init(
    playbook: String, playbookFile: String, playbookText: String, inputs: [String: String], config: JSON, root: String, parent: RunID?,
    steps: [(id: String, action: String)], rollback: (file: String, text: String)? = nil
  ) {
    self.playbook = playbook
    self.playbookFile = playbookFile
    self.playbookText = playbookText
    self.inputs = inputs
    self.config = config
    self.root = root
    self.parent = parent
    self.steps = steps
    self.rollback = rollback
  }
}
