import Playbooks
import Testing

@Suite struct `Waits before retries` {
  @Test func `the wait stays within a bound that doubles up to the limit`() {
    let retries = Retries(max: 100, backoff: .seconds(2), limit: .seconds(300))
    var random = Seeded(7)
    for n in 1...100 {
      let bound = Duration.seconds(n >= 9 ? 300 : 1 << n)
      for _ in 0..<50 {
        let delay = retries.delay(beforeRetry: n, randomness: Double.random(in: 0..<1, using: &random))
        #expect(delay >= .zero && delay < bound)
      }
      #expect(retries.delay(beforeRetry: n, randomness: 0) == .zero)
      #expect(retries.delay(beforeRetry: n, randomness: 0.5) == bound / 2)
    }
  }

  @Test(arguments: [
    (Retries(max: 1, backoff: .zero), 5), (Retries(max: 1, backoff: .seconds(9), limit: .seconds(1)), 1), (Retries(max: 1), Int.max),
    (Retries(max: 1), Int.min), (Retries(max: 1, backoff: .seconds(315_360_000), limit: .seconds(315_360_000)), 1000),
  ])
  func `no figures upset it`(retries: Retries, n: Int) {
    for randomness in [0, 0.999, 1, -1, .infinity, .nan] {
      let delay = retries.delay(beforeRetry: n, randomness: randomness)
      #expect(delay >= .zero && delay <= retries.limit)
    }
  }

  @Test func `waits differ`() {
    var random = Seeded(1)
    let delays = (0..<100).map { _ in Retries(max: 3).delay(beforeRetry: 3, randomness: Double.random(in: 0..<1, using: &random)) }
    #expect(Set(delays).count == 100)
  }
}

/// Random numbers that a seed repeats (SplitMix64).
struct Seeded: RandomNumberGenerator {
  private var state: UInt64
  init(_ seed: UInt64) { self.state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
