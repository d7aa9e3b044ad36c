import Host
import Model
import Testing

@testable import Bundles

@Suite struct `The grammar of age v1` {
  let identity: AgeIdentity
  let forge: AgeForge
  static let steps = [1, 7, 1 << 20]

  init() throws {
    identity = try AgeIdentity.generate { [UInt8](repeating: 0x42, count: $0) }
    forge = try AgeForge(to: identity.recipient)
  }

  private func read(_ change: (inout AgeForge) -> Void) throws -> [UInt8] {
    var forge = forge
    change(&forge)
    return try decrypted(try forge.file(), with: identity, step: 1 << 20)
  }

  private func refusals(_ change: (inout AgeForge) -> Void) throws -> [Failure] {
    var forge = forge
    change(&forge)
    let file = try forge.file()
    return Self.steps.compactMap { step in
      failure { () throws(Failure) in _ = try decrypted(file, with: identity, step: step) }
    }
  }

  @Test func `what is right is read`() throws {
    let hello = Array("hello".utf8)
    let own = forge.stanzas[0]
    #expect(try read { _ in } == hello)
    #expect(try read { $0.stanzas = ["-> greased {}~! x\n\n", own] } == hello)
    #expect(try read { $0.stanzas = ["-> a\n\(String(repeating: "A", count: 64))\n\n", own, "-> b\nAAAA\n"] } == hello)
    #expect(try read { $0.chunks = [([], 0, true)] } == [])
    let full = [UInt8](repeating: 1, count: 65536)
    #expect(try read { $0.chunks = [(full, 0, true)] } == full)
    #expect(try read { $0.chunks = [(full, 0, false), (full, 1, false), ([2], 2, true)] } == full + full + [2])
  }

  static let malformed: [(String, @Sendable (inout AgeForge) -> Void)] = [
    ("a newer version", { $0.version = "age-encryption.org/v2\n" }),
    ("a longer version", { $0.version = "age-encryption.org/v11\n" }),
    ("CRLF", { $0.version = "age-encryption.org/v1\r\n" }),
    ("a short first line", { $0.version = "age\n" }),
    ("no stanza", { $0.stanzas = [] }),
    ("no space in a stanza", { $0.stanzas = ["->X25519\n\n"] + $0.stanzas }),
    ("no argument", { $0.stanzas = ["-> \n\n"] + $0.stanzas }),
    ("an empty argument", { $0.stanzas = ["-> a  b\n\n"] + $0.stanzas }),
    ("a space at the end", { $0.stanzas = ["-> a \n\n"] + $0.stanzas }),
    ("a control character", { $0.stanzas = ["-> a\u{7f}\n\n"] + $0.stanzas }),
    ("letters beyond ASCII", { $0.stanzas = ["-> ä\n\n"] + $0.stanzas }),
    ("CR in a body", { $0.stanzas = ["-> a\nAAAA\r\n"] + $0.stanzas }),
    ("padding", { $0.stanzas = ["-> a\nAA==\n"] + $0.stanzas }),
    ("a body that is not canonical", { $0.stanzas = ["-> a\nAB\n"] + $0.stanzas }),
    ("a lone character", { $0.stanzas = ["-> a\nAAAAA\n"] + $0.stanzas }),
    ("a long line", { $0.stanzas = ["-> a\n\(String(repeating: "A", count: 68))\n"] + $0.stanzas }),
    ("a full line and no last one", { $0.stanzas.append("-> a\n\(String(repeating: "A", count: 64))\n") }),
    ("a short line and one more", { $0.stanzas = ["-> a\nAAAA\nAAAA\n"] + $0.stanzas }),
    ("no body", { $0.stanzas.append("-> a\n") }),
    ("an empty line between", { $0.stanzas.append("\n") }),
    ("a third argument", { $0.stanzas[0].replace("-> X25519 ", with: "-> X25519 x ") }),
    ("X25519 without a share", { $0.stanzas.append("-> X25519\n\(String(repeating: "A", count: 43))\n") }),
    ("a short share", { $0.stanzas.append("-> X25519 AAAA\n\(String(repeating: "A", count: 43))\n") }),
    (
      "a body of 48 bytes",
      { $0.stanzas.append("-> X25519 \(String(repeating: "A", count: 43))\n\(String(repeating: "A", count: 64))\n\n") }
    ),
    ("a share that is not canonical", { $0.stanzas[0].replace("\n", with: "B\n", maxReplacements: 1) }),
    ("scrypt beside X25519", { $0.stanzas.append("-> scrypt AAAAAAAAAAAAAAAAAAAAAA 10\n\(String(repeating: "A", count: 43))\n") }),
    ("no space before the MAC", { $0.afterMark = "" }),
    ("two spaces before the MAC", { $0.afterMark = "  " }),
    ("a space behind the MAC", { $0.afterMAC = " \n" }),
    ("CR behind the MAC", { $0.afterMAC = "\r\n" }),
    ("four dashes", { $0.end = "----" }),
    ("no end", { $0.stanzas.append(String(repeating: "-> a\n\n", count: 50_000)) }),
    ("a share of low order", { $0.stanzas = ["-> X25519 \(String(repeating: "A", count: 43))\n\(String(repeating: "A", count: 43))\n"] }),
    ("no chunk", { $0.chunks = [] }),
    ("an empty last chunk", { $0.chunks = [([UInt8](repeating: 1, count: 65536), 0, false), ([], 1, true)] }),
    ("no last chunk", { $0.chunks = [([UInt8](repeating: 1, count: 65536), 0, false)] }),
    ("two last chunks", { $0.chunks = [([1], 0, true), ([1], 1, true)] }),
    (
      "two full last chunks",
      {
        let c = [UInt8](repeating: 1, count: 65536); $0.chunks = [(c, 0, true), (c, 1, true)]
      }
    ),
    (
      "chunks in the wrong order",
      {
        let c = [UInt8](repeating: 1, count: 65536); $0.chunks = [(c, 1, false), (c, 0, false), ([1], 2, true)]
      }
    ),
    (
      "a chunk twice",
      {
        let c = [UInt8](repeating: 1, count: 65536); $0.chunks = [(c, 0, false), (c, 0, false), ([1], 2, true)]
      }
    ),
    ("a short chunk in the middle", { $0.chunks = [([1], 0, false), ([1], 1, true)] }),
  ]

