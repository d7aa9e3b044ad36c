internal import Host
internal import Model

/// Where bucket, endpoint, region and credentials come from: the configuration, then the environment, then the shared files.
enum S3Settings {
  static func read(_ url: StoreURL, _ options: StoreOptions) throws(Failure) -> S3Store.Settings {
    let shown = "s3://\(url.host)\(url.path)"
    guard url.user == nil, url.port == nil else {
      throw Failure(
        .usage, what: "cannot use \(shown)", why: "the host of an s3:// URL is the bucket's name",
        next: "write s3://BUCKET/PREFIX, and the server as the option `endpoint`")
    }
    let shared = SharedFiles(options)
    let endpoint = try endpoint(options, shared)
    guard let credentials = try credentials(options, shared) else {
      throw Failure(
        .usage, what: "cannot use \(shown)", why: "no credentials were found in the environment nor in \(shared.credentialsPath)",
        next: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with the option `credentials-file`")
    }
    let configured = try shared.config("region")
    let region = options["region"] ?? shared.environment("AWS_REGION") ?? shared.environment("AWS_DEFAULT_REGION") ?? configured
    guard region.map(isRegionName) ?? true else {
      throw options.problem("region", "it is not the name of a region", "correct it")
    }
    let prefix = url.path.split(separator: "/").joined(separator: "/")
    let megabytes = try options.number("part-size", 5...512)
    let (pathStyle, checksums) = (try options.flag("path-style"), try options.flag("checksums"))
    let parallel = try options.number("parallel", 1...16)
    return S3Store.Settings(
      bucket: url.host, prefix: prefix.isEmpty ? "" : prefix + "/", endpoint: endpoint,
      // With TLS a bucket's name with dots would not fit the certificate.
      usesPathStyle: pathStyle ?? (endpoint != nil || url.host.contains(".")), region: region ?? "us-east-1",
      credentials: credentials, tls: try options.authority(), checksums: checksums ?? true,
      smallestPart: (megabytes ?? 8) << 20, senders: parallel ?? 3)
  }

  private static func endpoint(_ options: StoreOptions, _ shared: SharedFiles) throws(Failure) -> String? {
    let configured = try shared.config("endpoint_url")
    let text = options["endpoint"] ?? shared.environment("AWS_ENDPOINT_URL_S3") ?? shared.environment("AWS_ENDPOINT_URL") ?? configured
    guard var text else { return nil }
    if !text.contains("://") { text = "https://" + text }
    let url = try StoreURL(text)
    guard url.scheme == .https || url.scheme == .http, url.user == nil, url.path.isEmpty || url.path == "/" else {
      throw options.problem("endpoint", "it is not https://HOST or https://HOST:PORT", "correct it")
    }
    guard url.scheme == .https || url.isLoopback else {
      throw options.problem("endpoint", "http:// is not encrypted, and only allowed on this machine itself", "use https://")
    }
    return "\(url.scheme.rawValue)://\(url.hostAndPort)"
  }

  private static func credentials(_ options: StoreOptions, _ shared: SharedFiles) throws(Failure) -> S3Credentials? {
    if let path = options.path("credentials-file") {
      let section = try SharedFiles.section(shared.profile, of: options.context.secretFile(path), isConfig: false)
      guard let found = SharedFiles.credentials(section, origin: path) else {
        throw options.problem(
          "credentials-file", "\(path) has no aws_access_key_id and aws_secret_access_key under [\(shared.profile)]",
          "write them there as ~/.aws/credentials has them")
      }
      return found
    }
    // Who names a profile does not mean what the environment happens to hold.
    if options["profile"] == nil, let key = shared.environment("AWS_ACCESS_KEY_ID"),
      let secret = shared.environment("AWS_SECRET_ACCESS_KEY")
    {
      return S3Credentials(
        accessKey: key, secretKey: secret, sessionToken: shared.environment("AWS_SESSION_TOKEN"),
        origin: "AWS_ACCESS_KEY_ID in the environment")
    }
    guard try options.context.machine.info(shared.credentialsPath) != nil else { return nil }
    let section = try SharedFiles.section(shared.profile, of: options.context.secretFile(shared.credentialsPath), isConfig: false)
    return SharedFiles.credentials(section, origin: "[\(shared.profile)] in \(shared.credentialsPath)")
  }
}

/// The files that AWS's own tools share.
private struct SharedFiles {
  let options: StoreOptions

  init(_ options: StoreOptions) { self.options = options }

  func environment(_ name: String) -> String? { options.context.environment(name).flatMap { $0.isEmpty ? nil : $0 } }
  var profile: String { options["profile"] ?? environment("AWS_PROFILE") ?? "default" }
  var credentialsPath: String { environment("AWS_SHARED_CREDENTIALS_FILE") ?? options.context.path("~/.aws/credentials") }
  var configPath: String { environment("AWS_CONFIG_FILE") ?? options.context.path("~/.aws/config") }

  /// A setting of the profile in the config file, which holds no secrets.
  func config(_ key: String) throws(Failure) -> String? {
    guard let info = try options.context.machine.info(configPath), info.kind == .file else { return nil }
    let text = String(decoding: try options.context.machine.read(configPath, limit: 1 << 20), as: UTF8.self)
    return Self.section(profile, of: text, isConfig: true)[key]
  }

  static func credentials(_ section: [String: String], origin: String) -> S3Credentials? {
    guard let key = section["aws_access_key_id"], let secret = section["aws_secret_access_key"], !key.isEmpty, !secret.isEmpty
    else { return nil }
    return S3Credentials(accessKey: key, secretKey: secret, sessionToken: section["aws_session_token"], origin: origin)
  }

  /// `key = value` lines under `[name]`, or `[profile name]` in a config file. Nested settings (indented) are not read.
  static func section(_ name: String, of text: String, isConfig: Bool) -> [String: String] {
    var found: [String: String] = [:]
    var isInside = false
    for line in text.split(whereSeparator: \.isNewline) where line.first != "#" && line.first != ";" && line.first?.isWhitespace == false {
      if line.hasPrefix("[") {
        let words = line.dropFirst().prefix { $0 != "]" }.split(whereSeparator: \.isWhitespace)
        isInside = words.count == 1 ? words[0] == name : isConfig && words.count == 2 && words[0] == "profile" && words[1] == name
      } else if isInside, let equals = line.firstIndex(of: "=") {
        found[line[..<equals].trimmed.lowercased()] = line[line.index(after: equals)...].trimmed
      }
    }
    return found
  }
}

extension Substring {
  /// Without the spaces around it.
  var trimmed: String {
    String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }
}
