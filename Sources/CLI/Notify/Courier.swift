internal import Host
internal import Model
internal import Playbooks
internal import Synchronization

/// Delivers news to one entry of `notify:`, on a thread of its own: a receiver that hangs keeps nobody else waiting.
final class Courier: Sendable {
  /// Twelve news wait at most; a run has four.
  private static let queueLimit = 12
  /// All of them fit into the patience at the end of a run.
  private static let waits: [Duration] = [.seconds(1), .seconds(3), .seconds(5)]
  private static let isOlder = "newer news waited"

  let events: [Playbooks.Notification.Event]
  /// What messages call it; it holds no secret.
  let name: String
  private let deliver: @Sendable (RunNews, StopSignal) throws(Failure) -> Void
  private let queue = Mailbox<RunNews>(limit: queueLimit)
  private let failures = Mutex<[Undelivered]>([])
  private let stop = StopSignal()
  private let ended = StopSignal()
  /// Cuts the delivery that is under way. It changes only after the news was taken from the queue.
  private let delivery = Mutex(StopSignal())

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

  /// Nothing more comes: waits until all of them have delivered or given up. What is left after `patience`, or where `hurry` is in a
  /// hurry, is given up; after half of it what keeps newer news waiting: the end of a run matters more than its beginning.
  static func finish(_ couriers: [Courier], within patience: Duration, hurry: StopSignal) {
    for courier in couriers { courier.queue.close() }
    let began = monotonicNow()
    while monotonicNow() < began + patience, hurry.current != .now, couriers.contains(where: { !$0.ended.isAsked }) {
      if monotonicNow() >= began + patience / 2 { for courier in couriers { courier.makeWay() } }
      _ = hurry.sleep(.milliseconds(50), until: .now)
    }
    for courier in couriers { courier.end() }
    // A command that is being ended gets a moment; nothing else takes any time.
    for courier in couriers { _ = courier.ended.sleep(.seconds(5)) }
  }

  private func makeWay() {
    delivery.withLock { if !queue.isEmpty { $0.ask(.now, reason: Self.isOlder) } }
  }

  private func end() {
    stop.ask(.now, reason: "kguard was ending")
    delivery.withLock { $0.ask(.now, reason: stop.reason) }
  }

  private func work(_ news: RunNews) {
    let cut = StopSignal()
    delivery.withLock { $0 = cut }
    var attempt = 1
    while true {
      let failure: Failure
      do throws(Failure) {
        guard !stop.isAsked else { return fail(news, stop.reason, attempts: attempt - 1) }
        return try deliver(news, cut)
      } catch {
        failure = error
      }
      if cut.isAsked { return fail(news, "\(failure.why); \(cut.reason)", attempts: attempt) }
      guard failure.isTransient, attempt <= Self.waits.count else { return fail(news, failure.why, attempts: attempt) }
      if let hindrance = wait(Self.waits[attempt - 1], cut) { return fail(news, "\(failure.why); \(hindrance)", attempts: attempt) }
      attempt += 1
    }
  }

  /// Waits for the next attempt; says why there is none.
  private func wait(_ time: Duration, _ cut: StopSignal) -> String? {
    let end = monotonicNow() + time
    while monotonicNow() < end {
      if !queue.isEmpty { return Self.isOlder }
      if !cut.sleep(.milliseconds(50)) { return cut.reason }
    }
    return nil
  }

  private func fail(_ news: RunNews, _ why: String, attempts: Int) {
    failures.withLock { $0.append(Undelivered(news: news, courier: name, why: why, attempts: attempts)) }
  }
}
