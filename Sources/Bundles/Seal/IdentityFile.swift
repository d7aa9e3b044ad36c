internal import Glibc
internal import Host
public import Model

/// Files of secret keys, in the form that `age-keygen` writes.
public enum IdentityFile {
  /// Writes a key to a new file of mode 0600. It is on disk when this returns; a file that exists is never overwritten.
  public static func write(_ identity: AgeIdentity, to path: String, created: Timestamp) throws(Failure) {
    let taken = Failure(
      .usage, what: "cannot write the new key to \(path)", why: "the file exists, and what it opens would be lost with it",
      next: "choose another name")
    if try Files.exists(path) { throw taken }

    var text = Array("# created: \(created.description.prefix(19))Z\n# public key: \(identity.recipient)\n".utf8)
    text.reserveCapacity(text.count + 80)
    var secret = try identity.encoded()
    text += secret
    text.append(UInt8(ascii: "\n"))
    defer { wipe(&text) }
    wipe(&secret)

    // Under a name of its own first, so that two writers, or a crash, never leave half a key or replace a whole one.
    let fresh = path + ".new-" + hex(randomBytes(6))
    do {
      try Files.replace(fresh, with: text, mode: 0o600)
      try failpoint("key/write")
      try Files.move(fresh, to: path)
    } catch {
      try? Files.removeOwn(fresh)
      try? Files.removeOwn(fresh + ".part")
      throw (try? Files.exists(path)) == true ? taken : error.within("cannot write the new key to \(path)")
    }
  }

  /// The secret keys in a file. One that others may read is refused.
  public static func read(_ path: String) throws(Failure) -> [AgeIdentity] {
    let file = try OpenFile(path, O_RDONLY)
    let info = try file.info()
    if info.mode & 0o007 != 0 {
      throw Failure(
        .usage, what: "cannot use the identity file \(path)", why: "everybody on this machine may read or change it",
        next: "run `chmod 600 \(path)`")
    }
    var bytes = try file.readToEnd(limit: 1 << 20)
    defer { wipe(&bytes) }
    return try AgeIdentity.parse(file: bytes, name: path)
  }
}
