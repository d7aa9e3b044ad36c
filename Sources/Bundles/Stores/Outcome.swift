internal import Synchronization

/// A value that one thread leaves for another.
final class Outcome<T: Sendable>: Sendable {
  private let stored = Mutex<T?>(nil)
  func set(_ value: T) { stored.withLock { $0 = value } }
  var value: T? { stored.withLock { $0 } }
}
