internal import Host
internal import Model
internal import Synchronization

/// `https://host/path/`: PUT, GET, HEAD and DELETE; collections and listings as WebDAV has them, where the server does. A server
/// that stores what it got of a cut connection shows half an object until the next try; reading back finds it.
final class WebDAVStore: Store {
  struct Settings: Sendable {
    /// `https://host:port`
    var origin: String
    /// Decoded; begins and ends with a slash.
    var path: String
    /// The whole value of the header.
    var authorization: String?
    /// Where the credentials come from, for people.
    var credentialsOrigin: String
    var tls = TLSIdentity()
  }

  let settings: Settings
  let retry: RetryPolicy
  let url: String
  let scratch: String
  private let collections = Mutex<Set<String>>([])

  var abilities: StoreAbilities { [.list, .delete, .streaming] }

  init(_ settings: Settings, scratch: String, retry: RetryPolicy) {
    self.settings = settings
    self.scratch = scratch
    self.retry = retry
    url = settings.origin + percentEncoded(settings.path, keepSlash: true)
  }

  func request(_ method: String, _ path: String) -> HTTPRequest {
    var request = HTTPRequest(method, settings.origin + percentEncoded(path, keepSlash: true))
    if let authorization = settings.authorization { request.headers.append(("authorization", authorization)) }
    request.tls = settings.tls
    request.version = .http1
    request.stall = .seconds(60)
    return request
  }

  private func path(_ name: String) throws(Failure) -> String {
    try StoreName.check(name)
    return settings.path + name
  }

  /// Sends until the answer is a success or one of `also`.
  private func perform(_ client: HTTPClient, _ request: HTTPRequest, _ what: String, also: Set<Int> = []) throws(Failure) -> HTTPResponse {
    try retry.run(nil) { () throws(Failure) -> RetryPolicy.Try<HTTPResponse> in
      let answer = try client.send(request)
      if 200..<300 ~= answer.status || also.contains(answer.status) { return .done(answer) }
      return try refused(answer, what)
    }
  }

  // MARK: - Objects

  func put(_ name: String, _ source: UploadSource, _ transfer: Transfer) throws(Failure) -> Receipt {
    let path = try path(name)
    let what = "cannot send \(name) to \(url)"
    try makeCollection(try HTTPClient(stop: transfer.stop), Files.directory(of: path), what)
    if source.size != nil { return try retry.run(transfer.stop) { () throws(Failure) in try putOnce(name, path, source, transfer, what) } }
    // Without a size it goes in chunks, which not every server takes: some say so (411), some only hang up.
    let once = RetryPolicy(attempts: 1)
    do throws(Failure) {
      return try once.run(transfer.stop) { () throws(Failure) in try putOnce(name, path, source, transfer, what) }
    } catch {
      guard error.isTransient else { throw error }
      let spool = try Spool(in: scratch)
      return try put(name, try spool.fill(source, transfer), transfer)
    }
  }

  private func putOnce(
    _ name: String, _ path: String, _ source: UploadSource, _ transfer: Transfer, _ what: String
  ) throws(Failure) -> RetryPolicy.Try<Receipt> {
    let (stop, size) = (transfer.stop, source.size)
    let template = request("PUT", path)
    let (url, headers, tls) = (template.url, template.headers, template.tls)
    let (answer, made) = try overlapped(source, transfer) { (reader) throws(Failure) in
      var request = HTTPRequest("PUT", url)
      (request.headers, request.tls, request.version, request.stall) = (headers, tls, .http1, .seconds(120))
      request.body = .stream(size: size) { (buffer) throws(Failure) in try reader.read(into: buffer) }
      return try HTTPClient(stop: stop).send(request)
    }
    if answer.status == 411, size == nil { throw Transfer.endedEarly(what) }
    guard 200..<300 ~= answer.status else { return try refused(answer, what) }
    guard let made else { throw Transfer.endedEarly(what) }
    return .done(Receipt(name: name, size: made.size, sha256: made.sha256, etag: answer["etag"]))
  }

  func get(_ name: String, from offset: Int64, _ transfer: Transfer, into sink: @escaping ByteSink) throws(Failure) {
    guard let object = try head(name) else { throw missing(name) }
    if offset >= object.size && offset > 0 { return }
    let path = try path(name)
    let client = try HTTPClient(stop: transfer.stop)
    let what = "cannot get \(name) from \(url)"
    try Download(policy: retry, transfer: transfer, total: object.size).run(from: offset, into: sink) {
      (from, deliver) throws(Failure) in
      var request = request("GET", path)
      if from > 0 { request.headers.append(("range", "bytes=\(from)-")) }
      if from > 0, let etag = object.etag, !etag.hasPrefix("W/") { request.headers.append(("if-match", etag)) }
      var at: Int64?
      var body: [UInt8] = []
      let head = try client.send(request) { (bytes) throws(Failure) in
        guard client.status == 200 || client.status == 206 else {
          if body.count < 1 << 16 { body.append(contentsOf: bytes) }
          return
        }
        let place = at ?? client.answerStart
        at = place + Int64(bytes.count)
        try deliver(place, bytes)
      }
      switch head.status {
      case 200, 206: return .done(())
      case 404: throw missing(name)
      case 412: throw Failure(what: what, why: "the object was replaced while it was read", next: "run the same command again")
      default: return try refused(HTTPResponse(status: head.status, headers: head.headers, body: body), what)
      }
    }
  }

