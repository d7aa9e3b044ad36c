internal import CCurl
internal import Glibc
public import Model

/// A server that is reached over ssh, and how kguard shows who it is. Passwords are never asked for nor sent.
public struct SecureHost: Sendable, Equatable {
  public enum Language: String, Sendable { case sftp, scp }

  public var language: Language
  public var host: String
  public var port: Int
  public var user: String
  /// A private key; the agent is asked too.
  public var key: String?
  /// The files that name the server's key. A server that is not in them is refused.
  public var knownHosts: [String]

  public init(_ language: Language, host: String, port: Int, user: String, key: String?, knownHosts: [String]) {
    self.language = language
    self.host = host
    self.port = port
    self.user = user
    self.key = key
    self.knownHosts = knownHosts
  }
}

/// Files over sftp or scp, by libcurl with libssh2. One value keeps its connection; use one a thread.
public final class SecureCopy {
  public struct Entry: Sendable, Equatable {
    public let name: String
    public let isDirectory: Bool
    public let size: Int64
  }

  private let server: SecureHost
  private let stop: StopSignal?
  private let handle: CurlHandle
  private let knownHosts: OpenFile
  private var verdict = HostKeyVerdict()

  public init(_ server: SecureHost, stop: StopSignal? = nil) throws(Failure) {
    self.server = server
    self.stop = stop
    let known = try KnownHosts(server.knownHosts, host: server.host, port: server.port)
    guard !known.keys.isEmpty else { throw Self.unknownHost(server, "it is not in \(server.knownHosts.joined(separator: " nor in "))") }
    knownHosts = try known.plainFile(server.host, server.port)
    handle = try CurlHandle()
  }

  // MARK: - Operations

  /// Writes a file, with missing directories above it where the language can make them. `size` nil (sftp only): until the source
  /// gives 0. `renaming`: it is written under another name first, and takes its own when it is complete.
  public func upload(
    _ path: String, size: Int64?, renaming: Bool, source: @escaping (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
  ) throws(Failure) {
    let what = "cannot send \(Self.name(path)) to \(address)"
    let part = path + ".part"
    prepare(renaming ? part : path)
    handle.set(CURLOPT_UPLOAD, 1)
    handle.set(offset: CURLOPT_INFILESIZE_LARGE, size ?? -1)
    handle.set(CURLOPT_UPLOAD_BUFFERSIZE, 2 << 20)
    handle.set(CURLOPT_NEW_FILE_PERMS, 0o600)
    handle.set(CURLOPT_NEW_DIRECTORY_PERMS, 0o700)
    handle.set(CURLOPT_FTP_CREATE_MISSING_DIRS, Int(CURLFTP_CREATE_DIR.rawValue))
    // OpenSSH does not rename over what is there, so that goes first; `*`: it need not be there.
    let rename = renaming ? ["*rm \(Self.quoted(path))", "rename \(Self.quoted(part)) \(Self.quoted(path))"] : []
    try perform(CurlExchange(source: source, sink: Self.ignore, stop: stop), after: rename, what)
  }

  /// Gives a file's bytes from a place on. False where there is no such file.
  public func download(
    _ path: String, from offset: Int64, sink: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) -> Bool {
    prepare(path)
    handle.set(CURLOPT_BUFFERSIZE, 512 << 10)
    if offset > 0 { handle.set(offset: CURLOPT_RESUME_FROM_LARGE, offset) }
    return try found { () throws(Failure) in
      try perform(CurlExchange(source: nil, sink: sink, stop: stop), "cannot get \(Self.name(path)) from \(address)")
    }
  }

  /// Size of a file, and when it was written, where the language tells. Nil where there is no such file.
  public func look(_ path: String) throws(Failure) -> (size: Int64, modified: Timestamp?)? {
    prepare(path)
    handle.set(CURLOPT_FILETIME, 1)
    let enough = Failure(what: "", why: "", next: "")
    let isThere = try found { () throws(Failure) in
      do throws(Failure) {
        // The size comes with the first bytes; no more are wanted.
        let sink = { (_: UnsafeRawBufferPointer) throws(Failure) in throw enough }
        if server.language == .sftp { handle.set(CURLOPT_NOBODY, 1) }
        try perform(CurlExchange(source: nil, sink: sink, stop: stop), "cannot look at \(Self.name(path)) on \(address)")
      } catch {
        if error != enough { throw error }
      }
    }
    guard isThere else { return nil }
    let size = handle.offset(CURLINFO_CONTENT_LENGTH_DOWNLOAD_T), time = handle.offset(CURLINFO_FILETIME_T)
    return (max(size, 0), time > 0 && server.language == .sftp ? Timestamp(milliseconds: time &* 1000) : nil)
  }

  /// What is in a directory (sftp only). Nil where there is none.
  public func list(_ path: String) throws(Failure) -> [Entry]? {
    prepare(path.hasSuffix("/") ? path : path + "/")
    var text: [UInt8] = []
    let what = "cannot list \(path) on \(address)"
    let isThere = try found { () throws(Failure) in
      let sink = { (bytes: UnsafeRawBufferPointer) throws(Failure) in
        guard text.count + bytes.count <= 64 << 20 else {
          throw Failure(what: what, why: "the listing is larger than 64 MiB", next: "use a directory of kguard's own")
        }
        text.append(contentsOf: bytes)
      }
      try perform(CurlExchange(source: nil, sink: sink, stop: stop), what)
    }
    guard isThere else { return nil }
    var entries: [Entry] = []
    for line in String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline) {
      // As `ls -l` writes it: mode, links, owner, group, size, three fields of time, name.
      let fields = line.split(separator: " ", maxSplits: 8, omittingEmptySubsequences: true)
      guard fields.count == 9, let kind = fields[0].first, let size = Int64(fields[4]) else {
        throw Failure(
          what: what, why: "its listing is not like that of `ls -l`", next: "use a server such as OpenSSH, or s3://, https:// or rsync")
      }
      if kind == "-" || kind == "d" { entries.append(Entry(name: String(fields[8]), isDirectory: kind == "d", size: size)) }
    }
    return entries.filter { $0.name != "." && $0.name != ".." }
  }

