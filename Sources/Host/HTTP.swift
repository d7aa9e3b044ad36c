internal import CCurl
internal import Glibc
public import Model

/// One HTTP request. Time is bounded by `timeout` where given, and always by `stall`: so long without a byte is a failure.
public struct HTTPRequest {
  public enum Version: Sendable { case any, http1, http2 }

  public enum Body {
    case none
    case bytes([UInt8])
    /// Asked for the next bytes until it gives 0. `size` is sent as Content-Length; nil sends it in chunks.
    case stream(size: Int64?, (UnsafeMutableRawBufferPointer) throws(Failure) -> Int)
  }

  public var method: String
  public var url: String
  public var headers: [(name: String, value: String)] = []
  public var body: Body = .none
  public var tls = TLSIdentity()
  public var version: Version = .any
  public var connectTimeout: Duration = .seconds(10)
  public var timeout: Duration?
  public var stall: Duration = .seconds(30)
  /// False where the server is on the cluster's own network and an `https_proxy` of the environment does not concern it.
  public var usesProxy = true
  /// Goes through this socket file in place of the address in `url`.
  public var unixSocket: String?
  /// With TLS 1.3 a server that refuses our certificate may reset the connection before its alert is read; with 1.2 the handshake waits
  /// for it. For finding out why, not for data.
  public var atMostTLS12 = false
  /// How much libcurl takes from the connection at once; nil leaves its own size.
  public var receiveBuffer: Int?

  public init(_ method: String = "GET", _ url: String) {
    self.method = method
    self.url = url
  }
}

public struct HTTPResponse: Sendable {
  public let status: Int
  /// Names in lower case; with HTTP/2 the trailers come last.
  public let headers: [(name: String, value: String)]
  /// Empty where a sink took it.
  public let body: [UInt8]

  public init(status: Int, headers: [(name: String, value: String)], body: [UInt8]) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  public subscript(name: String) -> String? { headers.last { $0.name == name }?.value }
  public var text: String { String(decoding: body, as: UTF8.self) }
}

/// HTTP over libcurl. Redirects are not followed. One client keeps its connection; use one client a thread.
public final class HTTPClient {
  private let handle: CurlHandle
  private let stop: StopSignal?
  private var exchange: CurlExchange?
  /// Why the last request broke; nil where it was answered, or where the caller's own sink or source threw.
  public private(set) var fault: HTTPFault?

  public init(stop: StopSignal? = nil) throws(Failure) {
    handle = try CurlHandle()
    self.stop = stop
  }

  /// The status of the answer that is arriving, for a sink that wants the body of a success only.
  public var status: Int { handle.status }

  /// A header of the answer that is arriving; the name in lower case.
  public func header(_ name: String) -> String? { exchange?.headers.last { $0.name == name }?.value }

  /// Sends a request and keeps the whole answer, at most `limit` bytes, in memory.
  public func send(_ request: HTTPRequest, limit: Int = 64 << 20) throws(Failure) -> HTTPResponse {
    var body: [UInt8] = []
    let head = try send(request) { (bytes) throws(Failure) in
      guard body.count + bytes.count <= limit else {
        throw Failure(
          what: "cannot read the answer of \(request.url)", why: "it is larger than \(sizeForPeople(Int64(limit)))",
          next: "check the address")
      }
      body.append(contentsOf: bytes)
    }
    return HTTPResponse(status: head.status, headers: head.headers, body: body)
  }

  /// Sends a request; the answer's body goes to `sink` as it comes. Any status is an answer: only a broken exchange throws.
  public func send(
    _ request: HTTPRequest, sink: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) -> HTTPResponse {
    handle.reset()
    handle.set(CURLOPT_URL, request.url)
    handle.set(CURLOPT_PROTOCOLS_STR, "http,https")
    handle.set(CURLOPT_CUSTOMREQUEST, request.method)
    if request.method == "HEAD" { handle.set(CURLOPT_NOBODY, 1) }
    handle.use(request.tls)
    switch request.version {
    case .any: handle.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_2TLS))
    case .http1: handle.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    case .http2:
      let isPlain = request.url.hasPrefix("http:")
      handle.set(CURLOPT_HTTP_VERSION, Int(isPlain ? CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE : CURL_HTTP_VERSION_2_0))
      // libcurl 7.88 greets again on a plain HTTP/2 connection that it uses again, and the server hangs up.
      if isPlain { handle.set(CURLOPT_FORBID_REUSE, 1) }
    }
    handle.set(CURLOPT_CONNECTTIMEOUT_MS, Int(request.connectTimeout.milliseconds))
    if let timeout = request.timeout { handle.set(CURLOPT_TIMEOUT_MS, Int(timeout.milliseconds)) }
    handle.set(CURLOPT_LOW_SPEED_LIMIT, 1)
    handle.set(CURLOPT_LOW_SPEED_TIME, max(1, Int(request.stall.milliseconds / 1000)))

    if request.atMostTLS12 { handle.set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2) | Int(CURL_SSLVERSION_MAX_TLSv1_2)) }
    if !request.usesProxy { handle.set(CURLOPT_NOPROXY, "*") }
    if let socket = request.unixSocket { handle.set(CURLOPT_UNIX_SOCKET_PATH, socket) }
    if let size = request.receiveBuffer { handle.set(CURLOPT_BUFFERSIZE, size) }

    var list: UnsafeMutablePointer<curl_slist>?
    defer { curl_slist_free_all(list) }
    // libcurl would wait a second for a server that does not know `Expect`.
    for (name, value) in [("Expect", "")] + request.headers.map({ ($0.name, $0.value) }) {
      list = curl_slist_append(list, value.isEmpty ? "\(name):" : "\(name): \(value)")
    }
    _ = kg_set_list(handle.raw, CURLOPT_HTTPHEADER, list)

    let exchange = CurlExchange(source: prepare(request.body), sink: sink, stop: stop)
    self.exchange = exchange
    defer { self.exchange = nil }
    fault = nil
    defer { fault = handle.fault }
    try handle.perform(exchange, what: "cannot \(request.method) \(withoutQuery(request.url))")
    return HTTPResponse(status: handle.status, headers: exchange.headers, body: [])
  }

  /// Tells libcurl what is sent, and gives the source of its bytes.
  private func prepare(_ body: HTTPRequest.Body) -> CurlExchange.Source? {
    switch body {
    case .none: return nil
    case .bytes(let bytes):
      announce(size: Int64(bytes.count))
      var sent = 0
      return { (buffer) throws(Failure) in
        let count = min(buffer.count, bytes.count - sent)
        bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[sent..<sent + count])) }
        sent += count
        return count
      }
    case .stream(let size, let source):
      announce(size: size)
      return source
    }
  }

  private func announce(size: Int64?) {
    handle.set(CURLOPT_UPLOAD, 1)
    if size ?? .max > 1 << 20 { handle.set(CURLOPT_UPLOAD_BUFFERSIZE, 512 << 10) }
    handle.set(offset: CURLOPT_INFILESIZE_LARGE, size ?? -1)
  }

  /// A query may carry a signature, which is nobody's business in a log.
  private func withoutQuery(_ url: String) -> String { String(url.prefix { $0 != "?" }) }
}