  func head(_ name: String) throws(Failure) -> StoredObject? {
    let what = "cannot look at \(name) in \(url)"
    let answer = try perform(try HTTPClient(), request("HEAD", try path(name)), what, also: [404, 410])
    if answer.status == 404 || answer.status == 410 { return nil }
    guard let size = answer["content-length"].flatMap({ Int64($0) }), size >= 0 else {
      throw Failure(what: what, why: "the server does not say its size", next: "use a server that answers HEAD with Content-Length")
    }
    return StoredObject(
      name: name, size: size, modified: answer["last-modified"].flatMap { Timestamp(httpDate: $0) }, etag: answer["etag"])
  }

  func delete(_ name: String) throws(Failure) {
    // The collection stays: deleting one takes with it whatever came into it meanwhile.
    _ = try perform(try HTTPClient(), request("DELETE", try path(name)), "cannot delete \(name) in \(url)", also: [404, 410])
  }

  // MARK: - Collections

  /// Makes a collection, and those above it where the server says that they are missing. A server without WebDAV is let be: its
  /// answer to the PUT will tell.
  private func makeCollection(_ client: HTTPClient, _ path: String, _ what: String) throws(Failure) {
    guard path.count > 1, !collections.withLock({ $0.contains(path) }) else { return }
    let harmless: Set = [301, 302, 307, 308, 400, 403, 404, 405, 409, 501]
    var answer = try perform(client, request("MKCOL", path + "/"), what, also: harmless)
    if answer.status == 409 || answer.status == 404 {
      try makeCollection(client, Files.directory(of: path), what)
      answer = try perform(client, request("MKCOL", path + "/"), what, also: harmless)
    }
    collections.withLock { _ = $0.insert(path) }
  }

  func list(_ prefix: String) throws(Failure) -> [StoredObject] {
    try StoreName.check(prefix: prefix)
    return try walk(try HTTPClient(), prefix, depth: 0).sorted { $0.name < $1.name }
  }

  /// One level at a time: many servers refuse to give all of them at once.
  private func walk(_ client: HTTPClient, _ prefix: String, depth: Int) throws(Failure) -> [StoredObject] {
    guard depth < 8 else { return [] }
    let what = "cannot list \(url)\(prefix)"
    var request = request("PROPFIND", settings.path + prefix)
    request.headers += [("depth", "1"), ("content-type", "application/xml")]
    request.body = .bytes(Array(WebDAVListing.question.utf8))
    let answer = try perform(client, request, what, also: [404])
    if answer.status == 404 { return [] }
    var found: [StoredObject] = []
    for entry in try WebDAVListing(XMLParser.parse(answer.body), below: settings.path + prefix).entries where StoreName.isOurs(entry.name) {
      if entry.isCollection {
        found += try walk(client, prefix + entry.name + "/", depth: depth + 1)
      } else {
        found.append(StoredObject(name: prefix + entry.name, size: entry.size, modified: entry.modified))
      }
    }
    return found
  }

  // MARK: - Refusals

  /// Throws what is final; what can pass is to be tried again, after the time that the server asked for.
  private func refused<T>(_ answer: HTTPResponse, _ what: String) throws(Failure) -> RetryPolicy.Try<T> {
    let why = "the server answered with status \(answer.status)"
    let next: String
    switch answer.status {
    case 408, 425, 429, 500, 502, 503, 504:
      let failure = Failure(what: what, why: why, next: "try again when the server is well", isTransient: true)
      return .again(failure, after: answer["retry-after"].flatMap { Int64($0) }.map { .seconds(min(max($0, 0), 3600)) })
    case 301, 302, 303, 307, 308:
      next =
        "use the URL that the server wants\(answer["location"].map { ": \($0.prefix { $0 != "?" })" } ?? ""); redirects are not followed"
    case 401: next = "give user and password (now: \(settings.credentialsOrigin)) by `credentials-file`, the environment or ~/.netrc"
    case 403: next = "let this user (\(settings.credentialsOrigin)) read, write and delete below \(url)"
    case 404, 409: next = "make the collection \(url), or correct the URL"
    case 405, 501: next = "use a server that takes PUT and DELETE (WebDAV) there"
    case 413: next = "raise the server's limit for the size of a body (nginx: client_max_body_size)"
    case 507: next = "the store is full: free space or raise its quota, or prune old bundles"
    default: next = "look at the server's log"
    }
    throw Failure(what: what, why: why, next: next)
  }
}
