internal import Host
internal import Model
internal import Synchronization

/// Progress comes with every packet, and nobody reads more than twenty reports a second: the first, the last of a piece of work and those
/// that are due are passed on.
final class ProgressPace: Sendable {
  private static let period = Duration.milliseconds(50)
  private let next = Mutex(Duration.zero)

  func isDue(_ progress: Progress, at now: Duration = monotonicNow()) -> Bool {
    next.withLock { next in
      guard now >= next || progress.done == progress.total else { return false }
      next = now + Self.period
      return true
    }
  }
}