  /// Removes a file (sftp only), then the directory above it if that is empty. What is not there is no failure.
  public func remove(_ path: String, andEmptyDirectory directory: String?) throws(Failure) {
    guard try look(path) != nil else { return }
    try command("rm \(Self.quoted(path))", "cannot delete \(Self.name(path)) on \(address)")
    if let directory { try command("*rmdir \(Self.quoted(directory))", "cannot delete \(directory) on \(address)") }
  }

  /// Removes what an upload that failed may have left.
  public func removePart(_ path: String) throws(Failure) {
    try command("*rm \(Self.quoted(path + ".part"))", "cannot delete \(Self.name(path)).part on \(address)")
  }

  private func command(_ command: String, _ what: String) throws(Failure) {
    prepare("/")
    handle.set(CURLOPT_NOBODY, 1)
    try perform(CurlExchange(source: nil, sink: Self.ignore, stop: stop), after: [command], what)
  }

  // MARK: - One transfer

  private var address: String { "\(server.language.rawValue)://\(server.user)@\(server.host):\(server.port)" }

  private static func name(_ path: String) -> String { Files.name(of: path) }

  private static func ignore(_: UnsafeRawBufferPointer) throws(Failure) {}

  private func prepare(_ path: String) {
    handle.reset()
    handle.set(CURLOPT_URL, "\(server.language.rawValue)://\(server.host):\(server.port)\(Self.encoded(path))")
    handle.set(CURLOPT_PROTOCOLS_STR, server.language.rawValue)
    handle.set(CURLOPT_USERNAME, server.user)
    handle.set(CURLOPT_SSH_AUTH_TYPES, Int(CURLSSH_AUTH_PUBLICKEY) | Int(CURLSSH_AUTH_AGENT))
    if let key = server.key { handle.set(CURLOPT_SSH_PRIVATE_KEYFILE, key) }
    handle.set(CURLOPT_SSH_PUBLIC_KEYFILE, "")
    handle.set(CURLOPT_SSH_KNOWNHOSTS, knownHosts.path)
    verdict = HostKeyVerdict()
    _ = kg_set_host_key(handle.raw, Self.judge)
    _ = kg_set_pointer(handle.raw, CURLOPT_SSH_KEYDATA, Unmanaged.passUnretained(verdict).toOpaque())
    handle.set(CURLOPT_CONNECTTIMEOUT_MS, 15_000)
    handle.set(CURLOPT_LOW_SPEED_LIMIT, 1)
    handle.set(CURLOPT_LOW_SPEED_TIME, 60)
  }

