internal import Glibc
internal import Synchronization

/// A bounded queue to one thread. Whoever puts something in never waits; what does not fit is refused.
public final class Mailbox<Item: Sendable>: Sendable {
  private struct State {
    var items: [Item] = []
    var isClosed = false
  }
  private let state = Mutex(State())
  private let arrived = StopSignal()
  private let limit: Int

  public init(limit: Int) { self.limit = limit }

  /// False where it is full or closed.
  public func put(_ item: Item) -> Bool {
    let fits = state.withLock { state in
      guard !state.isClosed, state.items.count < limit else { return false }
      state.items.append(item)
      return true
    }
    if fits { arrived.wake() }
    return fits
  }

  /// Nothing more comes; what is there is still taken.
  public func close() {
    state.withLock { $0.isClosed = true }
    arrived.wake()
  }

  /// The next item; waits for it. Nil where the mailbox is closed and empty.
  public func take() -> Item? {
    while true {
      let (item, isOver) = state.withLock { state in
        (state.items.isEmpty ? nil : state.items.removeFirst(), state.isClosed && state.items.isEmpty)
      }
      if let item { return item }
      if isOver { return nil }
      arrived.waitForWake()
    }
  }

  public var isEmpty: Bool { state.withLock { $0.items.isEmpty } }
}

extension StopSignal {
  /// Makes one `waitForWake` return, without asking for a stop.
  func wake() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, 8)
  }

  /// Waits until somebody calls `wake` or `ask`.
  func waitForWake() {
    var polls = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
    // Without a descriptor nobody can wake it: it looks for itself.
    poll(&polls, 1, descriptor < 0 ? 100 : -1)
    var count: UInt64 = 0
    _ = read(descriptor, &count, 8)
  }
}
