internal import Host
internal import Model

/// The textual head of an age file: the file key, wrapped for each recipient, and a MAC over it all.
struct AgeHeader {
  struct Stanza: Equatable {
    var arguments: [String]
    var body: [UInt8]
  }

  static let version = Array("age-encryption.org/v1".utf8)
  static let columns = 64
  private static let wrapInfo = "age-encryption.org/v1/X25519"

  var stanzas: [Stanza]
  /// All up to and including `---`.
  var text: [UInt8]
  var mac: [UInt8]

  /// Writes the header of a new file.
  static func write(_ fileKey: Secret, to recipients: [AgeRecipient], random: (Int) -> [UInt8]) throws(Failure) -> [UInt8] {
    var text = version + [UInt8(ascii: "\n")]
    for recipient in recipients {
      text += encode(try wrap(fileKey, for: recipient, ephemeral: Secret(random(32))))
    }
    text += Array("---".utf8)
    return text + Array(" ".utf8) + Base64.encode(try mac(of: text, fileKey)) + Array("\n".utf8)
  }

  private static func encode(_ stanza: Stanza) -> [UInt8] {
    var out = Array("-> \(stanza.arguments.joined(separator: " "))\n".utf8)
    var rest = Base64.encode(stanza.body)[...]
    while rest.count >= columns {
      out += rest.prefix(columns) + [UInt8(ascii: "\n")]
      rest = rest.dropFirst(columns)
    }
    return out + rest + [UInt8(ascii: "\n")]
  }

  private static func wrap(_ fileKey: Secret, for recipient: AgeRecipient, ephemeral: Secret) throws(Failure) -> Stanza {
    let share = try Crypto.publicKey(of: ephemeral)
    guard let shared = try Crypto.sharedSecret(ephemeral, recipient.publicKey) else {
      throw Failure(
        .usage, what: "cannot seal to \(recipient)", why: "it is a point of low order, so anybody could open the file",
        next: "use a recipient that `kguard key new` or `age-keygen` printed")
    }
    let key = try Crypto.derive(from: shared, salt: share + recipient.publicKey, info: wrapInfo)
    var cipher = try ChaChaPoly(key: key, seals: true)
    var body = try fileKey.withBytes { (raw) throws(Failure) in Array(raw) + [UInt8](repeating: 0, count: ChaChaPoly.tagSize) }
    try body.withMutableBytes { (raw) throws(Failure) in try cipher.seal(raw, nonce: [UInt8](repeating: 0, count: 12)) }
    return Stanza(arguments: ["X25519", String(decoding: Base64.encode(share), as: UTF8.self)], body: body)
  }

  private static func mac(of text: [UInt8], _ fileKey: Secret) throws(Failure) -> [UInt8] {
    try Crypto.derive(from: fileKey, salt: [], info: "header").withBytes { (key) throws(Failure) in try Crypto.hmac(key: key, text) }
  }

  /// The key of the payload behind the header, that begins with `nonce`.
  static func payloadKey(_ fileKey: Secret, nonce: [UInt8]) throws(Failure) -> Secret {
    try Crypto.derive(from: fileKey, salt: nonce, info: "payload")
  }
}

extension Failure {
  /// The same failure to open a sealed file, with that file's name. Where the keys have opened another file of the same bundle they are
  /// right, and this file is not.
  func opening(_ name: String, keysAreRight: Bool = false) -> Failure {
    guard what == AgeHeader.what else { return self }
    let isDamage = keysAreRight && exit == .usage
    var named = isDamage ? AgeHeader.damaged("the key that opens the rest of its bundle does not open it") : self
    named.what = "cannot open \(name)"
    return named
  }
}

extension AgeHeader {
  static let what = "cannot open the sealed file"

  /// The file key, by the first identity that one of the stanzas is addressed to. The header's MAC is right when this returns.
  func unwrap(_ identities: [AgeIdentity]) throws(Failure) -> Secret {
    if stanzas.contains(where: { $0.arguments[0] == "scrypt" }) {
      guard stanzas.count == 1 else { throw Self.damaged("its header mixes a passphrase with other recipients") }
      throw Failure(
        .usage, what: Self.what, why: "it is sealed with a passphrase, and kguard opens with X25519 keys only",
        next: "decrypt it with `age -d`, then decompress it with `zstd -d`")
    }
    let wrapped = try stanzas.filter { $0.arguments[0] == "X25519" }.map { (stanza) throws(Failure) in try Self.parts(of: stanza) }
    for identity in identities {
      for (share, body) in wrapped {
        guard let fileKey = try Self.unwrap(share, body, identity) else { continue }
        guard Crypto.areEqual(try Self.mac(of: text, fileKey), mac) else { throw Self.damaged("the MAC of its header is wrong") }
        return fileKey
      }
    }
    throw Failure(
      .usage, what: Self.what,
      why: "it is sealed to \(recipientsForPeople), and \(identities.count == 1 ? "the key given is" : "the keys given are") "
        + "for none of them (or the header is damaged)",
      next: "give the identity file whose public key the file was sealed to")
  }

  static func damaged(_ why: String) -> Failure {
    Failure(
      .verification, what: what, why: why + ": the file is damaged or was changed",
      next: "do not restore from it; fetch it again, or take another copy or another bundle")
  }

  private var recipientsForPeople: String {
    let kinds = Set(stanzas.map { $0.arguments[0] }).intersection(["X25519", "ssh-ed25519", "ssh-rsa", "mlkem768x25519", "p256tag"])
    let count = stanzas.count == 1 ? "1 recipient" : "\(stanzas.count) recipients"
    return kinds.isEmpty ? count : count + " (\(kinds.sorted().joined(separator: ", ")))"
  }

  private static func parts(of stanza: Stanza) throws(Failure) -> (share: [UInt8], body: [UInt8]) {
    guard stanza.arguments.count == 2, let share = Base64.decode(stanza.arguments[1].utf8), share.count == 32, stanza.body.count == 32
    else { throw damaged("an X25519 recipient in its header is malformed") }
    return (share, stanza.body)
  }

  private static func unwrap(_ share: [UInt8], _ body: [UInt8], _ identity: AgeIdentity) throws(Failure) -> Secret? {
    guard let shared = try Crypto.sharedSecret(identity.secret, share) else {
      throw damaged("an X25519 share in its header is a point of low order")
    }
    let key = try Crypto.derive(from: shared, salt: share + identity.recipient.publicKey, info: wrapInfo)
    var cipher = try ChaChaPoly(key: key, seals: false)
    var buffer = body
    defer { wipe(&buffer) }
    let isOpen = try buffer.withMutableBytes { (raw) throws(Failure) in cipher.open(raw, nonce: [UInt8](repeating: 0, count: 12)) }
    return isOpen ? Secret(Array(buffer.prefix(16))) : nil
  }
}
