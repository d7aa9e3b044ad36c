internal import Host
internal import Model

/// Who kguard is for an https:// store: a file that the configuration names, then the environment, then netrc.
enum WebDAVSettings {
  static func read(_ url: StoreURL, _ options: StoreOptions) throws(Failure) -> WebDAVStore {
    guard url.scheme == .https || url.isLoopback else {
      throw Failure(
        .usage, what: "cannot use \(StoreURL.hidden(options.target.url))",
        why: "http:// is not encrypted, and only allowed on this machine itself",
        next: "use https://")
    }
    let path = url.path.split(separator: "/").map { "/" + $0 }.joined() + "/"
    let login = try login(url, options)
    let authorization = login.map { "Basic " + base64(Array("\($0.user):\($0.password)".utf8)) }
    let settings = WebDAVStore.Settings(
      origin: "\(url.scheme.rawValue)://\(url.hostAndPort)", path: path, authorization: authorization,
      credentialsOrigin: login?.origin ?? "none", tls: try options.authority())
    return WebDAVStore(settings, scratch: options.context.scratch, retry: options.context.retry)
  }

  private typealias Login = (user: String, password: String, origin: String)

  private static func login(_ url: StoreURL, _ options: StoreOptions) throws(Failure) -> Login? {
    let context = options.context
    let user = options["user"] ?? url.user
    if let path = options.path("credentials-file") {
      guard let line = try context.secretFile(path).split(whereSeparator: \.isNewline).first else {
        throw options.problem("credentials-file", "\(path) is empty", "write `user:password` into it, or the password alone")
      }
      if let user { return (user, line.hasPrefix(user + ":") ? String(line.dropFirst(user.count + 1)) : String(line), path) }
      guard let colon = line.firstIndex(of: ":") else {
        throw options.problem("credentials-file", "\(path) holds no `user:password`", "write it so, or give the option `user`")
      }
      return (String(line[..<colon]), String(line[line.index(after: colon)...]), path)
    }
    if let password = context.environment("KGUARD_STORE_PASSWORD"), let user = user ?? context.environment("KGUARD_STORE_USER") {
      return (user, password, "KGUARD_STORE_PASSWORD in the environment")
    }
    let path = context.environment("NETRC") ?? context.path("~/.netrc")
    guard try context.machine.info(path) != nil else { return nil }
    let found = Netrc.find(host: url.host, user: user, in: try context.secretFile(path))
    return found.map { ($0.user, $0.password, path) }
  }
}

/// `machine HOST login USER password PASSWORD`, in any order and over any lines; `default` stands for every host.
enum Netrc {
  static func find(host: String, user: String?, in text: String) -> (user: String, password: String)? {
    var entries: [(host: String?, user: String, password: String)] = []
    var words = text.split(whereSeparator: \.isNewline).filter { $0.first(where: { !$0.isWhitespace }) != "#" }
      .flatMap { $0.split(whereSeparator: \.isWhitespace) }[...]
    while let word = words.popFirst() {
      switch word {
      case "machine": entries.append((words.popFirst().map(String.init) ?? "", "", ""))
      case "default": entries.append((nil, "", ""))
      case "login": if let value = words.popFirst(), !entries.isEmpty { entries[entries.count - 1].user = String(value) }
      case "password": if let value = words.popFirst(), !entries.isEmpty { entries[entries.count - 1].password = String(value) }
      case "account": _ = words.popFirst()
      default: continue
      }
    }
    let entry = entries.first { ($0.host == nil || $0.host == host) && !$0.user.isEmpty && (user == nil || $0.user == user) }
    return entry.map { ($0.user, $0.password) }
  }
}
