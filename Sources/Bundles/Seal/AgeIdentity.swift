public import Host
public import Model

/// A secret key that opens what was sealed to its recipient. It is wiped from memory after its last use, and never printed.
public struct AgeIdentity: Sendable, CustomStringConvertible {
  public let recipient: AgeRecipient
  let secret: Secret

  private static let prefix = "AGE-SECRET-KEY-"
  private static let what = "cannot read the secret key"

  init(_ secret: Secret) throws(Failure) {
    self.secret = secret
    recipient = AgeRecipient(publicKey: try Crypto.publicKey(of: secret))
  }

  /// Shows the public half.
  public var description: String { "identity of \(recipient)" }

  /// A new key; `random` gives that many bytes of a source fit for keys.
  public static func generate(random: (Int) -> [UInt8] = randomBytes) throws(Failure) -> AgeIdentity {
    try AgeIdentity(Secret(random(32)))
  }

  /// Reads `AGE-SECRET-KEY-1…`, strictly.
  public static func parse(_ text: String) throws(Failure) -> AgeIdentity {
    try parse(text.utf8, what: what)
  }

  /// Reads the lines of an identity file: keys, comments, empty lines. `name` is for messages, which never quote a line.
  public static func parse(file bytes: [UInt8], name: String) throws(Failure) -> [AgeIdentity] {
    if bytes.starts(with: "age-encryption.org/".utf8) || bytes.starts(with: "-----BEGIN AGE".utf8) {
      throw Failure(
        .usage, what: "cannot read the identity file \(name)", why: "it is itself encrypted",
        next: "decrypt it with `age -d` to a file of mode 0600 on a filesystem in memory, and name that")
    }
    var identities: [AgeIdentity] = []
    for (number, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
      identities.append(try parse(line, what: "cannot read the secret key in \(name), line \(number + 1)"))
    }
    if identities.isEmpty {
      throw Failure(
        .usage, what: "cannot use the identity file \(name)", why: "it holds no secret key",
        next: "name a file that `kguard key new` or `age-keygen` wrote")
    }
    return identities
  }

  private static func parse(_ text: some Collection<UInt8>, what: String) throws(Failure) -> AgeIdentity {
    func refusal(_ why: String, _ next: String) -> Failure { Failure(.usage, what: what, why: why, next: next) }
    if text.starts(with: "age1".utf8) {
      throw refusal("it is a recipient, the public half", "name the file with the secret key (AGE-SECRET-KEY-1…)")
    }
    if text.starts(with: "AGE-PLUGIN-".utf8) || text.starts(with: "AGE-SECRET-KEY-PQ-".utf8) {
      throw refusal("it is of a type that kguard does not open", "open the file with `age -d`, or use an X25519 key")
    }
    if text.starts(with: "-----BEGIN".utf8) {
      throw refusal("it is an ssh or PEM key, and kguard opens with X25519 keys only", "name a file that `kguard key new` wrote")
    }
    guard text.starts(with: prefix.utf8), var decoded = Bech32.decode(text), decoded.prefix == prefix.lowercased() else {
      throw refusal("its checksum or form is wrong", "copy it again, whole: it begins with \(prefix)1 and has 74 characters")
    }
    defer { wipe(&decoded.data) }
    guard decoded.data.count == 32 else {
      throw refusal("it is not 32 bytes long", "copy it again, whole: it begins with \(prefix)1 and has 74 characters")
    }
    return try AgeIdentity(Secret(Array(decoded.data[...])))
  }

  /// The secret key as text, to be wiped after use.
  func encoded() throws(Failure) -> [UInt8] {
    try secret.withBytes { (raw) throws(Failure) in
      var copy = Array(raw)
      defer { wipe(&copy) }
      var text = Bech32.encode(prefix: Self.prefix.lowercased(), copy)
      for at in text.indices where (97...122).contains(text[at]) { text[at] &= ~32 }
      return text
    }
  }
}
