public import Host
public import Model

/// How often and after which waits a store tries again what can pass: exponential backoff with full jitter.
public struct RetryPolicy: Sendable {
  public var attempts: Int
  public var base: Duration
  public var cap: Duration
  /// From 0 up to but not including 1; a test gives its own.
  public var random: @Sendable () -> Double

  public init(
    attempts: Int = 6, base: Duration = .milliseconds(500), cap: Duration = .seconds(20),
    random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    self.attempts = attempts
    self.base = base
    self.cap = cap
    self.random = random
  }

  /// What one try came to.
  public enum Try<T> {
    case done(T)
    /// It may work later; `after` is what the server asked for.
    case again(Failure, after: Duration? = nil)
    /// It did not end, but got further: the count of tries starts anew.
    case further(Failure)
  }

  /// Calls until it is done, a failure is final, or the tries are used up. A stop ends the wait between two tries.
  public func run<T>(_ stop: StopSignal?, _ body: () throws(Failure) -> Try<T>) throws(Failure) -> T {
    var tried = 0
    while true {
      let (failure, asked) = try attempt(body, done: &tried)
      switch failure {
      case .success(let value): return value
      case .failure(let failure):
        tried += 1
        guard tried < attempts else { throw after(attempts, failure) }
        let wait = max(asked ?? .zero, delay(tried))
        if let stop, !stop.sleep(wait) { throw Transfer.stopped(failure.what) }
        if stop == nil { _ = StopSignal().sleep(wait) }
      }
    }
  }

  private func attempt<T>(
    _ body: () throws(Failure) -> Try<T>, done tried: inout Int
  ) throws(Failure) -> (Result<T, Failure>, Duration?) {
    do throws(Failure) {
      switch try body() {
      case .done(let value): return (.success(value), nil)
      case .again(let failure, let asked): return (.failure(failure), asked.map { min($0, .seconds(120)) })
      case .further(let failure):
        tried = 0
        return (.failure(failure), nil)
      }
    } catch {
      guard error.isTransient else { throw error }
      return (.failure(error), nil)
    }
  }

  /// The wait before try number `tried` + 1.
  func delay(_ tried: Int) -> Duration {
    let limit = min(Double(cap.milliseconds), Double(base.milliseconds) * Double(1 << min(tried - 1, 20)))
    return .milliseconds(Int64(limit * random()))
  }

  private func after(_ attempts: Int, _ failure: Failure) -> Failure {
    var last = failure
    if attempts > 1 { last.why += " (tried \(attempts) times)" }
    return last
  }
}
