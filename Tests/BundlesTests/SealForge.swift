import Host
import Model

@testable import Bundles

/// Makes age files by hand, the wrong ones too; the MAC is right, so that nothing but the fault itself can be the reason of a refusal.
struct AgeForge {
  static let fileKey = [UInt8](repeating: 7, count: 16)
  static let nonce = [UInt8](repeating: 9, count: 16)
  typealias Chunk = (text: [UInt8], number: UInt8, isLast: Bool)

  var version = "age-encryption.org/v1\n"
  var stanzas: [String]
  var end = "---"
  var afterMark = " "
  var afterMAC = "\n"
  var chunks: [Chunk] = [(Array("hello".utf8), 0, true)]

  init(to recipient: AgeRecipient) throws(Failure) { stanzas = [try Self.stanza(to: recipient)] }

  static func stanza(to recipient: AgeRecipient) throws(Failure) -> String {
    let header = try AgeHeader.write(Secret(fileKey), to: [recipient]) { [UInt8](repeating: 5, count: $0) }
    return String(decoding: header, as: UTF8.self).split(separator: "\n").dropFirst().prefix(2).joined(separator: "\n") + "\n"
  }

  func file() throws(Failure) -> [UInt8] {
    let head = Array((version + stanzas.joined() + end).utf8)
    let key = try Crypto.derive(from: Secret(Self.fileKey), salt: [], info: "header")
    let mac = try key.withBytes { (raw) throws(Failure) in try Crypto.hmac(key: raw, head) }
    var out = head + Array(afterMark.utf8) + Base64.encode(mac) + Array(afterMAC.utf8) + Self.nonce
    for chunk in chunks { out += try Self.seal(chunk) }
    return out
  }

  private static func seal(_ chunk: Chunk) throws(Failure) -> [UInt8] {
    var cipher = try ChaChaPoly(key: try AgeHeader.payloadKey(Secret(fileKey), nonce: nonce), seals: true)
    var buffer = chunk.text + [UInt8](repeating: 0, count: 16)
    let nonce = [UInt8](repeating: 0, count: 10) + [chunk.number, chunk.isLast ? 1 : 0]
    try buffer.withMutableBytes { (raw) throws(Failure) in try cipher.seal(raw, nonce: nonce) }
    return buffer
  }
}

/// The age layer alone.
func decrypted(_ file: [UInt8], with identity: AgeIdentity, step: Int) throws(Failure) -> [UInt8] {
  var out: [UInt8] = []
  let decryptor = AgeDecryptor(identities: [identity]) { (bytes) throws(Failure) in out += bytes }
  for at in stride(from: 0, to: file.count, by: step) {
    try Array(file[at..<min(at + step, file.count)]).withBytes { (raw) throws(Failure) in try decryptor.write(raw) }
  }
  try decryptor.finish()
  return out
}
