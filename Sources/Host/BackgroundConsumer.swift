internal import CPosix
internal import Glibc
public import Model
internal import Synchronization

/// A thread that takes buffers in their order, so that a slow disk and a slow network don't wait for each other. At most `depth`
/// buffers wait; whoever submits more waits too.
public final class BackgroundConsumer: Sendable {
  private struct State {
    var waiting: [[UInt8]] = []
    var isClosed = false
    var failure: Failure?
    var thread: pthread_t?
  }

  private let state = Mutex(State())
  private let consume: @Sendable ([UInt8]) throws(Failure) -> Void
  private let filled: Tokens
  private let free: Tokens

  public init(depth: Int, _ consume: @escaping @Sendable ([UInt8]) throws(Failure) -> Void) throws(Failure) {
    self.consume = consume
    filled = try Tokens(0)
    free = try Tokens(depth)
    var thread = pthread_t()
    // The thread holds on to this object until `finish` has ended it.
    let context = Unmanaged.passRetained(self)
    let code = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<BackgroundConsumer>.fromOpaque(context).takeRetainedValue().work()
        return nil
      }, context.toOpaque())
    guard code == 0 else {
      context.release()
      throw systemFailure(code, "cannot start a thread")
    }
    state.withLock { $0.thread = thread }
  }

  /// Throws what the consumer threw for an earlier buffer.
  public func submit(_ buffer: [UInt8]) throws(Failure) {
    free.take()
    let failure = state.withLock { state in
      if state.failure == nil { state.waiting.append(buffer) }
      return state.failure
    }
    if let failure {
      free.put()
      throw failure
    }
    filled.put()
  }

  /// Waits until all buffers are consumed. To be called once, whatever happened; nothing is submitted after it.
  public func finish() throws(Failure) {
    let thread = state.withLock { state in
      state.isClosed = true
      defer { state.thread = nil }
      return state.thread
    }
    if let thread {
      filled.put()
      pthread_join(thread, nil)
    }
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }

  private func work() {
    while true {
      filled.take()
      let buffer = state.withLock { state -> [UInt8]? in
        state.waiting.isEmpty ? nil : state.waiting.removeFirst()
      }
      guard let buffer else {
        if state.withLock({ $0.isClosed }) { return }
        continue
      }
      if state.withLock({ $0.failure == nil }) {
        do throws(Failure) {
          try consume(buffer)
        } catch {
          state.withLock { $0.failure = error }
        }
      }
      free.put()
    }
  }
}

/// A counter that makes whoever takes below zero wait.
private final class Tokens: Sendable {
  private let descriptor: Int32

  init(_ count: Int) throws(Failure) {
    descriptor = eventfd(UInt32(count), Int32(EFD_CLOEXEC) | Int32(EFD_SEMAPHORE))
    if descriptor < 0 { throw systemFailure(errno, "cannot make an eventfd") }
  }

  func take() {
    var value: UInt64 = 0
    while read(descriptor, &value, 8) < 0 && errno == EINTR {}
  }

  func put() {
    var value: UInt64 = 1
    while write(descriptor, &value, 8) < 0 && errno == EINTR {}
  }

  deinit { close(descriptor) }
}
