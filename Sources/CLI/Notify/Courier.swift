internal import Host
internal import Model
internal import Playbooks
internal import Synchronization

/// Delivers news to one entry of `notify:`, on a thread of its own: a receiver that hangs keeps nobody else waiting.
final class Courier: Sendable {
  /// Twelve news wait at most; a run has four.
  private static let queueLimit = 12
  static let waits: [Duration] = [.seconds(1), .seconds(3), .seconds(10)]

  let events: [Playbooks.Notification.Event]
  /// What messages call it; it holds no secret.
  let name: String
  private let deliver: @Sendable (RunNews, StopSignal) throws(Failure) -> Void
  private let queue = Mailbox<RunNews>(limit: queueLimit)
  private let failures = Mutex<[Undelivered]>([])
  private let stop = StopSignal()
  private let ended = StopSignal()

  struct Undelivered: Sendable {
    let news: RunNews
    let courier: String
    let why: String
    let attempts: Int
  }

  init(
    name: String, events: [Playbooks.Notification.Event], deliver: @escaping @Sendable (RunNews, StopSignal) throws(Failure) -> Void
  ) {
    self.name = name
    self.events = events
    self.deliver = deliver
    startThread("notify") {
      while let news = self.queue.take() { self.work(news) }
      self.ended.ask(.now, reason: "")
    }
  }

  func send(_ news: RunNews) {
    if !queue.put(news) { fail(news, "too many others wait before it", attempts: 0) }
  }

  /// What could not be delivered since it was asked last.
  func takeFailures() -> [Undelivered] {
    failures.withLock { failures in
      defer { failures = [] }
      return failures
    }
  }

  /// Nothing more comes.
  func close() { queue.close() }

  /// Waits until all is delivered or given up; past `deadline`, or where `hurry` is in a hurry, what is left is given up.
  func finish(by deadline: Duration, hurry: StopSignal) {
    while monotonicNow() < deadline, hurry.current != .now, ended.sleep(.milliseconds(50)) {}
    stop.ask(.now, reason: "kguard was ending")
    // A command that is being ended gets a moment; nothing else takes any time.
    _ = ended.sleep(.seconds(5))
  }

  private func work(_ news: RunNews) {
    var attempt = 1
    while true {
      let failure: Failure
      do throws(Failure) {
        guard !stop.isAsked else { return fail(news, "kguard was ending", attempts: attempt - 1) }
        return try deliver(news, stop)
      } catch {
        failure = error
      }
      guard failure.isTransient, attempt <= Self.waits.count else { return fail(news, failure.why, attempts: attempt) }
      guard stop.sleep(Self.waits[attempt - 1]) else {
        return fail(news, "\(failure.why); kguard was ending", attempts: attempt)
      }
      attempt += 1
    }
  }

  private func fail(_ news: RunNews, _ why: String, attempts: Int) {
    failures.withLock { $0.append(Undelivered(news: news, courier: name, why: why, attempts: attempts)) }
  }
}
