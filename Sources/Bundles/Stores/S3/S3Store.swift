internal import Host
internal import Model
internal import Synchronization

/// `s3://bucket/prefix` on any server that speaks S3.
final class S3Store: Store {
  struct Settings: Sendable {
    var bucket: String
    /// Empty, or ending in a slash.
    var prefix: String
    /// `https://host:port`; nil is AWS itself.
    var endpoint: String?
    var usesPathStyle: Bool
    var region: String
    var credentials: S3Credentials
    var tls = TLSIdentity()
    /// Sends `x-amz-checksum-sha256`, which some older servers refuse.
    var checksums = true
    var smallestPart = 8 << 20
    var senders = 3
  }

  let settings: Settings
  let retry: RetryPolicy
  let url: String
  /// As configured, until the server says better.
  private let region: Mutex<String>

  var abilities: StoreAbilities { .all }

  init(_ settings: Settings, retry: RetryPolicy) {
    self.settings = settings
    self.retry = retry
    region = Mutex(settings.region)
    url = "s3://\(settings.bucket)/\(settings.prefix)"
  }

  /// One request to the bucket, or to an object in it.
  struct Call {
    var method: String
    var name: String?
    var query: [(String, String)] = []
    var headers: [(name: String, value: String)] = []
    var body: [UInt8]?
    /// Of the body, where it has been computed already.
    var digest: Digest?
    var stall: Duration = .seconds(60)
    /// For the failure: `cannot send x to s3://…`
    var what: String
  }

  func currentRegion() -> String { region.withLock { $0 } }

  // MARK: - Sending

  /// One exchange. Any status is an answer, but a bucket in another region is asked again there.
  func exchange(_ client: HTTPClient, _ call: Call, into sink: ByteSink? = nil) throws(Failure) -> HTTPResponse {
    let answer = try exchangeOnce(client, call, into: sink)
    guard [301, 307, 400, 403].contains(answer.status) else { return answer }
    let meant = answer["x-amz-bucket-region"] ?? S3Error(answer)?.region
    guard let meant, isRegionName(meant), meant != currentRegion()
    else { return answer }
    region.withLock { $0 = meant }
    return try exchangeOnce(client, call, into: sink)
  }

  private func exchangeOnce(_ client: HTTPClient, _ call: Call, into sink: ByteSink?) throws(Failure) -> HTTPResponse {
    let region = currentRegion()
    let base = settings.endpoint ?? "https://s3.\(region).amazonaws.com"
    let parts = base.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
    let endpointHost = parts.count > 2 ? String(parts[2]) : base
    let host = settings.usesPathStyle ? endpointHost : "\(settings.bucket).\(endpointHost)"
    var path = settings.usesPathStyle ? "/\(settings.bucket)" : ""
    if let name = call.name { path += "/" + percentEncoded(settings.prefix + name, keepSlash: true) }
    if path.isEmpty || (call.name == nil && settings.usesPathStyle) { path += "/" }

    let query = S3Signature.query(call.query)
    var request = HTTPRequest(call.method, "\(parts[0])//\(host)\(path)" + (query.isEmpty ? "" : "?\(query)"))
    request.headers = S3Signature(credentials: settings.credentials, region: region, at: wallClock()).headers(
      method: call.method, host: host, path: path, query: query, headers: call.headers,
      payload: call.digest ?? sha256(call.body ?? []))
    if let body = call.body { request.body = .bytes(body) }
    request.tls = settings.tls
    request.version = .http1
    request.stall = call.stall
    if sink != nil { request.receiveBuffer = 512 << 10 }

    var body: [UInt8] = []
    let head = try client.send(request) { (bytes) throws(Failure) in
      if let sink, client.status == 200 || client.status == 206 { return try sink(bytes) }
      guard body.count + bytes.count <= 32 << 20 else {
        throw Failure(what: call.what, why: "the server's answer is larger than 32 MiB", next: "check the endpoint")
      }
      body.append(contentsOf: bytes)
    }
    return HTTPResponse(status: head.status, headers: head.headers, body: body)
  }

  /// Exchanges until the answer is a success or one of `also`; what can pass is tried again.
  func perform(_ client: HTTPClient, _ call: Call, _ stop: StopSignal?, also: Set<Int> = []) throws(Failure) -> HTTPResponse {
    try retry.run(stop) { () throws(Failure) -> RetryPolicy.Try<HTTPResponse> in
      let answer = try exchange(client, call)
      if 200..<300 ~= answer.status || also.contains(answer.status) { return .done(answer) }
      return try refused(answer, call.what)
    }
  }

