internal import CPosix
internal import Glibc
internal import Model
internal import Synchronization

/// How much of a hurry there is to stop. It only ever grows.
public enum StopLevel: Int, Sendable, Comparable {
  case none = 0
  /// The first Ctrl-C: finish what can't be cut, then stop at the checkpoint.
  case atCheckpoint = 1
  /// The second Ctrl-C, or SIGTERM: leave now; a supervised command goes on by itself.
  case now = 2

  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// Asked-for stops, readable from any thread; its descriptor becomes readable at every request, so that waits wake up.
public final class StopSignal: Sendable {
  private let level = Mutex<(StopLevel, String)>((.none, ""))
  private let cancellable = Mutex(false)
  let descriptor: Int32

  public init() { descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK)) }
  deinit { close(descriptor) }

  public var current: StopLevel { level.withLock { $0.0 } }
  public var reason: String { level.withLock { $0.1 } }
  /// Work that is under way should end now: it was asked to, or it is safe to cut and any stop was asked for.
  public var isNow: Bool { current == .now || (isAsked && cancellable.withLock { $0 }) }
  public var isAsked: Bool { current != .none }

  /// Says whether what runs from here on is safe to cut, so that already the first Ctrl-C cuts it.
  public func setCancellable(_ isSafe: Bool) { cancellable.withLock { $0 = isSafe } }

  public func ask(_ wanted: StopLevel, reason: String) {
    level.withLock { if wanted > $0.0 { $0 = (wanted, reason) } }
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  /// Sleeps; true where the whole time passed, false where a stop of at least `level` was asked for.
  public func sleep(_ time: Duration, until level: StopLevel = .atCheckpoint) -> Bool {
    let end = monotonicNow() + time
    while current < level {
      let left = end - monotonicNow()
      if left <= .zero { return true }
      var polls = [pollfd(fd: current == .none ? descriptor : -1, events: Int16(POLLIN), revents: 0)]
      let ms = Int32(clamping: min(1000, max(1, left.milliseconds)))
      poll(&polls, 1, ms)
    }
    return false
  }
}
