import Bundles
import Glibc
import Host
import Model
import Testing

@Suite struct `A sealed file that is not what it was` {
  let directory = SealDirectory()
  let identity: AgeIdentity
  let other: AgeIdentity
  let plain: [UInt8]
  let file: [UInt8]

  init() throws {
    var chance = SeededChance(11)
    identity = try AgeIdentity.generate { chance.bytes($0) }
    other = try AgeIdentity.generate { chance.bytes($0) }
    plain = chance.document(600_000)
    file = try sealed(plain, to: [identity.recipient, other.recipient])
  }

  private func refusal(_ bytes: [UInt8], step: Int = 1 << 16) -> Failure? {
    failure { () throws(Failure) in _ = try opened(bytes, with: [identity], step: step) }
  }

  /// How long the header is.
  private var headerSize: Int {
    let mark = Array("--- ".utf8)
    let start = file.indices.first { file[$0...].starts(with: mark) } ?? 0
    return start + 48
  }

  @Test func `it opens when it is whole`() throws {
    #expect(file.count > 3 * 65536)
    #expect(try opened(file, with: [identity], step: 1000) == plain)
    #expect(try opened(file, with: [other], step: file.count) == plain)
  }

  @Test func `a flipped bit anywhere is found`() {
    var places = (0..<(headerSize + 16) * 8).map { $0 }
    var chance = SeededChance(12)
    for _ in 0..<500 { places.append(Int.random(in: 0..<file.count * 8, using: &chance)) }
    for place in places {
      var bytes = file
      bytes[place / 8] ^= 1 << UInt8(place % 8)
      let refusal = refusal(bytes)
      #expect(refusal != nil, "bit \(place)")
      if place / 8 > headerSize { #expect(refusal?.exit == .verification) }
    }
  }

  @Test func `a file cut short anywhere is found`() {
    var chance = SeededChance(13)
    var places = Array(0...headerSize + 33) + (1...3).flatMap { k in (-17...17).map { headerSize + 16 + k * 65552 + $0 } }
    places += (file.count - 40..<file.count).map { $0 }
    for _ in 0..<200 { places.append(Int.random(in: 0..<file.count, using: &chance)) }
    for place in places where place < file.count {
      #expect(refusal(Array(file[..<place]))?.exit == .verification, "cut at \(place)")
    }
  }

  @Test func `whatever is appended, or left out in the middle, is found`() throws {
    for more in [[0], Array(file.suffix(16)), file, [UInt8](repeating: 0, count: 70_000)] {
      #expect(refusal(file + more)?.exit == .verification)
      #expect(refusal(file + more, step: 999)?.exit == .verification)
    }
    let start = headerSize + 16
    #expect(refusal(Array(file[..<start] + file[(start + 65552)...]))?.exit == .verification)
    let swapped = file[..<start] + file[(start + 65552)..<(start + 2 * 65552)] + file[start..<(start + 65552)]
    #expect(refusal(Array(swapped + file[(start + 2 * 65552)...]))?.exit == .verification)
    #expect(refusal(Array(file[1...]))?.exit == .verification)
  }

  @Test func `a last chunk that is full is no special case`() throws {
    // Chance does not compress: the size behind zstd follows the plain size byte by byte.
    var chance = SeededChance(14)
    let noise = chance.bytes(65536)
    let overhead = try sealed(noise, to: []).count - noise.count
    for size in [65535, 65536, 65537] {
      let plain = Array(noise[..<(size - overhead)])
      let file = try sealed(plain, to: [identity.recipient])
      #expect(try opened(file, with: [identity]) == plain)
      for cut in 1...17 { #expect(refusal(Array(file.dropLast(cut)))?.exit == .verification) }
      for more in [1, 16, 17] { #expect(refusal(file + [UInt8](repeating: 0, count: more))?.exit == .verification) }
      _ = try directory.write("sealed", file)
      try? Files.removeOwn(directory.path + "/key")
      try IdentityFile.write(identity, to: directory.path + "/key", created: Timestamp(milliseconds: 0))
      #expect(try directory.shell("age -d -i key sealed | zstd -dqc | wc -c").text == "\(plain.count)\n")
    }
  }

  @Test func `a key that it is not sealed to is a mistake of usage`() throws {
    let stranger = try AgeIdentity.generate()
    let refusal = failure { () throws(Failure) in _ = try opened(file, with: [stranger]) }
    #expect(refusal?.exit == .usage && refusal?.why.contains("2 recipients") == true)
  }

  @Test func `bytes of chance never crash it`() {
    var chance = SeededChance(15)
    let header = Array(file[..<headerSize])
    for round in 0..<600 {
      var bytes = chance.bytes(Int.random(in: 0..<300, using: &chance))
      switch round % 4 {
      case 0: break
      case 1: bytes = header + bytes
      case 2: bytes = Array("age-encryption.org/v1\n-> ".utf8) + bytes
      default:
        // Parts of the real header in another order.
        bytes = (0..<6).flatMap { _ in
          let a = Int.random(in: 0..<header.count, using: &chance)
          return header[a..<min(header.count, a + Int.random(in: 1..<80, using: &chance))]
        }
        bytes = Array("age-encryption.org/v1\n".utf8) + bytes
      }
      #expect(refusal(bytes, step: 13) != nil)
      let zstd = failure { () throws(Failure) in _ = try opened([0x28, 0xb5, 0x2f, 0xfd] + bytes, with: []) }
      #expect(zstd != nil)
    }
  }

  @Test func `a damaged zstd stream is found without encryption too`() throws {
    let bare = try sealed(plain, to: [])
    #expect(failure { () throws(Failure) in _ = try opened(bare + [0], with: []) }?.exit == .verification)
    for cut in [0, 1, 5, 1000, bare.count - 4, bare.count - 1] {
      #expect(failure { () throws(Failure) in _ = try opened(Array(bare[..<cut]), with: []) }?.exit == .verification, "\(cut)")
    }
    var chance = SeededChance(16)
    for _ in 0..<100 {
      var bytes = bare
      bytes[Int.random(in: 100..<bare.count, using: &chance)] ^= 64
      #expect(failure { () throws(Failure) in _ = try opened(bytes, with: []) }?.exit == .verification)
    }
  }

  @Test func `a window beyond 128 MiB is refused`() throws {
    _ = try directory.shell("head -c 300000 /dev/zero | zstd -q --ultra --long=31 -1 > long.zst")
    let refusal = failure { () throws(Failure) in _ = try opened(try Files.read(directory.path + "/long.zst"), with: []) }
    #expect(refusal?.exit == .verification && refusal?.why.contains("window") == true)
  }

  @Test func `more than was promised is refused`() throws {
    let bomb = try sealed([UInt8](repeating: 0, count: 1 << 20), to: [identity.recipient])
    var got = 0
    let opener = try Opener(identities: [identity], limit: (1 << 20) - 1) { (bytes) throws(Failure) in got += bytes.count }
    let refusal = failure { () throws(Failure) in
      try bomb.withBytes { (raw) throws(Failure) in try opener.write(raw) }; _ = try opener.finish()
    }
    #expect(refusal?.exit == .verification && got < 1 << 20)
    #expect(failure { () throws(Failure) in _ = try opener.finish() } == refusal)
  }

  @Test func `nothing is left under any name where opening fails`() throws {
    let path = try directory.write("sealed", Array(file.dropLast(16)))
    let refusal = failure { () throws(Failure) in
      _ = try Opener.open(file: path, to: directory.path + "/plain", identities: [identity])
    }
    #expect(refusal?.exit == .verification && refusal?.what.contains(path) == true)
    #expect(try Files.list(directory.path) == ["sealed"])
  }
}
