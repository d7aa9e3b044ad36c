/// A thread that does the same work every time it is asked to. Whoever asks never waits, and all that is asked for while it works is one
/// more time.
public final class OnDemand: Sendable {
  private let wishes = Mailbox<Void>(limit: 1)
  private let ended = StopSignal()

  public init() {}

  /// To be called once. The thread keeps what `work` holds on to until it ends. False where there is no thread: then it has ended.
  @discardableResult
  public func begin(_ name: String, _ work: @escaping @Sendable () -> Void) -> Bool {
    let isThere = startThread(name) { [wishes, ended] in
      while wishes.take() != nil { work() }
      ended.ask(.now, reason: "")
    }
    if !isThere { ended.ask(.now, reason: "") }
    return isThere
  }

  public func ask() { _ = wishes.put(()) }

  /// The thread ends when all that was asked for is done.
  public func close() { wishes.close() }

  public func hasEnded(within limit: Duration) -> Bool { !ended.sleep(limit) }
}
