import Host
import Model
import Testing

@testable import Bundles

/// `KGUARD_DAMAGE_RUNS` makes the seeded runs longer, `KGUARD_DAMAGE_SEED` different.
private let runs = environment("KGUARD_DAMAGE_RUNS").flatMap { Int($0) } ?? 300
private let seed = environment("KGUARD_DAMAGE_SEED").flatMap { UInt64($0) } ?? 1

@Suite struct `Damage to a snapshot` {
  private let home = SnapshotDirectory()
  private let original: [UInt8]
  private let report: SnapshotReport

  init() throws {
    original = try Self.sample.get()
    let path = home.path + "/original.db"
    try Files.replace(path, with: original)
    report = try verifySnapshot(path, withLiveDigest: true).report
  }

  /// Made once for all tests of the suite, small enough to be read thousands of times.
  private static let sample = Result {
    let etcd = try SnapshotEtcd(.installed)
    try etcd.putAll((0..<400).map { ("/registry/pods/ns-\($0 % 5)/pod-\($0)", SampleObjects.json("Pod", "ns", "pod-\($0)", filler: 60)) })
    try etcd.put("/registry/configmaps/default/large", bytes: SampleObjects.protobuf("v1", "ConfigMap", "default", "large", filler: 9000))
    for index in 0..<5 { try etcd.ctl("del", "/registry/pods/ns-\(index)/pod-\(index)") }
    try etcd.ctl("compact", "4")
    try etcd.ctl("lease", "grant", "3600")
    return try Files.read(try etcd.snapshot())
  }

  private enum Outcome: Equatable {
    case refused
    /// Accepted, and what it holds is not the same: etcd's hash or the digest says so.
    case different
    /// Accepted, with the same content: the damage was where nothing is stored.
    case harmless
  }

  private func outcome(_ bytes: [UInt8], _ name: String) throws -> Outcome {
    let path = home.path + "/" + name
    try OpenFile(path, 0o1101).write(bytes)
    do {
      let found = try verifySnapshot(path, withLiveDigest: true).report
      let isSame =
        found.hash == report.hash && found.liveDigest == report.liveDigest && found.revision == report.revision
        && found.totalKeys == report.totalKeys && found.objects == report.objects && found.members == report.members
      return isSame ? .harmless : .different
    } catch {
      #expect(error.exit == .verification, "\(error)")
      #expect(!error.why.isEmpty && !error.next.isEmpty)
      return .refused
    }
  }

  /// The same database with a checksum that fits.
  private func resealed(_ bytes: [UInt8]) -> [UInt8] {
    let body = Array(bytes.dropLast(32))
    return body + sha256(body).bytes
  }

  @Test func `one flipped bit is always found by the checksum`() throws {
    var random = SeededRandom(seed: seed)
    for _ in 0..<runs {
      var bytes = original
      let (at, bit) = (Int.random(in: 0..<bytes.count, using: &random), Int.random(in: 0..<8, using: &random))
      bytes[at] ^= 1 << bit
      #expect(try outcome(bytes, "flipped.db") == .refused, "byte \(at), bit \(bit)")
    }
  }