  /// Throws what is final; what can pass is to be tried again, after the time that the server asked for.
  func refused<T>(_ answer: HTTPResponse, _ what: String) throws(Failure) -> RetryPolicy.Try<T> {
    let failure = S3Refusal(store: self, what: what, answer: answer).failure
    guard failure.isTransient else { throw failure }
    return .again(failure, after: answer["retry-after"].flatMap { Int64($0) }.map { .seconds(min(max($0, 0), 3600)) })
  }

  // MARK: - Objects

  func get(_ name: String, from offset: Int64, _ transfer: Transfer, into sink: @escaping ByteSink) throws(Failure) {
    guard let object = try head(name) else { throw missing(name) }
    if offset >= object.size && offset > 0 { return }
    let client = try HTTPClient(stop: transfer.stop)
    let what = "cannot get \(name) from \(url)"
    try Download(policy: retry, transfer: transfer, total: object.size).run(from: offset, into: sink) {
      (from, deliver) throws(Failure) in
      var call = Call(method: "GET", name: name, what: what)
      if from > 0 { call.headers.append(("range", "bytes=\(from)-")) }
      // The rest of another object would not fit to what came before.
      if from > 0, let etag = object.etag { call.headers.append(("if-match", etag)) }
      var at: Int64?
      let answer = try exchange(client, call) { (bytes) throws(Failure) in
        let place = at ?? client.answerStart
        at = place + Int64(bytes.count)
        try deliver(place, bytes)
      }
      switch answer.status {
      case 200, 206: return .done(())
      case 404: throw missing(name)
      case 412: throw Failure(what: what, why: "the object was replaced while it was read", next: "run the same command again")
      default: return try refused(answer, what)
      }
    }
  }

  func head(_ name: String) throws(Failure) -> StoredObject? {
    try StoreName.check(name)
    let call = Call(
      method: "HEAD", name: name, headers: settings.checksums ? [("x-amz-checksum-mode", "ENABLED")] : [],
      what: "cannot look at \(name) in \(url)")
    let answer = try perform(try HTTPClient(), call, nil, also: [404])
    if answer.status == 404 { return nil }
    guard let size = answer["content-length"].flatMap({ Int64($0) }), size >= 0 else {
      throw Failure(what: call.what, why: "the server does not say its size", next: "check the endpoint")
    }
    return StoredObject(
      name: name, size: size, modified: answer["last-modified"].flatMap { Timestamp(httpDate: $0) },
      // The checksum of a multipart object is one of checksums, and says so with a dash.
      sha256: answer["x-amz-checksum-sha256"].flatMap { bytes(base64: $0) }.flatMap { Digest($0) }, etag: answer["etag"])
  }

  func list(_ prefix: String) throws(Failure) -> [StoredObject] {
    try StoreName.check(prefix: prefix)
    let client = try HTTPClient()
    let full = settings.prefix + prefix
    var found: [StoredObject] = []
    var token: String?
    repeat {
      var call = Call(method: "GET", what: "cannot list \(url)\(prefix)")
      call.query = [("list-type", "2"), ("prefix", full), ("encoding-type", "url")]
      if let token { call.query.append(("continuation-token", token)) }
      let page = try S3Listing(XMLParser.parse(try perform(client, call, nil).body))
      guard page.next == nil || page.next != token else {
        throw Failure(what: call.what, why: "the server gives the same page again and again", next: "check the endpoint")
      }
      token = page.next
      for object in page.objects where object.name.hasPrefix(full) {
        var object = object
        object.name = String(object.name.dropFirst(settings.prefix.count))
        if StoreName.isOurs(object.name) { found.append(object) }
      }
    } while token != nil
    return found.sorted { $0.name < $1.name }
  }

  func delete(_ name: String) throws(Failure) {
    try StoreName.check(name)
    let call = Call(method: "DELETE", name: name, what: "cannot delete \(name) in \(url)")
    _ = try perform(try HTTPClient(), call, nil, also: [404])
  }
}

/// A region becomes part of a host's name, so it may hold nothing that would make it another.
func isRegionName(_ text: String) -> Bool {
  !text.isEmpty && text.utf8.count <= 64
    && text.utf8.allSatisfy {
      (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) || $0 == 0x2d || $0 == 0x5f
    }
}
