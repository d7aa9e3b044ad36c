/// Changes inputs as a fuzzer does, the same way every time (SplitMix64).
struct Mutation: RandomNumberGenerator {
  private var state: UInt64
  private let seeds: [[UInt8]]

  init(_ seeds: [[UInt8]], chance: UInt64) {
    self.seeds = seeds
    state = chance
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }

  /// A seed with a few things wrong.
  mutating func input() -> [UInt8] {
    var bytes = seeds[Int.random(in: 0..<seeds.count, using: &self)]
    for _ in 0..<Int.random(in: 1...4, using: &self) { mutate(&bytes) }
    return bytes
  }

  private mutating func mutate(_ bytes: inout [UInt8]) {
    let at = Int.random(in: 0...bytes.count, using: &self)
    let end = min(bytes.count, at + Int.random(in: 1...16, using: &self))
    switch Int.random(in: 0..<7, using: &self) {
    case 0 where at < bytes.count: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &self)
    case 1 where at < bytes.count: bytes[at] = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x20][Int.random(in: 0..<7, using: &self)]
    case 2: bytes.removeSubrange(at..<end)
    case 3: bytes.insert(contentsOf: (0..<(end - at)).map { _ in UInt8.random(in: 0...255, using: &self) }, at: at)
    case 4: bytes.removeSubrange(at...)
    case 5: bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: 0...bytes.count, using: &self))
    default:
      let other = seeds[Int.random(in: 0..<seeds.count, using: &self)]
      let from = Int.random(in: 0...other.count, using: &self)
      bytes.replaceSubrange(at..., with: other[from...])
    }
  }
}
