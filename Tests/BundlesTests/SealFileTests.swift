import Bundles
import Host
import Model
import Testing

@Suite struct `Sealing files` {
  let directory = SealDirectory()
  let identity: AgeIdentity

  init() throws { identity = try AgeIdentity.generate() }

  @Test(arguments: [0, 1, 3_000_000])
  func `a file can be sealed into an upload, and only that side be hashed which nobody else hashes`(size: Int) throws {
    var chance = SeededChance(UInt64(size))
    let plain = chance.document(size)
    let path = try directory.write("plain", plain)
    for sides in [HashedSides.both, .plain, .sealed] {
      var file: [UInt8] = []
      var seen = Progress(done: 0, total: nil)
      let result = try Sealer.seal(file: path, recipients: [identity.recipient], hashing: sides, progress: { seen = $0 }) {
        (bytes) throws(Failure) in file += bytes
      }
      #expect(result.sealedSize == file.count && result.plainSize == plain.count)
      #expect(result.plainSHA256 == (sides.contains(.plain) ? sha256(plain) : nil))
      #expect(result.sealedSHA256 == (sides.contains(.sealed) ? sha256(file) : nil))
      #expect(seen.done == Int64(plain.count))
      #expect(try opened(file, with: [identity]) == plain)
    }
  }

  @Test func `progress grows to the whole`() throws {
    var chance = SeededChance(3)
    let path = try directory.write("plain", chance.document(1_000_000))
    var seen: [Progress] = []
    _ = try Sealer.seal(file: path, to: path + ".zst.age", recipients: [identity.recipient]) { seen.append($0) }
    #expect(seen.map(\.done) == seen.map(\.done).sorted() && seen.last == Progress(done: 1_000_000, total: 1_000_000))
  }

  @Test func `a stop leaves no file`() throws {
    let path = try directory.write("plain", [1, 2, 3])
    let stop = StopSignal()
    stop.ask(.now, reason: "a test")
    let refusal = failure { () throws(Failure) in
      _ = try Sealer.seal(file: path, to: path + ".zst.age", recipients: [identity.recipient], stop: stop)
    }
    #expect(refusal?.exit == .interrupted)
    #expect(try Files.list(directory.path) == ["plain"])
  }

  @Test func `a sink that fails ends it, with its own words`() throws {
    let full = Failure(what: "cannot write", why: "the disk is full", next: "free space")
    var chance = SeededChance(4)
    let plain = chance.bytes(3_000_000)
    for workers in [0, 2] {
      var left = 2
      let sealer = try Sealer(recipients: [identity.recipient], workers: workers) { (_) throws(Failure) in
        left -= 1
        if left < 0 { throw full }
      }
      #expect(
        failure { () throws(Failure) in
          try plain.withBytes { (raw) throws(Failure) in try sealer.write(raw) }; _ = try sealer.finish()
        } == full)
      #expect(failure { () throws(Failure) in _ = try sealer.finish() } == full)
    }
  }

  @Test func `a finished sealer takes no more`() throws {
    let sealer = try Sealer(recipients: [], sink: { (_) throws(Failure) in })
    _ = try sealer.finish()
    #expect(throws: Failure.self) { try [1].withBytes { (raw) throws(Failure) in try sealer.write(raw) } }
    #expect(throws: Failure.self) { try sealer.finish() }
  }

  @Test func `a level that zstd does not open by default is refused`() throws {
    for level in [0, 20, -1] {
      #expect(failure { () throws(Failure) in _ = try sealed([1], to: [], level: level) }?.exit == .usage)
    }
    #expect(sealedName("snapshot.db", encrypted: true) == "snapshot.db.zst.age")
    #expect(sealedName("snapshot.db", encrypted: false) == "snapshot.db.zst")
  }

  @Test func `SHA-256 is that of everybody`() {
    #expect(sha256([]).description == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(sha256(Array("abc".utf8)).description == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }
}
