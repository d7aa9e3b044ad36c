import Model

@testable import Bundles

/// One input of the fuzzer: a record of etcd, an object of Kubernetes, or a key. Nothing of it may crash.
enum RecordInput {
  static func take(_ input: [UInt8]) throws {
    try input.withUnsafeBytes { raw in
      if let record = try? KeyValue(raw) {
        _ = ObjectIdentity(record.value).json.text()
        _ = ObjectPath(record.key)?.resourceName
        for tombstone in [[], [UInt8(ascii: "t")]] {
          let name = bigEndian(record.modRevision) + [UInt8(ascii: "_")] + bigEndian(record.version) + tombstone
          name.withUnsafeBytes { name in if let revision = try? Revision(name) { try? record.check(revision) } }
        }
        // A reader that wants the key alone finds the same one.
        guard let alone = try? KeyValue.key(of: raw), alone.elementsEqual(record.key) || record.key.isEmpty else {
          throw Contradiction(description: "another key")
        }
      }
      _ = try? Revision(raw)
      _ = ObjectIdentity(raw).json.text()
      let path = ObjectPath(raw)
      let name = ObjectName(key: String(decoding: raw, as: UTF8.self))
      let isText = String(validating: raw, as: UTF8.self) != nil
      guard !isText || path?.resourceName == name?.resource, !isText || path?.name.text == name?.name else {
        throw Contradiction(description: "another name")
      }
    }
  }

  private static func bigEndian(_ number: Int64) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
}