  /// Of the bytes that mean something: the first meta page, and every byte of a page that is in use up to its last element.
  @Test(arguments: [true, false])
  func `one flipped bit under a fitting checksum, or none, is found by structure or content`(hasTrailer: Bool) throws {
    var random = SeededRandom(seed: seed + 1)
    let meaningful = try meaningfulBytes()
    var counts: [String: Int] = [:]
    for _ in 0..<runs {
      var bytes = original
      let at = Int.random(in: 0..<bytes.count - 32, using: &random)
      let bit = Int.random(in: 0..<8, using: &random)
      bytes[at] ^= 1 << bit
      let found = try outcome(hasTrailer ? resealed(bytes) : bytes.dropLast(32), "resealed.db")
      counts["\(found)", default: 0] += 1
      if meaningful[at] { #expect(found != .harmless, "byte \(at) of page \(at / 4096), bit \(bit)") }
    }
    #expect(counts["refused", default: 0] > 0 && counts["different", default: 0] > 0)
  }

  @Test func `a file that was cut off is never taken for a snapshot`() throws {
    var random = SeededRandom(seed: seed + 2)
    var expected = SnapshotExpectations()
    expected.needsTrailer = true
    for index in 0..<500 {
      let sectors = Int.random(in: 0...original.count / 512, using: &random) * 512
      let count = [Int.random(in: 0..<original.count, using: &random), sectors, sectors + 32][index % 3]
      guard count < original.count else { continue }
      let path = home.path + "/cut.db"
      try OpenFile(path, 0o1101).write(Array(original[..<count]))
      let failure = #expect(throws: Failure.self, "\(count)") { try verifySnapshot(path, expecting: expected) }
      #expect(failure?.exit == .verification)
    }
  }

  @Test func `pages that are overwritten, exchanged or doubled never crash the reader`() throws {
    var random = SeededRandom(seed: seed + 3)
    let pages = (original.count - 32) / 4096
    for index in 0..<runs {
      var bytes = original
      let (from, to) = (Int.random(in: 0..<pages, using: &random) * 4096, Int.random(in: 0..<pages, using: &random) * 4096)
      switch index % 4 {
      case 0: for at in to..<to + 4096 { bytes[at] = UInt8.random(in: 0...255, using: &random) }
      case 1: bytes.replaceSubrange(to..<to + 4096, with: original[from..<from + 4096])
      // With the right number, it looks like a page of the tree.
      case 2: bytes.replaceSubrange(to + 8..<to + 4096, with: original[from + 8..<from + 4096])
      // The header, and the elements' own headers, are where the dangerous numbers stand.
      default: for _ in 0..<4 { bytes[to + 8 + Int.random(in: 0..<120, using: &random)] = UInt8.random(in: 0...255, using: &random) }
      }
      let found = try outcome(resealed(bytes), "pages.db")
      if found == .refused, let reader = try? SnapshotReader(home.path + "/pages.db") {
        try? reader.objects { _, _ in }
        _ = try? reader.object("/registry/pods/ns-1/pod-1")
      }
    }
  }

  @Test func `a failure names the page and what is wrong with it`() throws {
    var bytes = original
    let path = home.path + "/named.db"
    let root = Int(try BoltFile(home.path + "/original.db").meta.root)
    bytes[4096 * root + 8] = 0x44
    try OpenFile(path, 0o1101).write(resealed(bytes))
    let flags = #expect(throws: Failure.self) { try verifySnapshot(path) }
    #expect(flags?.why == "page \(root) should be part of a tree, and its flags are 68")
    bytes = original
    bytes[30] ^= 1
    try OpenFile(path, 0o1101).write(resealed(bytes))
    let meta = #expect(throws: Failure.self) { try verifySnapshot(path) }
    #expect(meta?.why == "meta page 0 has a wrong checksum")
    try OpenFile(path, 0o1101).write(Array(original.dropLast(4096)))
    #expect(#expect(throws: Failure.self) { try verifySnapshot(path) }?.why.contains("cut off") == true)
    try OpenFile(path, 0o1101).write([UInt8](repeating: 0, count: 8192))
    #expect(#expect(throws: Failure.self) { try verifySnapshot(path) }?.why.contains("no magic number") == true)
  }

  /// Which bytes of the sample carry something.
  private func meaningfulBytes() throws -> [Bool] {
    var meaningful = [Bool](repeating: false, count: original.count)
    func mark(_ start: Int, _ count: Int) { for at in start..<start + count { meaningful[at] = true } }
    for meta in [0, 4096] { mark(meta, 80) }
    let path = home.path + "/original.db"
    let bolt = try BoltFile(path)
    func visit(_ id: UInt64) throws {
      let page = try bolt.page(id)
      mark(page.offset, BoltPage.headerSize)
      if page.flags == BoltPage.branch {
        var end = try page.elementsEnd()
        mark(page.offset, end)
        for index in 0..<page.count {
          let child = try page.child(index, keyAt: end)
          end = child.end
          try visit(child.page)
        }
      } else {
        var roots: [UInt64] = []
        let end = try page.eachElement { _, element in
          if element.isBucket, element.value.u64(0) != 0 { roots.append(element.value.u64(0)) }
        }
        mark(page.offset, end)
        // The sequence of a bucket is never used by etcd.
        _ = try page.eachElement { _, element in
          if element.isBucket, let base = bolt.file.bytes.baseAddress, let value = element.value.baseAddress {
            for at in 8..<16 { meaningful[value - base + at] = false }
          }
        }
        for root in roots { try visit(root) }
      }
    }
    try visit(bolt.meta.root)
    return meaningful
  }
}
