public import Model

/// A public key that a bundle is sealed to: `age1…`.
public struct AgeRecipient: Sendable, Hashable, CustomStringConvertible {
  let publicKey: [UInt8]

  init(publicKey: [UInt8]) { self.publicKey = publicKey }

  /// The text as age writes it.
  public var description: String { String(decoding: Bech32.encode(prefix: "age", publicKey), as: UTF8.self) }

  /// Reads `age1…`, strictly. What looks like a secret key is refused and not repeated.
  public static func parse(_ text: String) throws(Failure) -> AgeRecipient {
    let secretLike = text.lowercased().contains("secret") || text.lowercased().hasPrefix("age-")
    let what = secretLike ? "cannot use a secret key as a recipient" : "cannot read the recipient `\(text)`"
    func refusal(_ why: String, _ next: String) -> Failure { Failure(.usage, what: what, why: why, next: next) }
    if secretLike {
      throw refusal(
        "a recipient is the public half (age1…); the secret one is for opening",
        "take the text after `# public key:` in the identity file, and move the secret key out of the configuration")
    }
    if text.hasPrefix("ssh-") {
      throw refusal("it is an ssh key, and kguard seals to X25519 keys only", "make a key pair with `kguard key new`")
    }
    guard let decoded = Bech32.decode(Array(text.utf8)) else {
      throw refusal("its checksum or form is wrong", "copy it again, whole: it begins with age1 and has 62 characters")
    }
    guard decoded.prefix == "age" else {
      throw refusal("it is of the type `\(decoded.prefix)`, and kguard seals to X25519 keys (age1…) only", "use such a key")
    }
    guard decoded.data.count == 32, text.hasPrefix("age1") else {
      throw refusal("it is not 32 bytes in lower case", "copy it again, whole: it begins with age1 and has 62 characters")
    }
    return AgeRecipient(publicKey: decoded.data)
  }
}
