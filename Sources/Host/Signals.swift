internal import Glibc
internal import Synchronization

/// Signals of this process, received by a thread instead of interrupting any.
public enum Signals {
  private static let handler = Mutex<(@Sendable (Int32) -> Void)?>(nil)

  /// Signals as kguard needs them. From here on these interrupt nothing; call it before any thread is started. Until `receive` says what
  /// is to be done with them, they end the process as they would without kguard.
  public static func block() {
    var set = wanted
    pthread_sigmask(SIG_BLOCK, &set, nil)
    signal(SIGPIPE, SIG_IGN)
    // Inherited as ignored, it would take from us how our children end.
    signal(SIGCHLD, SIG_DFL)
    startThread("signals") {
      var set = wanted
      while true {
        var number: Int32 = 0
        guard sigwait(&set, &number) == 0 else { continue }
        if let handle = handler.withLock({ $0 }) { handle(number) } else if number != windowChanged { end(by: number) }
      }
    }
  }

  /// Calls `handle` with the number of each signal, on a thread of its own.
  public static func receive(_ handle: @escaping @Sendable (Int32) -> Void) {
    handler.withLock { $0 = handle }
  }

  /// Signals end the process again.
  public static func release() { handler.withLock { $0 = nil } }

  /// So that a shell sees which signal it was.
  private static func end(by number: Int32) {
    signal(number, SIG_DFL)
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, number)
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    kill(getpid(), number)
  }

  private static var wanted: sigset_t {
    var set = sigset_t()
    sigemptyset(&set)
    for number in [SIGINT, SIGTERM, SIGHUP, SIGWINCH] { sigaddset(&set, number) }
    return set
  }
}

extension Signals {
  public static let interrupt = SIGINT
  public static let terminate = SIGTERM
  public static let windowChanged = SIGWINCH
}
