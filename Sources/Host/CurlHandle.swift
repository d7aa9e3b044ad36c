internal import CCurl
internal import Glibc
internal import Model

/// One libcurl easy handle: it keeps its connections from one transfer to the next. Not for two threads at once.
/// This file is the only one that turns libcurl's codes into a `Failure`.
final class CurlHandle {
  let raw: UnsafeMutableRawPointer
  /// What the last transfer came to, for callers whose protocol has more to say about it.
  private(set) var lastCode = CURLE_OK
  /// Why the last transfer broke, if libcurl says that it did.
  private(set) var fault: HTTPFault?

  private static let initialised: Bool = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK

  init() throws(Failure) {
    guard Self.initialised, let handle = curl_easy_init() else {
      throw Failure(what: "cannot start libcurl", why: "it does not initialise", next: "check the installation of libcurl4")
    }
    raw = handle
  }

  deinit { curl_easy_cleanup(raw) }

  /// Back to defaults; connections and sessions stay.
  func reset() {
    curl_easy_reset(raw)
    set(CURLOPT_NOSIGNAL, 1)
    set(CURLOPT_TCP_KEEPALIVE, 1)
  }

  func set(_ option: CURLoption, _ value: Int) { _ = kg_set_long(raw, option, value) }
  func set(_ option: CURLoption, _ value: String) { _ = kg_set_text(raw, option, value) }
  func set(offset option: CURLoption, _ value: Int64) { _ = kg_set_offset(raw, option, Int(value)) }

  func set(_ file: CURLoption, blob: CURLoption, _ pem: PEM?) {
    switch pem {
    case nil: break
    case .file(let path): set(file, path)
    case .bytes(let bytes): bytes.withUnsafeBytes { _ = kg_set_blob(raw, blob, $0.baseAddress, $0.count) }
    }
  }

  func use(_ tls: TLSIdentity) {
    set(CURLOPT_CAINFO, blob: CURLOPT_CAINFO_BLOB, tls.authority)
    set(CURLOPT_SSLCERT, blob: CURLOPT_SSLCERT_BLOB, tls.certificate)
    set(CURLOPT_SSLKEY, blob: CURLOPT_SSLKEY_BLOB, tls.key)
    set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
  }

  var status: Int {
    var value = 0
    _ = kg_get_long(raw, CURLINFO_RESPONSE_CODE, &value)
    return value
  }

  /// Runs the transfer that the options describe, with data going through `exchange`.
  func perform(_ exchange: CurlExchange, what: String) throws(Failure) {
    let context = Unmanaged.passUnretained(exchange).toOpaque()
    _ = kg_set_data(raw, CURLOPT_WRITEFUNCTION, Self.received)
    _ = kg_set_pointer(raw, CURLOPT_WRITEDATA, context)
    _ = kg_set_data(raw, CURLOPT_HEADERFUNCTION, Self.header)
    _ = kg_set_pointer(raw, CURLOPT_HEADERDATA, context)
    _ = kg_set_data(raw, CURLOPT_READFUNCTION, Self.wanted)
    _ = kg_set_pointer(raw, CURLOPT_READDATA, context)
    _ = kg_set_progress(raw, Self.progress)
    _ = kg_set_pointer(raw, CURLOPT_XFERINFODATA, context)
    set(CURLOPT_NOPROGRESS, 0)
    var message = [CChar](repeating: 0, count: Int(CURL_ERROR_SIZE))
    let code = message.withUnsafeMutableBufferPointer { buffer in
      _ = kg_set_pointer(raw, CURLOPT_ERRORBUFFER, buffer.baseAddress)
      defer { _ = kg_set_pointer(raw, CURLOPT_ERRORBUFFER, nil) }
      return withExtendedLifetime(exchange) { curl_easy_perform(raw) }
    }
    lastCode = code
    fault = nil
    if let failure = exchange.failure { throw failure }
    if exchange.wasStopped {
      fault = .stopped
      throw Failure(.interrupted, what: what, why: "it was stopped", next: "run `kguard resume` to go on")
    }
    guard code != CURLE_OK else { return }
    let detail = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    var verifyResult = 0
    _ = kg_get_long(raw, CURLINFO_SSL_VERIFYRESULT, &verifyResult)
    fault = HTTPFault(code, verifyResult: verifyResult, detail: detail)
    let why = detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail
    throw Failure(what: what, why: why, next: Self.remedy(code), isTransient: Self.transient.contains(code.rawValue))
  }

