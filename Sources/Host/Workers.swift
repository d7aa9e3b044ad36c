internal import CPosix
internal import Glibc
public import Model
internal import Synchronization

/// Threads of the operating system, for work that blocks. They take no signals, and must be joined.
public final class Workers: Sendable {
  private final class Job: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  private let threads = Mutex<[pthread_t]>([])

  public init() {}

  /// Starts one more thread.
  public func start(_ body: @escaping @Sendable () -> Void) throws(Failure) {
    var all = sigset_t(), before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    let job = Unmanaged.passRetained(Job(body))
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { context in
        if let context { Unmanaged<Job>.fromOpaque(context).takeRetainedValue().body() }
        return nil
      }, job.toOpaque())
    guard code == 0 else {
      job.release()
      throw systemFailure(code, "cannot start a thread")
    }
    threads.withLock { $0.append(thread) }
  }

  /// Waits for all of them.
  public func join() {
    let mine = threads.withLock { list in
      defer { list = [] }
      return list
    }
    for thread in mine { pthread_join(thread, nil) }
  }

  deinit { join() }
}

/// A counter that threads wait for; the corresponding C function is `eventfd` with EFD_SEMAPHORE.
struct Semaphore: ~Copyable, Sendable {
  private let descriptor: Descriptor

  init(_ value: Int) throws(Failure) {
    let raw = eventfd(UInt32(clamping: value), Int32(EFD_CLOEXEC) | Int32(EFD_SEMAPHORE))
    guard raw >= 0 else { throw systemFailure(errno, "cannot make a semaphore") }
    descriptor = Descriptor(raw: raw)
  }

  func signal(_ count: UInt64 = 1) {
    var count = count
    while write(descriptor.raw, &count, 8) < 0 && errno == EINTR {}
  }

  func wait() {
    var one: UInt64 = 0
    while read(descriptor.raw, &one, 8) < 0 && errno == EINTR {}
  }
}