  @Test(arguments: malformed.indices)
  func `what is malformed is refused`(at: Int) throws {
    let (name, change) = Self.malformed[at]
    let refusals = try refusals(change)
    #expect(refusals.count == Self.steps.count, "\(name)")
    #expect(refusals.allSatisfy { $0.exit == .verification && !$0.next.isEmpty }, "\(name): \(refusals)")
    #expect(Set(refusals.map(\.why)).count == 1, "\(name): the pieces it comes in make a difference: \(refusals.map(\.why))")
  }

  @Test func `what kguard cannot open is called by its name`() throws {
    let scrypt = "-> scrypt AAAAAAAAAAAAAAAAAAAAAA 10\n\(String(repeating: "A", count: 43))\n"
    for refusal in try refusals({ $0.stanzas = [scrypt] }) {
      #expect(refusal.exit == .usage && refusal.why.contains("passphrase"))
    }
    for (text, word) in [("-----BEGIN AGE ENCRYPTED FILE-----\nAAAA\n", "armored"), ("\u{28}", "ends within its header")] {
      let refusal = failure { () throws(Failure) in _ = try decrypted(Array(text.utf8), with: identity, step: 3) }
      #expect(refusal?.why.contains(word) == true, "\(text)")
    }
    let plain = try sealed([1, 2, 3], to: []) + [UInt8](repeating: 0, count: 30)
    let refusal = failure { () throws(Failure) in _ = try opened(plain, with: [identity]) }
    #expect(refusal?.exit == .usage && refusal?.why.contains("not encrypted") == true)
    let encrypted = try sealed([1], to: [identity.recipient])
    let keyless = failure { () throws(Failure) in _ = try opened(encrypted, with: []) }
    #expect(keyless?.exit == .usage && keyless?.why.contains("no key") == true)
  }

  @Test func `derivation is that of RFC 5869`() throws {
    // Test case 3, its first 32 bytes: no salt, no info.
    let key = try Crypto.derive(from: Secret([UInt8](repeating: 0x0b, count: 22)), salt: [], info: "")
    let text = try key.withBytes { (raw) throws(Failure) in hex(raw) }
    #expect(text == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")
  }

  @Test func `the same chance gives the same file`() throws {
    func file() throws -> [UInt8] {
      var chance = SeededChance(1)
      var out: [UInt8] = []
      let sealer = try Sealer(recipients: [identity.recipient], random: { chance.bytes($0) }) { (bytes) throws(Failure) in out += bytes }
      _ = try sealer.finish()
      return out
    }
    let first = try file()
    #expect(try first == file())
    #expect(first.starts(with: "age-encryption.org/v1\n-> X25519 ".utf8))
  }
}
