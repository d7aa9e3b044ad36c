internal import Cluster
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks
internal import Synchronization

/// All who watch a run: the screen, the metrics, those who are told by `notify:`, and who sends the journal off-site. While the run
/// works only the screen is waited for; at its end the others too, for a few seconds.
final class RunWatch: Observer {
  /// So long the end of the process waits for news that are still on their way.
  private static let patience = Duration.seconds(10)
  private static let journalPatience = Duration.seconds(5)

  private let view: any Observer
  private let couriers: [Courier]
  private let news: NewsRoom?
  private let metrics: MetricsWriter?
  private let sender: JournalSender
  private let undelivered = Mutex<[Courier.Undelivered]>([])
  private let lastRun = Mutex<RunID?>(nil)

  init(_ view: any Observer, _ session: Session) {
    self.view = view
    sender = JournalSender(session.machine, session.state)
    let configuration: Configuration
    do throws(Failure) {
      configuration = try session.configuration()
    } catch {
      // A run goes on by what it recorded, even where the file of today is broken.
      session.say("warning: no metrics and no notifications: \(error)\n")
      (couriers, news, metrics) = ([], nil, nil)
      return
    }
    metrics = session.metricsWriter(configuration)
    couriers = configuration.notify.enumerated().map {
      Delivery.courier($0.element, number: $0.offset + 1, session.machine, session.state.path)
    }
    news =
      couriers.isEmpty
      ? nil
      : NewsRoom(couriers, node: NodePaths.nodeName(session.machine) ?? hostName()) { id in
        guard let journal = try? session.readJournal(), let run = try? journal.run(id) else { return nil }
        return try? Story(run, journal, session.state, now: session.machine.now())
      }
  }

  func notice(_ notice: Notice) {
    view.notice(notice)
    metrics?.notice(notice)
    news?.notice(notice)
    sender.notice(notice)
    switch notice {
    case .stepStarted(let run, _, _, _, _), .stepEnded(let run, _, _, _, _, _): report(run)
    default: break
    }
  }

  /// Ends all watching; what could not be told becomes events of the run, and fails nothing.
  func finish(_ journal: RunJournal, stop: StopSignal, at now: Timestamp) {
    let began = monotonicNow()
    sender.close()
    metrics?.finish()
    Courier.finish(couriers, within: Self.patience, hurry: stop)
    let unsent = sender.finish(by: began + Self.journalPatience, hurry: stop)
    report(nil)
    for lost in unsent {
      try? journal.note(lost.run, step: nil, "journal-not-sent", ["target": .string(lost.target), "why": .string(lost.why)], at: now)
    }
    for lost in undelivered.withLock({ $0 }) {
      let data: JSON = [
        "to": .string(lost.courier), "event": .string(lost.news.event.rawValue), "state": .string(lost.news.state.rawValue),
        "why": .string(lost.why), "attempts": JSON(lost.attempts),
      ]
      try? journal.note(lost.news.run, step: nil, "notification-failed", data, at: now)
    }
  }

  /// Says what went wrong since the last time.
  private func report(_ run: RunID?) {
    let lost = couriers.flatMap { $0.takeFailures() }
    for one in lost {
      let tried = one.attempts == 1 ? "" : " (\(one.attempts) attempts)"
      view.notice(
        .message(one.news.run, step: nil, "warning: \(one.courier) was not told of \(one.news.event.rawValue): \(one.why)\(tried)"))
    }
    undelivered.withLock { $0 += lost }
    for trouble in sender.takeTroubles() {
      let target = trouble.target.isEmpty ? "off-site" : "at \(trouble.target)"
      view.notice(.message(trouble.run, step: nil, "warning: the copy of the journal \(target) is not up to date: \(trouble.why)"))
    }
    if let trouble = metrics?.takeTrouble(), let run = run ?? lastRun.withLock({ $0 }) {
      view.notice(.message(run, step: nil, "warning: the metrics are not up to date: \(trouble)"))
    }
    if let run { lastRun.withLock { $0 = run } }
  }
}
