import Host
import Model
import Testing

@testable import Bundles

/// A short walk of the ways that `scripts/fuzz` goes for hours: nothing crashes, and nothing contradicts itself.
@Suite struct `Mutated inputs` {
  @Test func `of sealed files`() throws {
    var chance = SeededChance(21)
    let identity = try AgeIdentity.parse(SealInput.key)
    let other = try AgeIdentity.generate { chance.bytes($0) }
    var seeds: [[UInt8]] = []
    for plain in [[], Array("x".utf8), chance.document(3000), [UInt8](repeating: 0, count: 150_000)] {
      let stream = try sealed(plain, to: [])
      var file: [UInt8] = []
      let encryptor = try AgeEncryptor(recipients: [other.recipient, identity.recipient], random: { chance.bytes($0) }) {
        (bytes) throws(Failure) in file += bytes
      }
      try stream.withBytes { (raw) throws(Failure) in try encryptor.write(raw) }
      try encryptor.finish()
      seeds += [[0] + file, [1] + stream, [2] + stream]
    }
    let stanza = Array(try AgeForge.stanza(to: other.recipient).utf8)
    seeds += [[3] + stanza, [0x83] + stanza, [3] + Array("-> ssh-ed25519 abcd\n".utf8) + stanza.suffix(44)]
    seeds += [[4] + Array("# a key\n\n\(SealInput.key)\n".utf8), [4] + Array(identity.recipient.description.utf8)]
    for seed in seeds { #expect(try SealInput.take(seed)) }
    var mutation = Mutation(seeds, chance: 22)
    for _ in 0..<1500 { try SealInput.take(mutation.input()) }
  }

  @Test func `of records and objects`() throws {
    func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] { [number << 3 | 2, UInt8(content.count)] + content }
    func text(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }
    let metadata = text(1, "web") + text(3, "default") + text(5, "0-1-2") + field(11, text(1, "app") + text(2, "web"))
    let native = Array("k8s\0".utf8) + field(1, text(1, "v1") + text(2, "Pod")) + field(2, field(1, metadata))
    let custom = Array(
      #"{"apiVersion":"a.io/v1","kind":"W\u0041","spec":{"x":[1,{"y":"}"}]},"metadata":{"labels":{"a":"b"},"name":"n","uid":"u"}}"#.utf8)
    let revisions: [UInt8] = [0x10, 7, 0x18, 9, 0x20, 2]
    var seeds = [native, custom, Array("k8s:enc:aescbc:v1:key1:".utf8) + [0, 1, 0xff]]
    for key in ["/registry/pods/default/web", "/registry/services/specs/default/x", "/registry/a.io/ws/default/n", "/registry/minions/n"] {
      seeds.append(Array(key.utf8))
      for value in seeds.prefix(3) { seeds.append(text(1, key) + revisions + field(5, value) + [0x30, 5]) }
    }
    seeds.append([0, 0, 0, 0, 0, 0, 0, 9, 0x5f, 0, 0, 0, 0, 0, 0, 0, 1, 0x74])
    for seed in seeds { try RecordInput.take(seed) }
    var mutation = Mutation(seeds, chance: 23)
    for _ in 0..<20_000 { try RecordInput.take(mutation.input()) }
  }
}
