internal import Host
internal import Model

/// How a call ended, in gRPC's own terms.
struct GRPCStatus: Equatable {
  enum Code: Int {
    case ok, cancelled, unknown, invalidArgument, deadlineExceeded, notFound, alreadyExists, permissionDenied, resourceExhausted,
      failedPrecondition, aborted, outOfRange, unimplemented, internalError, unavailable, dataLoss, unauthenticated
  }
  let code: Code
  let message: String
}

/// Calls of one gRPC server over one HTTP/2 connection of libcurl. Not for two threads at once.
///
/// kguard speaks gRPC for everything and not etcd's JSON gateway: the gateway can be switched off, dials etcd with the server's own
/// certificate (which fails where that one may not act as a client), and carries a snapshot as base64 in JSON.
final class GRPCChannel {
  let endpoint: EtcdEndpoint
  private let client: HTTPClient
  /// How the last call ended, where the server said so.
  private(set) var status: GRPCStatus?
  /// Why the last call broke below gRPC.
  var fault: HTTPFault? { client.fault }

  init(_ endpoint: EtcdEndpoint, stop: StopSignal?) throws(Failure) {
    self.endpoint = endpoint
    client = try HTTPClient(stop: stop)
  }

  /// One message there, one back.
  func unary(
    _ method: String, _ message: ProtobufWriter, timeout: Duration, metadata: [(name: String, value: String)] = []
  ) throws(Failure) -> [UInt8] {
    var answer: [UInt8]?
    try call(method, message, timeout: timeout, stall: timeout, metadata: metadata, limit: 64 << 20) { (bytes) in
      answer = [UInt8](bytes)
    }
    if let answer { return answer }
    throw EtcdFailures.cut(endpoint, method: method, detail: "the answer is empty")
  }

  /// One message there, any number back; each is handed over while it is whole and not kept.
  func stream(
    _ method: String, _ message: ProtobufWriter, timeout: Duration, stall: Duration,
    each: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    try call(method, message, timeout: timeout, stall: stall, metadata: [], limit: 16 << 20, each: each)
  }

  private func call(
    _ method: String, _ message: ProtobufWriter, timeout: Duration, stall: Duration, metadata: [(name: String, value: String)],
    limit: Int, each: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    var request = HTTPRequest("POST", endpoint.url + "/etcdserverpb." + method)
    request.version = .http2
    request.headers = [
      ("content-type", "application/grpc"), ("te", "trailers"), ("user-agent", "kguard"),
      ("grpc-timeout", "\(max(1, min(timeout.milliseconds, 99_999_999)))m"),
    ]
    request.headers += metadata
    request.body = .bytes(GRPCFrames.framed(message.bytes))
    request.tls = endpoint.tls
    request.timeout = timeout
    request.stall = stall
    request.connectTimeout = min(timeout, .seconds(5))
    request.usesProxy = false
    request.unixSocket = endpoint.unixSocket
    request.receiveBuffer = 512 << 10

    status = nil
    var frames = GRPCFrames(limit: limit)
    // The answer may be anything until its head says that it is gRPC, and libcurl gives the head with the last byte; a body that
    // is something else breaks at its first frame, and then the head explains it.
    var broken: Failure?
    let result: Result<HTTPResponse, Failure> = withoutActuallyEscaping(each) { each in
      do throws(Failure) {
        return .success(
          try client.send(request) { (bytes) throws(Failure) in
            if broken != nil { return }
            do throws(GRPCFrames.Malformed) {
              try frames.take(bytes, each: each)
            } catch {
              switch error {
              case .caller(let failure): throw failure
              case .frame(let why): broken = EtcdFailures.notEtcd(self.endpoint, why: why)
              }
            }
          })
      } catch { return .failure(error) }
    }
    let response: HTTPResponse
    switch result {
    case .success(let answered): response = answered
    case .failure(let failure):
      guard var fault = client.fault else { throw failure }
      if fault == .cut && !frames.hasBegun { fault = handshakeFault() ?? fault }
      throw EtcdFailures.transport(endpoint, method: method, fault: fault, failure)
    }
    guard response.status == 200, response["content-type"]?.hasPrefix("application/grpc") == true else {
      throw EtcdFailures.notEtcd(endpoint, why: "it answered HTTP \(response.status) of type \(response["content-type"] ?? "unknown")")
    }
    if let broken { throw broken }
    guard let number = response["grpc-status"].flatMap({ Int($0) }) else {
      throw EtcdFailures.cut(endpoint, method: method, detail: "the answer ended without a status")
    }
    let ended = GRPCStatus(
      code: GRPCStatus.Code(rawValue: number) ?? .unknown, message: percentDecoded(response["grpc-message"] ?? ""))
    status = ended
    guard ended.code == .ok else { throw EtcdFailures.status(endpoint, method: method, ended) }
    guard frames.isAtBoundary else {
      throw EtcdFailures.cut(endpoint, method: method, detail: "the last message is not whole")
    }
  }
}

