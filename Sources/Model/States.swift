/// What has happened to a run. `States.swift` holds every transition there is; the journal repeats the names as a CHECK.
public enum RunState: String, Sendable, CaseIterable {
  case pending
  case running
  case interrupted
  case succeeded
  case failed
  case rollingBack = "rolling-back"
  case rolledBack = "rolled-back"
  case needsOperator = "needs-operator"

  /// Nothing more happens by itself, and nothing needs to.
  public var isFinal: Bool {
    switch self {
    case .succeeded, .failed, .rolledBack: true
    case .pending, .running, .interrupted, .rollingBack, .needsOperator: false
    }
  }
}

public enum RunEvent: Sendable, CaseIterable {
  case start, succeed, fail, interrupt, resume, retry, rollBack, finishRollback, nothingChanged, giveUp, abandon
}

public enum StepState: String, Sendable, CaseIterable {
  case pending
  case started
  case succeeded
  case failed
  case skipped
  case undone

  public var isSettled: Bool { self != .pending && self != .started }
  /// For a count of what is behind a run: a step that failed is settled, and not done.
  public var isDone: Bool { self == .succeeded || self == .skipped }
}

public enum StepEvent: Sendable, CaseIterable {
  case start, succeed, fail, skip, undo, reopen
}

/// The one function of a run's life. Nil: that cannot happen.
public func transition(_ state: RunState, _ event: RunEvent) -> RunState? {
  switch (state, event) {
  case (.pending, .start): .running
  case (.running, .succeed): .succeeded
  case (.running, .fail): .failed
  case (.pending, .interrupt), (.running, .interrupt): .interrupted
  // A run whose process died still says `running`; resume takes it up from there too.
  case (.running, .resume), (.interrupted, .resume), (.pending, .resume): .running
  case (.rollingBack, .resume), (.needsOperator, .resume): .rollingBack
  // No rollback was begun: an operator has looked, and the failed step is tried again.
  case (.needsOperator, .retry): .running
  case (.running, .rollBack), (.failed, .rollBack), (.interrupted, .rollBack), (.needsOperator, .rollBack),
    (.succeeded, .rollBack), (.pending, .rollBack), (.rollingBack, .rollBack),
    // Again, where the rollback was taken back.
    (.rolledBack, .rollBack):
    .rollingBack
  case (.rollingBack, .finishRollback): .rolledBack
  // The rollback compared, and found the cluster untouched.
  case (.rollingBack, .nothingChanged): .failed
  case (.rollingBack, .giveUp), (.running, .giveUp): .needsOperator
  // A person wants no more of it. It can still be rolled back.
  case (.pending, .abandon), (.running, .abandon), (.interrupted, .abandon), (.rollingBack, .abandon), (.needsOperator, .abandon): .failed
  default: nil
  }
}

/// The one function of a step's life. Nil: that cannot happen.
public func transition(_ state: StepState, _ event: StepEvent) -> StepState? {
  switch (state, event) {
  case (.pending, .start), (.started, .start), (.failed, .start): .started
  case (.pending, .skip): .skipped
  case (.failed, .reopen): .started
  case (.started, .succeed): .succeeded
  case (.started, .fail): .failed
  case (.succeeded, .undo), (.failed, .undo), (.started, .undo): .undone
  default: nil
  }
}
