import Bundles
import Host
import Model
import Testing

@Suite struct `Keys` {
  let directory = SealDirectory()
  static let secret = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
  static let recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

  @Test func `the specification's example is reproduced`() throws {
    let identity = try AgeIdentity.generate { [UInt8](repeating: 0x42, count: $0) }
    #expect(identity.recipient.description == Self.recipient)
    #expect(try AgeIdentity.parse(Self.secret).recipient == identity.recipient)
    #expect(try AgeRecipient.parse(Self.recipient) == identity.recipient)
  }

  @Test func `every wrong letter of a recipient or secret key is found`() throws {
    for (at, letter) in Self.recipient.enumerated() {
      for other in "qpl1aB-" where other != letter {
        var text = Array(Self.recipient)
        text[at] = other
        #expect(throws: Failure.self) { try AgeRecipient.parse(String(text)) }
      }
    }
    for (at, letter) in Self.secret.enumerated() {
      for other in "QPL1Ab-" where other != letter {
        var text = Array(Self.secret)
        text[at] = other
        #expect(throws: Failure.self) { try AgeIdentity.parse(String(text)) }
      }
    }
  }

  static let notRecipients = [
    "", "age", "age1", " " + recipient, recipient + " ", recipient + "q", String(recipient.dropLast()), recipient.uppercased(),
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA", "age1é", "1" + recipient, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
  ]

  @Test(arguments: notRecipients)
  func `what is not a recipient is refused`(text: String) {
    let refusal = failure { () throws(Failure) in _ = try AgeRecipient.parse(text) }
    #expect(refusal?.exit == .usage)
  }

  @Test func `a secret key is never repeated`() throws {
    for text in [Self.secret, Self.secret.lowercased(), Self.secret + "x", String(Self.secret.dropLast(3))] {
      let body = text.uppercased().dropFirst(20).prefix(20)
      let asRecipient = try #require(failure { () throws(Failure) in _ = try AgeRecipient.parse(text) })
      #expect(!"\(asRecipient) \(asRecipient.next)".uppercased().contains(body))
      if let asIdentity = failure({ () throws(Failure) in _ = try AgeIdentity.parse(text) }) {
        #expect(!"\(asIdentity) \(asIdentity.next)".uppercased().contains(body))
      } else {
        let identity = try AgeIdentity.parse(text)
        var dumped = "\(identity)" + String(reflecting: identity)
        dump(identity, to: &dumped)
        #expect(!dumped.contains(body) && !dumped.contains("66"))
      }
    }
  }

  @Test func `a recipient of low order is not sealed to`() throws {
    // The point 0, as age would write it.
    let point = try AgeRecipient.parse("age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z")
    let refusal = failure { () throws(Failure) in _ = try sealed([1], to: [point]) }
    #expect(refusal?.exit == .usage && refusal?.why.contains("low order") == true)
  }

  @Test func `an identity file may hold comments and several keys`() throws {
    let text = "# created: today\n\n\(Self.secret)\r\n# and\n\(Self.secret)"
    let path = try directory.write("keys", Array(text.utf8))
    #expect(try IdentityFile.read(path).map(\.recipient.description) == [Self.recipient, Self.recipient])
  }

  static let refusedFiles = [
    ("", "no secret key"), ("# only a comment\n", "no secret key"), ("\(recipient)\n", "public half"),
    ("AGE-PLUGIN-YUBIKEY-1XXXX\n", "type"), ("AGE-SECRET-KEY-PQ-1XXXX\n", "type"), ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "ssh"),
    ("age-encryption.org/v1\n", "itself encrypted"), ("-----BEGIN AGE ENCRYPTED FILE-----\n", "itself encrypted"),
    ("#\n \(secret)\n", "checksum or form"), ("#\n\(secret) \n", "checksum or form"),
  ]

  @Test(arguments: refusedFiles)
  func `a file without a usable key is refused`(text: String, word: String) throws {
    let path = try directory.write("keys", Array(text.utf8))
    let refusal = try #require(failure { () throws(Failure) in _ = try IdentityFile.read(path) })
    #expect(refusal.exit == .usage && refusal.why.contains(word) && refusal.what.contains(path), "\(refusal)")
    if text.hasPrefix("#\n") { #expect(refusal.what.contains("line 2")) }
  }

  @Test func `a key that everybody may read is refused`() throws {
    let path = try directory.write("keys", Array(Self.secret.utf8), mode: 0o644)
    let refusal = failure { () throws(Failure) in _ = try IdentityFile.read(path) }
    #expect(refusal?.exit == .usage && refusal?.next.contains("chmod 600") == true)
  }

  @Test func `a key file that exists is never overwritten`() throws {
    let path = try directory.write("keys", [1, 2, 3])
    let identity = try AgeIdentity.generate()
    let refusal = failure { () throws(Failure) in
      try IdentityFile.write(identity, to: path, created: Timestamp(milliseconds: 0))
    }
    #expect(refusal?.exit == .usage)
    #expect(try Files.read(path) == [1, 2, 3])
    #expect(try Files.list(directory.path) == ["keys"])
  }

  @Test func `a key for a directory that is missing leaves nothing`() throws {
    let identity = try AgeIdentity.generate()
    let refusal = failure { () throws(Failure) in
      try IdentityFile.write(identity, to: directory.path + "/none/key", created: Timestamp(milliseconds: 0))
    }
    #expect(refusal?.exit == .failed)
  }
}
