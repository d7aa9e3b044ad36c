import Host
import Model
import Testing

@testable import Cluster

@Suite struct `Messages of gRPC` {
  @Test func `what is written is read back`() throws {
    var writer = ProtobufWriter()
    writer.number(1, .max)
    writer.signed(2, -1)
    writer.text(3, "é")
    writer.bool(15, true)
    writer.number(536_870_911, 1)
    writer.bytes(4, [])
    writer.number(5, 0)
    var fields: [Int] = []
    writer.bytes.withUnsafeBytes { raw in
      var reader = ProtobufReader(raw)
      while let (field, value) = reader.next() {
        fields.append(field)
        switch field {
        case 1: #expect(value.number == .max)
        case 2: #expect(value.signed == -1)
        case 3: #expect(value.text == "é" && value.number == 0)
        default: #expect(value.bool && value.raw.isEmpty)
        }
      }
      #expect(!reader.isBroken)
    }
    #expect(fields == [1, 2, 3, 15, 536_870_911])
  }

  @Test(
    arguments: [
      [0x08], [0x00, 0x01], [0x0a, 0x05, 1], [0x0d, 1, 2, 3], [0x09, 1], [0x0b], [0x0c], [0x0f],
      [0x0a] + Array(repeating: 0xff, count: 9) + [0x01],
      [0x08] + Array(repeating: 0xff, count: 9) + [0x02], [0x08] + Array(repeating: 0x80, count: 11),
    ] as [[UInt8]])
  func `what is not protobuf is told`(bytes: [UInt8]) {
    bytes.withUnsafeBytes { raw in
      var reader = ProtobufReader(raw)
      while reader.next() != nil {}
      #expect(reader.isBroken)
    }
  }

  @Test func `no bytes make a reader trap`() throws {
    var chance = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let bytes = (0..<Int.random(in: 0..<40, using: &chance)).map { _ in UInt8.random(in: 0...255, using: &chance) }
      try bytes.withBytes { (raw) throws(Failure) in
        _ = try? EtcdStatus(raw)
        _ = try? EtcdRange(raw)
        _ = try? EtcdHash(raw, asked: 0)
        _ = try? EtcdMember(raw)
        var frames = GRPCFrames(limit: 1 << 20)
        try? frames.take(raw) { (_) in }
      }
    }
  }

  /// A short walk of the ways that `scripts/fuzz rpc` goes for hours.
  @Test func `mutated answers neither crash nor contradict themselves`() throws {
    var header = ProtobufWriter()
    header.number(1, .max)
    header.number(2, 1)
    header.signed(3, 42)
    var member = ProtobufWriter()
    member.number(1, 1)
    for (field, text) in [(2, "m\u{e9}"), (3, "https://10.0.0.1:2380"), (4, "https://10.0.0.1:2379")] { member.text(field, text) }
    var status = ProtobufWriter()
    status.bytes(1, header.bytes)
    status.text(2, "3.5.9")
    status.signed(3, 1 << 40)
    status.text(8, "etcdserver: no leader")
    var range = ProtobufWriter()
    range.bytes(1, header.bytes)
    for key in ["/registry/pods/a/b", "/registry/services/specs/a/b", "/registry/a.io/bs/c", "other"] {
      var record = ProtobufWriter()
      record.text(1, key)
      range.bytes(2, record.bytes)
    }
    range.signed(4, 4)
    let messages: [UInt8: [UInt8]] = [0: status.bytes, 1: member.bytes, 2: [8, 1, 16, 1], 3: status.bytes, 4: range.bytes]
    var seeds = messages.sorted { $0.key < $1.key }.map { [$0.key] + GRPCFrames.framed([]) + GRPCFrames.framed($0.value) }
    seeds.append([5] + GRPCFrames.framed(Array("a%20b%C3%A9%".utf8)))
    for seed in seeds { try RPCInput.take(seed) }
    var mutation = Mutation(seeds, chance: 24)
    for _ in 0..<15_000 { try RPCInput.take(mutation.input()) }
  }

  @Test func `frames are put together however the bytes come`() throws {
    let messages: [[UInt8]] = [[], [1], Array(repeating: 7, count: 300), [], Array(repeating: 9, count: 70_000)]
    let stream = messages.flatMap(GRPCFrames.framed)
    for piece in [1, 2, 3, 4, 5, 6, 7, 299, 305, 4096, stream.count] {
      var frames = GRPCFrames(limit: 1 << 20)
      var got: [[UInt8]] = []
      for start in stride(from: 0, to: stream.count, by: piece) {
        try Array(stream[start..<min(stream.count, start + piece)]).withUnsafeBytes { raw in
          try frames.take(raw) { (message) in got.append([UInt8](message)) }
        }
      }
      #expect(got == messages && frames.isAtBoundary)
    }
  }

  @Test func `a compressed or huge frame is refused`() {
    for head in [[1, 0, 0, 0, 1, 0], [0, 0xff, 0xff, 0xff, 0xff], Array("<html>".utf8)] as [[UInt8]] {
      var frames = GRPCFrames(limit: 1 << 20)
      #expect(throws: GRPCFrames.Malformed.self) { try head.withUnsafeBytes { try frames.take($0) { (_) in } } }
    }
  }

  @Test func `a message of a status is decoded`() {
    #expect(percentDecoded("a%20b%C3%A9") == "a bé")
    #expect(percentDecoded("100%") == "100%" && percentDecoded("%zz%4") == "%zz%4")
  }

  @Test func `resources are named by their keys`() {
    let root = Array("/registry/".utf8)
    for (key, prefix) in [
      ("/registry/pods/a/b", "/registry/pods/"), ("/registry/services/specs/a/b", "/registry/services/specs/"),
      ("/registry/a.io/bs/c", "/registry/a.io/bs/"), ("/registry/single", "/registry/single"), ("/registry/a.io/b", "/registry/a.io/b"),
    ] {
      #expect(KeySpace.resourcePrefix(of: Array(key.utf8), root: root) == Array(prefix.utf8))
    }
    #expect(KeySpace.end(of: [1, 0xff]) == [2] && KeySpace.end(of: [0xff]) == [0])
  }
}