  private static let transient: Set<UInt32> = Set(
    [
      CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT, CURLE_OPERATION_TIMEDOUT, CURLE_SEND_ERROR, CURLE_RECV_ERROR,
      CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_HTTP2, CURLE_HTTP2_STREAM, CURLE_SSL_CONNECT_ERROR, CURLE_SSH, CURLE_AGAIN,
      CURLE_SEND_FAIL_REWIND,
    ].map(\.rawValue))

  private static func remedy(_ code: CURLcode) -> String {
    switch code {
    case CURLE_COULDNT_RESOLVE_HOST: "check the host name and the DNS of this machine"
    case CURLE_COULDNT_CONNECT: "check that the server runs and that the address and port are right"
    case CURLE_OPERATION_TIMEDOUT: "check the network and the load of the server, then try again"
    case CURLE_PEER_FAILED_VERIFICATION: "check the authority's certificate (ca), or the known host key; kguard never goes on without it"
    case CURLE_SSL_CERTPROBLEM, CURLE_SSL_CACERT_BADFILE: "check the certificate, its key and the authority's file"
    case CURLE_LOGIN_DENIED: "check user and key"
    default: "check address, certificates and network, then try again"
    }
  }

  private static let received: kg_data = { bytes, size, count, context in
    guard let bytes, let context else { return 0 }
    let exchange = Unmanaged<CurlExchange>.fromOpaque(context).takeUnretainedValue()
    return exchange.take(UnsafeRawBufferPointer(start: bytes, count: size * count)) ? size * count : 0
  }

  private static let header: kg_data = { bytes, size, count, context in
    guard let bytes, let context else { return 0 }
    let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
    Unmanaged<CurlExchange>.fromOpaque(context).takeUnretainedValue().take(header: String(decoding: line, as: UTF8.self))
    return size * count
  }

  private static let wanted: kg_data = { bytes, size, count, context in
    guard let bytes, let context else { return Int(CURL_READFUNC_ABORT) }
    let exchange = Unmanaged<CurlExchange>.fromOpaque(context).takeUnretainedValue()
    return exchange.give(UnsafeMutableRawBufferPointer(start: bytes, count: size * count)) ?? Int(CURL_READFUNC_ABORT)
  }

  private static let progress: kg_progress = { context, _, _, _, _ in
    guard let context else { return 1 }
    return Unmanaged<CurlExchange>.fromOpaque(context).takeUnretainedValue().mustStop() ? 1 : 0
  }
}

/// What goes in and out of one transfer.
final class CurlExchange {
  typealias Source = (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
  typealias Sink = (UnsafeRawBufferPointer) throws(Failure) -> Void

  private let source: Source?
  private let sink: Sink
  private let stop: StopSignal?
  private(set) var failure: Failure?
  private(set) var wasStopped = false
  private(set) var headers: [(name: String, value: String)] = []

  init(source: Source?, sink: @escaping Sink, stop: StopSignal?) {
    self.source = source
    self.sink = sink
    self.stop = stop
  }

  func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
    do throws(Failure) {
      try sink(bytes)
      return true
    } catch {
      failure = error
      return false
    }
  }

  func give(_ buffer: UnsafeMutableRawBufferPointer) -> Int? {
    do throws(Failure) {
      return try source?(buffer) ?? 0
    } catch {
      failure = error
      return nil
    }
  }

  func take(header line: String) {
    if line.hasPrefix("HTTP/") { return headers.removeAll() }
    guard let colon = line.firstIndex(of: ":") else { return }
    let value = line[line.index(after: colon)...].drop { $0 == " " }.prefix { !$0.isNewline }
    headers.append((line[..<colon].lowercased(), String(value)))
  }

  func mustStop() -> Bool {
    if stop?.isNow == true { wasStopped = true }
    return wasStopped
  }
}
