internal import Glibc

/// Signals of this process, received by a thread instead of interrupting any.
public enum Signals {
  /// Signals as kguard needs them. From here on these interrupt nothing; call it before any thread is started.
  public static func block() {
    var set = wanted
    pthread_sigmask(SIG_BLOCK, &set, nil)
    signal(SIGPIPE, SIG_IGN)
    // Inherited as ignored, it would take from us how our children end.
    signal(SIGCHLD, SIG_DFL)
  }

  /// Calls `handle` with the number of each signal, on a thread of its own.
  public static func receive(_ handle: @escaping @Sendable (Int32) -> Void) {
    startThread("signals") {
      var set = wanted
      while true {
        var number: Int32 = 0
        if sigwait(&set, &number) == 0 { handle(number) }
      }
    }
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