  private static let judge: curl_sshkeycallback = { _, _, _, match, context in
    guard let context else { return Int32(CURLKHSTAT_REJECT.rawValue) }
    let verdict = Unmanaged<HostKeyVerdict>.fromOpaque(context).takeUnretainedValue()
    verdict.match = match
    return Int32((match == CURLKHMATCH_OK ? CURLKHSTAT_FINE : CURLKHSTAT_REJECT).rawValue)
  }

  private func perform(_ exchange: CurlExchange, after commands: [String] = [], _ what: String) throws(Failure) {
    var list: UnsafeMutablePointer<curl_slist>?
    defer { curl_slist_free_all(list) }
    for command in commands { list = curl_slist_append(list, command) }
    if list != nil { _ = kg_set_list(handle.raw, CURLOPT_POSTQUOTE, list) }
    do throws(Failure) {
      try handle.perform(exchange, what: what)
    } catch {
      if exchange.failure != nil || exchange.wasStopped { throw error }
      throw explained(error)
    }
  }

  private func explained(_ failure: Failure) -> Failure {
    var failure = failure
    switch verdict.match {
    case CURLKHMATCH_MISMATCH:
      return Failure(
        what: failure.what, why: "its host key is not the one in \(server.knownHosts.joined(separator: ", "))",
        next: "find out why before anything else: it is another server, or was reinstalled, or someone is in between. "
          + "If the new key is right, correct the line for \(KnownHosts.name(server.host, server.port))")
    case CURLKHMATCH_MISSING:
      return Self.unknownHost(server, "the key that it showed is not in \(server.knownHosts.joined(separator: ", "))")
    default: break
    }
    if failure.why.contains("Unable to exchange encryption keys") {
      failure.isTransient = false
      failure.why += ": the server does not offer the kind of host key that known_hosts has, or no cipher in common"
      failure.next = "add the server's ed25519 or ecdsa key to \(server.knownHosts.joined(separator: " or "))"
      return failure
    }
    switch handle.lastCode {
    case CURLE_LOGIN_DENIED:
      failure.next =
        "check the user `\(server.user)`, the key \(server.key.map { "\($0) " } ?? "in the agent ")and the server's authorized_keys; "
        + "a key with a passphrase works through the agent only, and an RSA key needs libssh2 1.11 (use ed25519)"
    case CURLE_REMOTE_DISK_FULL: failure.next = "free space on the server, or raise the quota of `\(server.user)`"
    case CURLE_REMOTE_ACCESS_DENIED: failure.next = "let `\(server.user)` write there"
    case CURLE_QUOTE_ERROR: failure.next = "look at the files on the server, and at whether `\(server.user)` may rename and delete there"
    case CURLE_REMOTE_FILE_NOT_FOUND: failure.next = "check the path on the server"
    default: break
    }
    return failure
  }

  private static func unknownHost(_ server: SecureHost, _ why: String) -> Failure {
    Failure(
      what: "cannot trust the host key of \(server.host)", why: why,
      next: "compare the key with the server's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there), then add it to known_hosts: "
        + "ssh-keyscan -t ed25519 -p \(server.port) \(server.host)")
  }

  /// False where the transfer failed since there is no such file.
  private func found(_ body: () throws(Failure) -> Void) throws(Failure) -> Bool {
    do throws(Failure) {
      try body()
      return true
    } catch {
      if handle.lastCode == CURLE_REMOTE_FILE_NOT_FOUND && verdict.match == CURLKHMATCH_OK { return false }
      throw error
    }
  }

  /// In commands, unlike in URLs, the user's home is where a relative path begins.
  private static func quoted(_ path: String) -> String {
    let path = path.hasPrefix("/~/") ? String(path.dropFirst(3)) : path
    return "\"" + path.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] } + "\""
  }

  private static func encoded(_ path: String) -> String {
    path.utf8.map { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e, 0x2f: String(Unicode.Scalar(byte))
      default: "%" + hex([byte])
      }
    }.joined()
  }
}

/// What libcurl found when the server showed its key.
private final class HostKeyVerdict {
  /// Nothing was shown yet: a kept connection has been judged before.
  var match = CURLKHMATCH_OK
}

extension CurlHandle {
  func offset(_ info: CURLINFO) -> Int64 {
    var value: curl_off_t = -1
    _ = kg_get_offset(raw, info, &value)
    return Int64(value)
  }
}
