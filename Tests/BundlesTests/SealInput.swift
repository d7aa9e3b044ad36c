import Host
import Model

@testable import Bundles

/// One input of the fuzzer: the first byte says what the rest is. Nothing of it may crash, and bytes that come in other pieces may not
/// come to another end.
enum SealInput {
  /// Of no value: it opens what `scripts/fuzz` seals.
  static let key = "AGE-SECRET-KEY-1AUYTHXDKGKUY2DQUCAFKGGUT3HPK5WYCDANDMXCX92XGN70VAXQSYRHNWZ"
  static let limit: Int64 = 1 << 20

  /// True where it opened.
  @discardableResult
  static func take(_ input: [UInt8]) throws -> Bool {
    guard let mode = input.first else { return false }
    let identity = try AgeIdentity.parse(key)
    // The highest bit says where the input stands in a header.
    let rest = Array(input.dropFirst())
    switch (mode & 0x7f) % 5 {
    case 0: return try open(rest, [identity])
    case 1: return try open(rest, [])
    case 2:
      // Behind age, as if the sender had sealed it.
      var file: [UInt8] = []
      let encryptor = try AgeEncryptor(recipients: [identity.recipient], random: { [UInt8](repeating: 5, count: $0) }) {
        (bytes) throws(Failure) in file += bytes
      }
      try rest.withBytes { (raw) throws(Failure) in try encryptor.write(raw) }
      try encryptor.finish()
      return try open(file, [identity])
    case 3:
      // In a header whose MAC is right.
      var forge = try AgeForge(to: identity.recipient)
      forge.stanzas.insert(String(decoding: rest, as: UTF8.self), at: mode & 0x80 == 0 ? 0 : 1)
      forge.chunks = [(try sealed(Array("hello".utf8), to: []), 0, true)]
      return try open(try forge.file(), [identity])
    default:
      let (key, recipient) = (
        try? AgeIdentity.parse(file: rest, name: "the input"), try? AgeRecipient.parse(String(decoding: rest, as: UTF8.self))
      )
      return key != nil || recipient != nil
    }
  }

  private static func open(_ file: [UInt8], _ identities: [AgeIdentity]) throws -> Bool {
    let whole = attempt(file, identities, step: max(1, file.count))
    let pieces = attempt(file, identities, step: file.count > 4096 ? 4093 : 61)
    guard whole == pieces else { throw Contradiction(description: "in one piece \(whole), in many \(pieces)") }
    return whole.hasPrefix("opened")
  }

  /// What came out, and how it ended.
  private static func attempt(_ file: [UInt8], _ identities: [AgeIdentity], step: Int) -> String {
    var size: Int64 = 0
    do throws(Failure) {
      let opener = try Opener(identities: identities, limit: limit) { (bytes) throws(Failure) in size += Int64(bytes.count) }
      for at in stride(from: 0, to: file.count, by: step) {
        try Array(file[at..<min(at + step, file.count)]).withBytes { (raw) throws(Failure) in try opener.write(raw) }
      }
      let end = try opener.finish()
      guard end.plainSize == size, end.sealedSize == file.count, size <= limit else { return "it counts wrong" }
      return "opened: \(end.plainSHA256?.description ?? "")"
    } catch {
      return size <= limit ? "refused" : "too much came out"
    }
  }
}
