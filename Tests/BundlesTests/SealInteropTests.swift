import Bundles
import Host
import Model
import Testing

@Suite struct `Sealing, beside Debian's age and zstd` {
  let directory = SealDirectory()
  static let sizes = [0, 1, 65535, 65536, 65537, 131072, 5_000_001]

  private func keygen(_ name: String) throws -> (AgeIdentity, AgeRecipient) {
    let result = try directory.shell("umask 077; age-keygen -o \(name) 2>&1")
    let text = try #require(result.text.split(separator: " ").last?.split(separator: "\n").first)
    let identities = try IdentityFile.read(directory.path + "/" + name)
    let recipient = try AgeRecipient.parse(String(text))
    #expect(identities.count == 1 && identities.first?.recipient == recipient)
    return (identities[0], recipient)
  }

  @Test(arguments: sizes, [0, 1, 2])
  func `age and zstd open what kguard seals`(size: Int, workers: Int) throws {
    var chance = SeededChance(UInt64(size))
    for plain in [chance.bytes(size), chance.document(size)] {
      let (_, recipient) = try keygen("key-\(chance.next())")
      let key = try Files.list(directory.path).first { $0.hasPrefix("key-") } ?? ""
      let path = try directory.write("plain", plain)
      let result = try Sealer.seal(file: path, to: path + ".zst.age", recipients: [recipient], workers: workers)
      #expect(result.plainSize == size && result.plainSHA256 == sha256(plain))
      #expect(result.sealedSHA256 == sha256(try Files.read(path + ".zst.age")))
      let run = try directory.shell("age -d -i \(key) plain.zst.age | zstd -dq | cmp - plain; rm plain key-*; echo same")
      #expect(run.text == "same\n", "\(run.errorText)")
    }
  }

  @Test(arguments: sizes)
  func `kguard opens what zstd and age seal`(size: Int) throws {
    var chance = SeededChance(UInt64(size))
    let (identity, recipient) = try keygen("key")
    let plain = chance.document(size)
    let path = try directory.write("plain", plain)
    for level in ["-1", "-3", "-19 --long=27", "-3 --no-check"] {
      let run = try directory.shell("zstd -q \(level) < plain | age -r \(recipient) -o sealed")
      #expect(run.end == .exited(0), "\(run.errorText)")
      _ = try Opener.open(file: directory.path + "/sealed", to: path + ".opened", identities: [identity])
      #expect(try Files.read(path + ".opened") == plain)
    }
  }

  @Test func `a file without encryption is a plain zstd file`() throws {
    let plain = Array("kind: Pod\n".utf8)
    let path = try directory.write("plain", plain)
    _ = try Sealer.seal(file: path, to: path + ".zst", recipients: [])
    #expect(try directory.shell("zstd -dqc plain.zst; zstd -lv plain.zst").text.contains("XXH64"))
    #expect(try opened(try Files.read(path + ".zst"), with: []) == plain)
    #expect(try directory.shell("zstd -q -f plain -o again.zst; zstd -q plain -c >> again.zst").end == .exited(0))
    #expect(try opened(try Files.read(directory.path + "/again.zst"), with: []) == plain + plain)
  }

  @Test func `each of several recipients opens it`() throws {
    let keys = try ["a", "b", "c"].map { try keygen($0) }
    let plain = Array("several".utf8)
    _ = try directory.write("sealed", try sealed(plain, to: keys.map(\.1)))
    for (name, key) in zip(["a", "b", "c"], keys) {
      #expect(try directory.shell("age -d -i \(name) sealed | zstd -dq").text == "several")
      #expect(try opened(try Files.read(directory.path + "/sealed"), with: [key.0]) == plain)
    }
    let other = try AgeIdentity.generate()
    #expect(try opened(try Files.read(directory.path + "/sealed"), with: [other, keys[2].0]) == plain)
  }

  @Test func `recipients of other kinds beside an X25519 one are passed over`() throws {
    let (identity, recipient) = try keygen("key")
    let run = try directory.shell("ssh-keygen -q -t ed25519 -N '' -f ssh; echo hello | zstd -q | age -R ssh.pub -r \(recipient) > sealed")
    #expect(run.end == .exited(0), "\(run.errorText)")
    #expect(try opened(try Files.read(directory.path + "/sealed"), with: [identity]) == Array("hello\n".utf8))
    _ = try directory.shell("echo hello | zstd -q | age -R ssh.pub > only-ssh")
    let refused = failure { () throws(Failure) in _ = try opened(try Files.read(directory.path + "/only-ssh"), with: [identity]) }
    #expect(refused?.exit == .usage && refused?.why.contains("ssh-ed25519") == true)
  }

  @Test func `age-keygen reads the identity that kguard writes`() throws {
    let identity = try AgeIdentity.generate()
    let path = directory.path + "/identity"
    try IdentityFile.write(identity, to: path, created: Timestamp(milliseconds: 1_795_232_595_123))
    #expect(try directory.shell("age-keygen -y identity").text == "\(identity.recipient)\n")
    #expect(try Files.info(path)?.mode == 0o600)
    let lines = try #require(try Files.textIfPresent(path)).split(separator: "\n")
    #expect(lines[0] == "# created: 2026-11-21T03:43:15Z")
    #expect(lines[1] == "# public key: \(identity.recipient)")
    #expect(lines.count == 3 && lines[2].hasPrefix("AGE-SECRET-KEY-1"))
    #expect(try Files.list(directory.path) == ["identity"])
  }
}
