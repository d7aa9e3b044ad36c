import Model
import Testing

/// Every state with every event: what becomes of it, as the design has it. What is not listed cannot happen.
@Suite struct `Transitions` {
  static let runs: [RunState: [RunEvent: RunState]] = [
    .pending: [.abandon: .failed, .start: .running, .resume: .running, .interrupt: .interrupted, .rollBack: .rollingBack],
    .running: [
      .succeed: .succeeded, .fail: .failed, .interrupt: .interrupted, .resume: .running, .rollBack: .rollingBack, .giveUp: .needsOperator,
      .abandon: .failed,
    ],
    .interrupted: [.resume: .running, .rollBack: .rollingBack, .abandon: .failed],
    .succeeded: [.rollBack: .rollingBack],
    .failed: [.rollBack: .rollingBack],
    .rollingBack: [
      .resume: .rollingBack, .rollBack: .rollingBack, .finishRollback: .rolledBack, .nothingChanged: .failed, .giveUp: .needsOperator,
      .abandon: .failed,
    ],
    .rolledBack: [.rollBack: .rollingBack],
    .needsOperator: [.resume: .rollingBack, .retry: .running, .rollBack: .rollingBack, .abandon: .failed],
  ]

  static let steps: [StepState: [StepEvent: StepState]] = [
    .pending: [.start: .started, .skip: .skipped],
    .started: [.start: .started, .succeed: .succeeded, .fail: .failed, .undo: .undone],
    .succeeded: [.undo: .undone],
    .failed: [.start: .started, .reopen: .started, .undo: .undone],
    .skipped: [:],
    .undone: [:],
  ]

  @Test(arguments: RunState.allCases, RunEvent.allCases)
  func `of a run`(state: RunState, event: RunEvent) {
    #expect(transition(state, event) == Self.runs[state]?[event])
  }

  @Test(arguments: StepState.allCases, StepEvent.allCases)
  func `of a step`(state: StepState, event: StepEvent) {
    #expect(transition(state, event) == Self.steps[state]?[event])
  }
}
