/// How often a failed attempt is made again, and how long kguard waits before.
public struct Retries: Sendable, Equatable {
  /// 0: one attempt and no more.
  public let max: Int
  /// The upper bound of the first wait; it doubles with each retry.
  public let backoff: Duration
  /// No wait is longer.
  public let limit: Duration

  public static let none = Retries(max: 0)
  public static let defaultBackoff = Duration.seconds(2)
  public static let defaultLimit = Duration.seconds(300)

  public init(max: Int, backoff: Duration = defaultBackoff, limit: Duration = defaultLimit) {
    self.max = max
    self.backoff = backoff
    self.limit = limit
  }

  /// The wait before retry `n` (the first is 1): anywhere between nothing and the bound ("full jitter"), so that many nodes that
  /// failed together do not come back together. `randomness` is in 0..<1 and comes from the host.
  public func delay(beforeRetry n: Int, randomness: Double) -> Duration {
    var bound = Swift.min(backoff, limit)
    var doublings = Swift.max(1, n) - 1
    while doublings > 0 && bound > .zero && bound < limit {
      bound = Swift.min(bound * 2, limit)
      doublings -= 1
    }
    let share = randomness.isFinite ? Swift.min(Swift.max(randomness, 0), 1) : 0
    return bound * share
  }
}
