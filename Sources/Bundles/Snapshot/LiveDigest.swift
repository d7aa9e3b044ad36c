internal import COpenSSL
internal import Model
internal import Synchronization

/// A digest of a live key space that does not depend on the order of its keys: the sum, modulo 2^256, of the SHA-256 of
/// every live (key, lease, value), and how many there are. Revisions are left out, since a restore may raise them.
struct LiveDigest: Sendable, Equatable {
  private var sum = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
  private(set) var count = 0

  static func == (a: Self, b: Self) -> Bool { a.sum == b.sum && a.count == b.count }

  mutating func add(_ words: (UInt64, UInt64, UInt64, UInt64), count added: Int = 1) {
    var carry: UInt64 = 0
    func plus(_ a: UInt64, _ b: UInt64) -> UInt64 {
      let (first, overflow) = a.addingReportingOverflow(b)
      let (second, again) = first.addingReportingOverflow(carry)
      carry = overflow || again ? 1 : 0
      return second
    }
    sum = (plus(sum.0, words.0), plus(sum.1, words.1), plus(sum.2, words.2), plus(sum.3, words.3))
    count += added
  }

  mutating func add(_ other: LiveDigest) { add(other.sum, count: other.count) }

  var digest: Digest {
    let words = [sum.0, sum.1, sum.2, sum.3, UInt64(count)].map(\.littleEndian)
    var hasher = RecordHasher()
    return words.withUnsafeBytes { hasher.hash($0, Self.nothing) }
  }

  private static var nothing: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }
}

/// SHA-256 of many small things, without asking OpenSSL for memory each time.
struct RecordHasher: ~Copyable {
  private let context = EVP_MD_CTX_new()

  init() { EVP_DigestInit_ex2(context, Self.algorithm.raw, nil) }
  deinit { EVP_MD_CTX_free(context) }

  mutating func words(_ record: KeyValue) -> (UInt64, UInt64, UInt64, UInt64) {
    var head = (UInt64(record.key.count).littleEndian, UInt64(bitPattern: record.lease).littleEndian)
    EVP_DigestUpdate(context, &head, 16)
    EVP_DigestUpdate(context, record.key.baseAddress, record.key.count)
    EVP_DigestUpdate(context, record.value.baseAddress, record.value.count)
    var out = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
    withUnsafeMutableBytes(of: &out) { finish($0) }
    return (out.0.littleEndian, out.1.littleEndian, out.2.littleEndian, out.3.littleEndian)
  }

  mutating func hash(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) -> Digest {
    EVP_DigestUpdate(context, first.baseAddress, first.count)
    EVP_DigestUpdate(context, second.baseAddress, second.count)
    var out = [UInt8](repeating: 0, count: 32)
    out.withUnsafeMutableBytes { finish($0) }
    return Digest(out) ?? .zero
  }

  private mutating func finish(_ out: UnsafeMutableRawBufferPointer) {
    EVP_DigestFinal_ex(context, out.baseAddress?.assumingMemoryBound(to: UInt8.self), nil)
    EVP_DigestInit_ex2(context, nil, nil)
  }

  /// Fetched once: OpenSSL 3 would otherwise look it up at every start.
  private struct Algorithm: Sendable { nonisolated(unsafe) let raw: OpaquePointer? }
  private static let algorithm = Algorithm(raw: EVP_MD_fetch(nil, "SHA256", nil))
}

/// Live records that wait to be hashed, for as many threads as come to take some.
final class LiveWork: Sendable {
  private struct Waiting {
    var table: [Int] = []
    var next = 0
    var total = LiveDigest()
  }
  private let waiting = Mutex(Waiting())

  /// Hands out places until there are none; what one thread has summed up is added at its end.
  func drain(_ bolt: BoltFile, stopping: () -> Bool) throws(Damage) {
    var own = LiveDigest()
    var hasher = RecordHasher()
    while true {
      let places = take()
      if places.isEmpty || stopping() { break }
      for place in places { own.add(hasher.words(try bolt.record(at: place).content)) }
    }
    waiting.withLock { $0.total.add(own) }
  }

  private func take() -> ArraySlice<Int> {
    waiting.withLock { waiting in
      let start = waiting.next
      waiting.next = min(waiting.table.count, start + 64)
      return waiting.table[start..<waiting.next]
    }
  }

  func offer(_ places: [Int]) {
    waiting.withLock { ($0.table, $0.next) = (places, 0) }
  }

  var total: LiveDigest { waiting.withLock { $0.total } }
}
