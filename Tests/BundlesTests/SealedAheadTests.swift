import Bundles
import Glibc
import Host
import Model
import Testing

@Suite struct `Sealing ahead` {
  let directory = SealDirectory()
  let identity: AgeIdentity
  let plain: [UInt8]

  init() throws {
    identity = try AgeIdentity.generate()
    var chance = SeededChance(11)
    plain = chance.document(5_000_000)
  }

  private var bundle: BundleDirectory { BundleDirectory(directory.path) }

  private func feed(_ sealing: SealingAhead) {
    for at in stride(from: 0, to: plain.count, by: 700_001) { sealing.write(Array(plain[at..<min(at + 700_001, plain.count)])) }
  }

  @Test func `what was written is what the sealed file opens to, and its record says which`() throws {
    for recipients in [[identity.recipient], []] {
      let sealing = try SealingAhead(bundle, recipients: recipients)
      feed(sealing)
      let ahead = try #require(try sealing.finish(size: Int64(plain.count), sha256: sha256(plain)))
      let name = sealedName("snapshot.db", encrypted: !recipients.isEmpty)
      #expect(ahead.name == name && ahead.recipients == recipients.map(\.description) && sealing.failure == nil)
      let file = try Files.read(directory.path + "/" + name)
      #expect(ahead.size == file.count && ahead.sha256 == sha256(file) && ahead.plainSHA256 == sha256(plain))
      #expect(try opened(file, with: recipients.isEmpty ? [] : [identity]) == plain)
      #expect(try Files.list(directory.path) == [name])
      try SealedAhead.discard(bundle)
      #expect(try Files.list(directory.path) == [])
    }
  }

  @Test func `a file of another size than was sealed is none`() throws {
    let sealing = try SealingAhead(bundle, recipients: [identity.recipient])
    feed(sealing)
    #expect(try sealing.finish(size: Int64(plain.count) + 1, sha256: sha256(plain)) == nil)
    #expect(try Files.list(directory.path) == [])
  }

  @Test func `a full disk costs the sealed file only`() throws {
    #expect(symlink("/dev/full", directory.path + "/snapshot.db.zst.age.part") == 0)
    // The header of age is written at once.
    let refusal = failure { () throws(Failure) in _ = try SealingAhead(bundle, recipients: [identity.recipient]) }
    #expect(refusal?.why.contains("No space") == true, "\(String(describing: refusal))")
    #expect(try Files.list(directory.path) == [])
    #expect(symlink("/dev/full", directory.path + "/snapshot.db.zst.part") == 0)
    let sealing = try SealingAhead(bundle, recipients: [])
    feed(sealing)
    #expect(try sealing.finish(size: Int64(plain.count), sha256: sha256(plain)) == nil)
    #expect(sealing.failure?.why.contains("No space") == true, "\(String(describing: sealing.failure))")
    #expect(try Files.list(directory.path) == [])
  }

  @Test func `given up, it leaves nothing`() throws {
    let sealing = try SealingAhead(bundle, recipients: [identity.recipient])
    feed(sealing)
    sealing.abandon()
    #expect(try Files.list(directory.path) == [])
  }

  @Test func `it wants room for a drill too`() throws {
    #expect(try SealingAhead.hasRoom(1 << 20, beside: directory.path + "/snapshot.db"))
    #expect(try !SealingAhead.hasRoom(1 << 60, beside: directory.path + "/snapshot.db"))
    #expect(try !SealingAhead.hasRoom(.max, beside: directory.path + "/snapshot.db"))
  }
}
