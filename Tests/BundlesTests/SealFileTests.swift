import Bundles
import Host
import Model
import Testing

@Suite struct `Sealing files` {
  let directory = SealDirectory()
  let identity: AgeIdentity

  init() throws { identity = try AgeIdentity.generate() }

  @Test(arguments: [0, 1, 3_000_000], [1, 1000, 200_000])
  func `a file can be sealed while an upload reads it`(size: Int, step: Int) throws {
    var chance = SeededChance(UInt64(size))
    let plain = chance.document(step == 1 ? min(size, 5000) : size)
    let path = try directory.write("plain", plain)
    let reader = try SealedReader(file: path, recipients: [identity.recipient])
    var file: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: step)
    #expect(reader.result == nil)
    while true {
      let count = try buffer.withMutableBytes { (raw) throws(Failure) in try reader.read(into: raw) }
      if count == 0 { break }
      file += buffer[..<count]
    }
    let result = try #require(reader.result)
    #expect(result.sealedSHA256 == sha256(file) && result.sealedSize == file.count && result.plainSHA256 == sha256(plain))
    #expect(reader.progress == Progress(done: Int64(plain.count), total: Int64(plain.count)))
    #expect(try opened(file, with: [identity]) == plain)
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
