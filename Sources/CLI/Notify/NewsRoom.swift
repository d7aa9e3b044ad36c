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
  /// What the journal has of a run: for one whose beginning this process has not seen, and of one that is rolled back.
  private let findStory: @Sendable (RunID) -> Story?

  init(_ couriers: [Courier], node: String, findStory: @escaping @Sendable (RunID) -> Story?) {
    self.couriers = couriers
    self.node = node
    self.findStory = findStory
  }

  func notice(_ notice: Notice) {
    guard let news = news(notice) else { return }
    for courier in couriers where courier.events.contains(news.event) { courier.send(news) }
  }

  /// What is worth telling: a step is not, and neither is an interruption, which somebody asked for, nor that a run goes on.
  private func news(_ notice: Notice) -> RunNews? {
    switch notice {
    case .runStarted(let run, let playbook, let inputs, let parent, let isResume):
      let title = Title(playbook: playbook.name, text: RunRecord.purpose(of: playbook.name, inputs))
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
    let known = state.withLock { $0.titles[run] }
    let story = known == nil || runState == .rolledBack ? findStory(run) : nil
    let title = known ?? story.map { Title(playbook: $0.run.playbook, text: $0.run.purpose) } ?? Title(playbook: "", text: "a run")
    var news = RunNews(
      event: event, run: run, state: runState, playbook: title.playbook, title: title.text, node: node, at: wallClock(), failure: failure,
      wasRolledBack: wasRolledBack)
    if runState == .rolledBack, let story { news.putBack = story.putBack }
    return news
  }
}
