internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks
internal import Synchronization

/// Turns what the engine tells into news, and hands it to the couriers. It never waits: the engine goes on at once.
final class NewsRoom: Observer {
  struct Title: Sendable {
    let playbook: String
    let text: String
  }
  private struct State {
    var titles: [RunID: Title] = [:]
    /// Each rollback, and the run that it rolls back.
    var parents: [RunID: RunID] = [:]
    /// Why a run is rolled back by itself.
    var causes: [RunID: Failure] = [:]
  }
  private let state = Mutex(State())
  private let couriers: [Courier]
  private let node: String
  /// For a run whose beginning this process has not seen.
  private let findTitle: @Sendable (RunID) -> Title?
  private let whatIsBack: @Sendable (RunID) -> String

  init(
    _ couriers: [Courier], node: String, findTitle: @escaping @Sendable (RunID) -> Title?,
    whatIsBack: @escaping @Sendable (RunID) -> String
  ) {
    self.couriers = couriers
    self.node = node
    self.findTitle = findTitle
    self.whatIsBack = whatIsBack
  }

  func notice(_ notice: Notice) {
    guard let news = news(notice) else { return }
    for courier in couriers where courier.events.contains(news.event) { courier.send(news) }
  }

  /// What is worth telling: a step is not, and neither is an interruption, which somebody asked for, nor that a run goes on.
  private func news(_ notice: Notice) -> RunNews? {
    switch notice {
    case .runStarted(let run, let playbook, let inputs, let parent, let isResume):
      let title = Self.title(playbook.name, inputs)
      state.withLock { state in
        state.titles[run] = title
        if let parent { state.parents[run] = parent }
      }
      if isResume { return nil }
      if let parent { return make(.rollback, parent, .rollingBack, state.withLock { $0.causes[parent] }) }
      return make(.start, run, .running, nil)
    case .runEnded(let run, let runState, let failure):
      // A rollback is a run too, but what is told of is the run that it belongs to.
      if state.withLock({ $0.parents[run] != nil }) { return nil }
      let wasRolledBack = state.withLock { $0.parents.values.contains(run) }
      switch runState {
      case .succeeded: return make(.success, run, runState, nil)
      case .failed where wasRolledBack && failure == nil: return make(.rollback, run, runState, nil)
      case .failed, .needsOperator: return make(.failure, run, runState, failure, wasRolledBack: wasRolledBack)
      case .rolledBack: return make(.rollback, run, runState, failure)
      case .rollingBack:
        // Told when the rollback itself begins.
        state.withLock { $0.causes[run] = failure }
        return nil
      case .pending, .running, .interrupted: return nil
      }
    default: return nil
    }
  }

  private func make(
    _ event: Playbooks.Notification.Event, _ run: RunID, _ runState: RunState, _ failure: Failure?, wasRolledBack: Bool = false
  ) -> RunNews {
    let title = state.withLock { $0.titles[run] } ?? findTitle(run) ?? Title(playbook: "", text: "a run")
    return RunNews(
      event: event, run: run, state: runState, playbook: title.playbook, title: title.text, node: node, at: wallClock(), failure: failure,
      wasRolledBack: wasRolledBack, putBack: runState == .rolledBack ? whatIsBack(run) : "")
  }

  static func title(_ playbook: String, _ inputs: [String: String]) -> Title {
    Title(playbook: playbook, text: RunRecord.purpose(of: playbook, inputs))
  }
}
