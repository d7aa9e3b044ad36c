internal import Model

/// The address of a store, taken apart: `scheme://user@host:port/path`, or `user@host:path` as scp and rsync know it.
struct StoreURL: Equatable {
  enum Scheme: String, CaseIterable {
    case file, s3, sftp, scp, https, http, rsync
    /// `user@host:path`, which has no scheme of its own.
    case ssh = "user@host:path"
  }

  var scheme: Scheme
  var user: String?
  var host: String
  var port: Int?
  /// Decoded; begins with a slash unless it is relative to the user's home (`user@host:path`).
  var path: String

  init(_ text: String) throws(Failure) {
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else {
      throw Self.problem(Self.hidden(text), "it holds a space or a control character")
    }
    guard let mark = Self.mark(text) else {
      self = try Self.remoteShell(text)
      return
    }
    let name = String(text[..<mark.lowerBound]).lowercased()
    let known = Scheme.allCases.filter { $0 != .ssh }.map(\.rawValue)
    guard let scheme = Scheme(rawValue: name), scheme != .ssh else {
      throw Self.problem(
        Self.hidden(text), "the scheme `\(name)` is not known\(didYouMean(name, among: known))",
        next: "use one of \(known.filter { $0 != "http" }.joined(separator: ", ")), or user@host:path")
    }
    let rest = text[mark.upperBound...]
    let slash = rest.firstIndex(of: "/") ?? rest.endIndex
    try self.init(scheme, authority: rest[..<slash], path: rest[slash...], text: text)
  }

  /// Where `://` stands.
  private static func mark(_ text: String) -> Range<String.Index>? {
    guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else { return nil }
    return colon..<text.index(colon, offsetBy: 3)
  }

  private init(_ scheme: Scheme, authority: Substring, path: Substring, text: String) throws(Failure) {
    let shown = Self.hidden(text)
    guard !path.contains("?"), !path.contains("#") else { throw Self.problem(shown, "it has a query or a fragment") }
    guard let decoded = percentDecoded(path), decoded.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
      throw Self.problem(shown, "its path is not encoded as URLs are")
    }
    guard decoded.split(separator: "/").allSatisfy({ $0 != "." && $0 != ".." }) else {
      throw Self.problem(shown, "its path holds `.` or `..`")
    }
    self.scheme = scheme
    self.path = decoded
    var place = authority
    if let at = authority.lastIndex(of: "@") {
      let user = authority[..<at]
      guard !user.contains(":") else {
        throw Self.problem(
          shown, "it holds a password",
          next: "keep passwords out of URLs: put them into a file and name it with the option `credentials-file`")
      }
      guard let name = percentDecoded(user), Self.isPlain(name) else { throw Self.problem(shown, "its user name is not plain") }
      self.user = name
      place = authority[authority.index(after: at)...]
    }
    if let colon = place.lastIndex(of: ":"), !place.hasSuffix("]") {
      guard let number = Int(place[place.index(after: colon)...]), 1...65535 ~= number else {
        throw Self.problem(shown, "its port is not a number from 1 to 65535")
      }
      port = number
      place = place[..<colon]
    }
    host = String(place)
    if scheme == .file {
      guard host.isEmpty || host == "localhost", user == nil, port == nil else {
        throw Self.problem(shown, "a file is on this machine", next: "write three slashes: file:///\(host)\(decoded)")
      }
      guard decoded.count > 1 else { throw Self.problem(shown, "it names no directory") }
      return
    }
    guard Self.isHost(host) else { throw Self.problem(shown, host.isEmpty ? "it names no host" : "`\(host)` is not a host name") }
  }

  /// `user@host:path`
  private static func remoteShell(_ text: String) throws(Failure) -> StoreURL {
    if let at = text.lastIndex(of: "@"), text[..<at].contains(":") {
      throw problem(hidden(text), "it holds a password, or an `@` in its path", next: "keep passwords out of URLs; use a key")
    }
    guard let colon = text.firstIndex(of: ":"), let at = text.firstIndex(of: "@"), at < colon else {
      throw problem(
        hidden(text), "it has no scheme", next: "write it as file:///PATH, s3://BUCKET/PREFIX, sftp://USER@HOST/PATH or USER@HOST:PATH")
    }
    let path = text[text.index(after: colon)...]
    guard !path.isEmpty, path.split(separator: "/").allSatisfy({ $0 != "." && $0 != ".." }), isPlainPath(String(path)) else {
      throw problem(hidden(text), "its path is empty or not plain")
    }
    let (user, host) = (String(text[..<at]), String(text[text.index(after: at)..<colon]))
    guard isPlain(user), isHost(host) else { throw problem(hidden(text), "its user or host is not plain") }
    return StoreURL(scheme: .ssh, user: user, host: host, path: String(path))
  }

  private init(scheme: Scheme, user: String?, host: String, path: String) {
    (self.scheme, self.user, self.host, self.path) = (scheme, user, host, path)
  }

  /// What a program's argument may hold without being taken for anything else.
  static func isPlainPath(_ path: String) -> Bool {
    !path.hasPrefix("-")
      && path.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || "/._-+=,~".utf8.contains(byte)
      }
  }

  private static func isPlain(_ name: String) -> Bool {
    !name.isEmpty && !name.hasPrefix("-")
      && name.unicodeScalars.allSatisfy {
        $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "._-+@\\".unicodeScalars.contains($0))
      }
  }

  private static func isHost(_ host: String) -> Bool {
    if host.hasPrefix("[") {
      return host.hasSuffix("]") && host.dropFirst().dropLast().utf8.allSatisfy { "0123456789abcdefABCDEF:.%".utf8.contains($0) }
    }
    return !host.isEmpty && !host.hasPrefix("-") && host.utf8.count <= 253
      && host.utf8.allSatisfy {
        (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x2d || $0 == 0x2e || $0 == 0x5f
      }
  }

  var isLoopback: Bool {
    host == "localhost" || host == "[::1]"
      || (host.hasPrefix("127.") && host.split(separator: ".").count == 4
        && host.utf8.allSatisfy { $0 == 0x2e || (0x30...0x39).contains($0) })
  }

  /// `host` or `host:port`
  var hostAndPort: String { port.map { "\(host):\($0)" } ?? host }

  /// For messages: what could be a password between `:` and `@` does not show.
  static func hidden(_ text: String) -> String {
    let start = mark(text)?.upperBound ?? text.startIndex
    guard let at = text[start...].lastIndex(of: "@"), let colon = text[start..<at].firstIndex(of: ":") else { return text }
    return String(text[..<colon]) + ":***" + String(text[at...])
  }

  private static func problem(_ shown: String, _ why: String, next: String = "correct the URL") -> Failure {
    Failure(.usage, what: "cannot use the off-site target `\(shown)`", why: why, next: next)
  }
}
