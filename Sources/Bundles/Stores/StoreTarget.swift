public import Host
public import Model

/// One off-site target as the configuration names it.
public struct StoreTarget: Sendable, Equatable {
  public var url: String
  /// By their names in the configuration; `StoreTarget.optionNames` says which go with which kind of URL.
  public var options: [String: String]

  public init(_ url: String, options: [String: String] = [:]) {
    self.url = url
    self.options = options
  }

  /// The options that a URL of this kind takes; empty where the URL is wrong.
  public static func optionNames(for url: String) -> [String] {
    (try? StoreURL(url)).map { names($0.scheme) } ?? []
  }

  static func names(_ scheme: StoreURL.Scheme) -> [String] {
    switch scheme {
    case .file: ["mount-point", "same-disk"]
    case .s3:
      ["endpoint", "region", "path-style", "profile", "credentials-file", "ca-file", "checksums", "part-size", "parallel"]
    case .sftp, .scp: ["key-file", "known-hosts"]
    case .https, .http: ["user", "credentials-file", "ca-file"]
    case .rsync: ["user", "credentials-file"]
    case .ssh: ["key-file", "known-hosts", "port"]
    }
  }
}

/// What opening a store takes from outside.
public struct StoreContext: Sendable {
  /// Paths of keys, credentials and `file://` are this machine's.
  public var machine: any Machine
  /// A directory for what a store can't send or receive without a file; kguard's own, and large enough for a bundle.
  public var scratch: String
  public var retry: RetryPolicy
  public var environment: @Sendable (String) -> String?

  public init(
    machine: any Machine, scratch: String, retry: RetryPolicy = RetryPolicy(),
    environment: @escaping @Sendable (String) -> String? = { Host.environment($0) }
  ) {
    self.machine = machine
    self.scratch = scratch
    self.retry = retry
    self.environment = environment
  }

  /// The file's text; one that others may read is no place for a secret.
  func secretFile(_ path: String) throws(Failure) -> String {
    guard let info = try machine.info(path), info.kind == .file else {
      throw Failure(.usage, what: "cannot read the credentials in \(path)", why: "there is no such file", next: "correct the path")
    }
    guard info.mode & 0o007 == 0 else {
      throw Failure(
        .usage, what: "cannot use the credentials in \(path)",
        why: "everyone on this machine can read them (mode 0\(String(info.mode, radix: 8)))",
        next: "chmod 600 \(path), and consider the secret known")
    }
    return String(decoding: try machine.read(path, limit: 1 << 20), as: UTF8.self)
  }

  /// `~/` stands for the home of whoever runs kguard.
  func path(_ text: String) -> String {
    guard text.hasPrefix("~/") else { return text }
    return (environment("HOME") ?? "/root") + text.dropFirst()
  }
}

/// Reads the options of a target, once, with errors that name them.
struct StoreOptions {
  let target: StoreTarget
  let context: StoreContext

  init(_ target: StoreTarget, _ scheme: StoreURL.Scheme, _ context: StoreContext) throws(Failure) {
    self.target = target
    self.context = context
    let known = StoreTarget.names(scheme)
    for name in target.options.keys.sorted() where !known.contains(name) {
      throw problem(
        name, "it is not known for this kind of URL\(didYouMean(name, among: known))", "use one of \(known.joined(separator: ", "))")
    }
  }

  func problem(_ name: String, _ why: String, _ next: String) -> Failure {
    Failure(.usage, what: "cannot use the option `\(name)` of \(StoreURL.hidden(target.url))", why: why, next: next)
  }

  subscript(name: String) -> String? { target.options[name].flatMap { $0.isEmpty ? nil : $0 } }

  func flag(_ name: String) throws(Failure) -> Bool? {
    switch self[name]?.lowercased() {
    case nil: return nil
    case "true", "yes", "on": return true
    case "false", "no", "off": return false
    default: throw problem(name, "it is neither true nor false", "write true or false")
    }
  }

  func number(_ name: String, _ range: ClosedRange<Int>) throws(Failure) -> Int? {
    guard let text = self[name] else { return nil }
    guard let number = Int(text), range.contains(number) else {
      throw problem(name, "it is not a number from \(range.lowerBound) to \(range.upperBound)", "correct it")
    }
    return number
  }

  func path(_ name: String) -> String? { self[name].map { context.path($0) } }

  func authority() throws(Failure) -> TLSIdentity {
    guard let path = path("ca-file") else { return TLSIdentity() }
    guard try context.machine.info(path)?.kind == .file else { throw problem("ca-file", "there is no file \(path)", "correct the path") }
    return TLSIdentity(authority: .file(context.machine.locate(path)))
  }
}

/// The one place where a URL becomes a store.
public enum StoreFactory {
  public static func open(_ target: StoreTarget, _ context: StoreContext) throws(Failure) -> any Store {
    let url = try StoreURL(target.url)
    let options = try StoreOptions(target, url.scheme, context)
    switch url.scheme {
    case .file:
      let path = url.path.count > 1 && url.path.hasSuffix("/") ? String(url.path.dropLast()) : url.path
      return FileStore(
        url: "file://\(path)", directory: context.machine.locate(path),
        mountPoint: options.path("mount-point").map { context.machine.locate($0) })
    case .s3: return S3Store(try S3Settings.read(url, options), retry: context.retry)
    case .sftp, .scp: return try SecureSettings.read(url, options)
    case .https, .http: return try WebDAVSettings.read(url, options)
    case .rsync, .ssh: return try RsyncSettings.read(url, options)
    }
  }
}
