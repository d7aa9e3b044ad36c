import Host
import Model

@testable import Cluster

/// One input of the fuzzer: the first byte says which answer the rest is, in gRPC's frames. Nothing of it may crash, and frames that come
/// in other pieces may not be others.
enum RPCInput {
  struct Contradiction: Error, CustomStringConvertible {
    let description: String
  }

  static func take(_ input: [UInt8]) throws {
    guard let method = input.first else { return }
    let stream = Array(input.dropFirst())
    let whole = messages(stream, step: max(1, stream.count))
    for step in [1, 5, 61] where stream.count / step < 2000 {
      let pieces = messages(stream, step: step)
      guard pieces.messages == whole.messages, pieces.isWhole == whole.isWhole else {
        throw Contradiction(description: "other frames in pieces of \(step)")
      }
    }
    for message in whole.messages { try decode(method, message) }
  }

  /// The messages before the first fault, and whether there was none.
  private static func messages(_ stream: [UInt8], step: Int) -> (messages: [[UInt8]], isWhole: Bool) {
    var frames = GRPCFrames(limit: 1 << 16)
    var found: [[UInt8]] = []
    do {
      for at in stride(from: 0, to: stream.count, by: step) {
        try stream[at..<min(at + step, stream.count)].withUnsafeBytes { raw in try frames.take(raw) { found.append([UInt8]($0)) } }
      }
    } catch { return (found, false) }
    return (found, frames.isAtBoundary)
  }

  private static func decode(_ method: UInt8, _ message: [UInt8]) throws {
    try message.withUnsafeBytes { raw in
      switch method % 6 {
      case 0: _ = try? EtcdStatus(raw)
      case 1:
        guard let member = try? EtcdMember(raw) else { return }
        guard EtcdMember(json: try JSON(parsing: member.json.text())) == member else { throw Contradiction(description: "another member") }
      case 2: _ = try? EtcdAlarm(raw)
      case 3: _ = try? EtcdHash(raw, asked: 0)
      case 4:
        let root = Array("/registry/".utf8)
        for key in (try? EtcdRange(raw))?.keys ?? [] where key.starts(with: root) {
          let prefix = KeySpace.resourcePrefix(of: key, root: root)
          guard key.starts(with: prefix), key.lexicographicallyPrecedes(KeySpace.end(of: prefix)) || prefix == key else {
            throw Contradiction(description: "a prefix that is none")
          }
        }
      default: _ = percentDecoded(String(decoding: raw, as: UTF8.self))
      }
      // Every field, whatever it is.
      var reader = ProtobufReader(raw)
      while let (_, value) = reader.next() { _ = (value.number, value.text, value.bool, value.signed) }
    }
  }
}