extension GRPCChannel {
  /// What a plain handshake says, where a call was cut before its answer began.
  private func handshakeFault() -> HTTPFault? {
    guard endpoint.url.hasPrefix("https:"), let probe = try? HTTPClient() else { return nil }
    var request = HTTPRequest("GET", endpoint.url + "/version")
    request.version = .http1
    request.tls = endpoint.tls
    request.atMostTLS12 = true
    request.timeout = .seconds(5)
    request.usesProxy = false
    request.unixSocket = endpoint.unixSocket
    _ = try? probe.send(request, limit: 1 << 20)
    return probe.fault == .clientRejected ? .clientRejected : nil
  }
}

/// gRPC's messages in a stream of bytes: a byte for compression, four for the length, the message.
struct GRPCFrames {
  enum Malformed: Error {
    case frame(String)
    case caller(Failure)
  }

  private let limit: Int
  private var pending: [UInt8] = []
  private(set) var hasBegun = false

  init(limit: Int) { self.limit = limit }

  static func framed(_ message: [UInt8]) -> [UInt8] {
    let size = UInt32(clamping: message.count)
    return [0] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: size >> UInt32($0)) } + message
  }

  var isAtBoundary: Bool { pending.isEmpty }

  mutating func take(_ bytes: UnsafeRawBufferPointer, each: (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Malformed) {
    var rest = bytes[...]
    hasBegun = true
    while true {
      if pending.isEmpty {
        // Whole messages are handed over where they lie.
        while let size = try Self.size(rest.prefix(5), limit: limit), rest.count >= 5 + size {
          let from = rest.startIndex + 5
          try give(UnsafeRawBufferPointer(rebasing: bytes[from..<from + size]), each)
          rest = rest[(from + size)...]
        }
        if rest.isEmpty { return }
      }
      let missing = try Self.size(pending[...].prefix(5), limit: limit).map { 5 + $0 - pending.count } ?? 5 - pending.count
      let part = rest.prefix(missing)
      pending.append(contentsOf: part)
      rest = rest[part.endIndex...]
      if let size = try Self.size(pending.prefix(5), limit: limit), pending.count == 5 + size {
        do throws(Failure) {
          try pending.withBytes { (raw) throws(Failure) in try each(UnsafeRawBufferPointer(rebasing: raw[5...])) }
        } catch { throw .caller(error) }
        pending.removeAll(keepingCapacity: true)
      }
      if rest.isEmpty { return }
    }
  }

  private func give(
    _ message: UnsafeRawBufferPointer, _ each: (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Malformed) {
    do throws(Failure) { try each(message) } catch { throw .caller(error) }
  }

  /// The length that a head gives; nil while the head is not whole.
  private static func size(_ head: some Collection<UInt8>, limit: Int) throws(Malformed) -> Int? {
    guard let flag = head.first else { return nil }
    guard flag == 0 else { throw .frame("its answer is compressed, or not gRPC") }
    guard head.count >= 5 else { return nil }
    let size = head.dropFirst().reduce(0) { $0 << 8 | Int($1) }
    guard size <= limit else { throw .frame("a message of \(size) bytes is larger than any of etcd's") }
    return size
  }
}

/// `grpc-message` is percent-encoded UTF-8; what is not a proper escape stays as it is.
func percentDecoded(_ text: String) -> String {
  var out: [UInt8] = []
  var rest = Array(text.utf8)[...]
  while let byte = rest.popFirst() {
    if byte == UInt8(ascii: "%"), rest.count >= 2, let decoded = bytes(hex: String(decoding: rest.prefix(2), as: UTF8.self)) {
      out += decoded
      rest = rest.dropFirst(2)
    } else {
      out.append(byte)
    }
  }
  return String(decoding: out, as: UTF8.self)
}
