internal import CPosix
internal import Glibc
internal import Model

/// The keys that `known_hosts` files give for one server, as OpenSSH reads them: plain names, patterns, hashed names,
/// `@revoked`. Certificates' authorities are not used.
struct KnownHosts {
  struct Key: Equatable {
    let type: String
    let key: String
  }

  private(set) var keys: [Key] = []

  /// The types that libssh2 can check, the best first: libcurl asks the server for the kind of the first line. RSA is last, since
  /// libssh2 before 1.11 knows it with SHA-1 only, which servers no longer offer.
  private static let types = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"]

  /// `files` that do not exist hold nothing.
  init(_ files: [String], host: String, port: Int) throws(Failure) {
    let name = Self.name(host, port)
    var revoked: [Key] = []
    for file in files {
      for line in (try Files.textIfPresent(file, limit: 16 << 20) ?? "").split(whereSeparator: \.isNewline) {
        var fields = line.split(whereSeparator: \.isWhitespace)[...]
        guard let first = fields.first, !first.hasPrefix("#") else { continue }
        let marker = first.hasPrefix("@") ? fields.removeFirst() : nil
        guard fields.count >= 3, let patterns = fields.popFirst(), Self.matches(String(patterns), name) else { continue }
        let fields2 = Array(fields)
        let key = Key(type: String(fields2[0]), key: String(fields2[1]))
        guard Self.types.contains(key.type), bytes(base64: key.key) != nil else { continue }
        switch marker {
        case nil: if !keys.contains(key) { keys.append(key) }
        case "@revoked": revoked.append(key)
        default: continue
        }
      }
    }
    keys = Self.types.flatMap { type in keys.filter { $0.type == type && !revoked.contains($0) } }
  }

  /// As `known_hosts` names a server: the port only where it is not 22.
  static func name(_ host: String, _ port: Int) -> String {
    let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    return port == 22 ? bare.lowercased() : "[\(bare.lowercased())]:\(port)"
  }

  /// The same keys under the plain name, in a file that only this process can reach: libssh2 does not choose the right kind of
  /// key for hashed names or patterns.
  func plainFile(_ host: String, _ port: Int) throws(Failure) -> OpenFile {
    let name = Self.name(host, port)
    let descriptor = memfd_create("known_hosts", 1 /* MFD_CLOEXEC */)
    guard descriptor >= 0 else { throw systemFailure(errno, "cannot make a file in memory") }
    let file = OpenFile(adopting: descriptor, path: "/proc/self/fd/\(descriptor)")
    try file.write(Array(keys.map { "\(name) \($0.type) \($0.key)\n" }.joined().utf8))
    return file
  }

  static func matches(_ patterns: String, _ name: String) -> Bool {
    if patterns.hasPrefix("|") { return matches(hashed: patterns, name) }
    var isMatch = false
    for pattern in patterns.lowercased().split(separator: ",") {
      if pattern.hasPrefix("!") {
        if wildcard(Array(pattern.dropFirst().utf8), Array(name.utf8)) { return false }
      } else if wildcard(Array(pattern.utf8), Array(name.utf8)) {
        isMatch = true
      }
    }
    return isMatch
  }

  /// `|1|salt|HMAC-SHA1(salt, name)`
  private static func matches(hashed text: String, _ name: String) -> Bool {
    let parts = text.split(separator: "|")
    guard parts.count == 3, parts[0] == "1", let salt = bytes(base64: String(parts[1])), let hash = bytes(base64: String(parts[2]))
    else { return false }
    return !hash.isEmpty && hmac(.sha1, key: salt, Array(name.utf8)) == hash
  }

  /// `*` stands for any characters, `?` for one. Goes back to the last `*` only, so that no pattern takes long.
  private static func wildcard(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
    var (p, t) = (0, 0)
    var star: (pattern: Int, text: Int)?
    while t < text.count {
      if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
        star = (p, t)
        p += 1
      } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == text[t] {
        (p, t) = (p + 1, t + 1)
      } else if let last = star {
        star = (last.pattern, last.text + 1)
        (p, t) = (last.pattern + 1, last.text + 1)
      } else {
        return false
      }
    }
    return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
