internal import Engine
internal import Host
internal import Model
internal import Synchronization

/// Tells another observer what happens, from a thread of its own: a terminal that nobody reads (a laptop asleep, Ctrl-S) holds up the
/// screen, and never the run. What does not fit into the queue is left out, once a reader has been waited for in vain.
final class DetachedObserver: Observer {
  private let mailbox = Mailbox<Notice>(limit: 4096)
  private let isStalled = Mutex(false)
  private let hasEnded = StopSignal()
  private static let patience = Duration.seconds(10)

  init(_ view: any Observer) {
    startThread("view") { [mailbox, hasEnded] in
      while let notice = mailbox.take() { view.notice(notice) }
      hasEnded.ask(.now, reason: "")
    }
  }

  func notice(_ notice: Notice) {
    if mailbox.put(notice) { return isStalled.withLock { $0 = false } }
    // A screen that is only slow is waited for; one that nobody reads is waited for once.
    guard !isStalled.withLock({ $0 }) else { return }
    let end = monotonicNow() + Self.patience
    let never = StopSignal()
    while monotonicNow() < end {
      _ = never.sleep(.milliseconds(5))
      if mailbox.put(notice) { return }
    }
    isStalled.withLock { $0 = true }
  }

  /// All that was told is shown. False: nobody reads it.
  func finish() -> Bool {
    mailbox.close()
    return !hasEnded.sleep(Self.patience)
  }
}
