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

  private var part: String { directory.path + ".snapshot.db.part" }

  /// The file that grows lies beside the directory.
  private func start(_ recipients: [AgeRecipient]) throws(Failure) -> SealingAhead {
    try Files.replace(part, with: [])
    return try SealingAhead(bundle, of: part, recipients: recipients)
  }

  private func feed(_ sealing: SealingAhead, _ bytes: [UInt8]? = nil) throws {
    let bytes = bytes ?? plain
    let file = try OpenFile(part, O_WRONLY)
    for at in stride(from: 0, to: bytes.count, by: 700_001) {
      let end = min(at + 700_001, bytes.count)
      try file.write(Array(bytes[at..<end]))
      sealing.reached(Int64(end))
    }
    unlink(part)
  }

  private func finish(
    _ sealing: SealingAhead, size: Int, stop: StopSignal = StopSignal(), patience: Duration = SealingAhead.patience
  ) throws -> SealedAhead? {
    try sealing.finish(size: Int64(size), sha256: sha256(plain), stop: stop, patience: patience)
  }

  @Test func `what was written is what the sealed file opens to, and its record says which`() throws {
    for recipients in [[identity.recipient], []] {
      let sealing = try start(recipients)
      try feed(sealing)
      let ahead = try #require(try finish(sealing, size: plain.count))
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
    let sealing = try start([identity.recipient])
    try feed(sealing)
    #expect(try finish(sealing, size: plain.count + 1) == nil)
    #expect(try Files.list(directory.path) == [])
  }

  @Test func `a file that reads otherwise than what was written is none`() throws {
    var other = plain
    other[3_000_000] ^= 1
    let sealing = try start([identity.recipient])
    try feed(sealing, other)
    #expect(try finish(sealing, size: plain.count) == nil)
    #expect(sealing.failure?.why.contains("is not what was written") == true)
    #expect(try Files.list(directory.path) == [])
  }

  @Test func `a file that is shorter than was said is none, and it is said why`() throws {
    let sealing = try start([])
    try feed(sealing, Array(plain.dropLast()))
    sealing.reached(Int64(plain.count))
    #expect(try finish(sealing, size: plain.count) == nil)
    #expect(sealing.failure?.why.contains("is cut off") == true)
    #expect(try Files.list(directory.path) == [])
  }

  @Test(arguments: [true, false]) func `a stop or the end of patience ends it, and leaves nothing`(isAsked: Bool) throws {
    let sealing = try start([identity.recipient])
    let stop = StopSignal()
    if isAsked { stop.ask(.now, reason: "a test") }
    // 64 GiB of nothing, which no machine seals in a moment.
    #expect(truncate(part, 64 << 30) == 0)
    sealing.reached(64 << 30)
    #expect(try finish(sealing, size: 64 << 30, stop: stop, patience: .milliseconds(1)) == nil)
    #expect(sealing.failure?.why == (isAsked ? "kguard was asked to stop" : "it took longer than 1 ms"))
    #expect(try Files.list(directory.path) == [])
    unlink(part)
  }

  @Test func `a full disk costs the sealed file only`() throws {
    #expect(symlink("/dev/full", directory.path + "/snapshot.db.zst.age.part") == 0)
    // The header of age is written at once.
    let refusal = failure { () throws(Failure) in _ = try start([identity.recipient]) }
    #expect(refusal?.why.contains("No space") == true, "\(String(describing: refusal))")
    #expect(try Files.list(directory.path) == [])
    #expect(symlink("/dev/full", directory.path + "/snapshot.db.zst.part") == 0)
    let sealing = try start([])
    try feed(sealing)
    #expect(try finish(sealing, size: plain.count) == nil)
    #expect(sealing.failure?.why.contains("No space") == true, "\(String(describing: sealing.failure))")
    #expect(try Files.list(directory.path) == [])
  }

  @Test func `given up, it leaves nothing`() throws {
    let sealing = try start([identity.recipient])
    try feed(sealing)
    sealing.abandon()
    #expect(try Files.list(directory.path) == [])
  }

  @Test func `it wants room for a drill too`() throws {
    #expect(try SealingAhead.hasRoom(1 << 20, beside: directory.path + "/snapshot.db"))
    #expect(try !SealingAhead.hasRoom(1 << 60, beside: directory.path + "/snapshot.db"))
    #expect(try !SealingAhead.hasRoom(.max, beside: directory.path + "/snapshot.db"))
  }
}
