internal import CCurl
internal import Model

/// Why an exchange broke, where a caller decides or explains by it. The words of libcurl and OpenSSL are read here only.
public enum HTTPFault: Sendable, Equatable {
  case refused
  case unresolved
  case timedOut
  case stopped
  /// The server's certificate is past its end.
  case serverExpired
  /// The server's certificate does not come from the authority that we believe, or names another host.
  case serverUntrusted
  /// Our own certificate or key cannot be used.
  case clientUnusable
  /// The server answered the handshake with an alert about our certificate.
  case clientRejected
  /// The connection or stream ended before the answer did.
  case cut
  case other

  init(_ code: CURLcode, verifyResult: Int, detail: String) {
    let alerts = [
      "alert bad certificate", "alert unknown ca", "certificate required", "alert certificate expired", "alert certificate unknown",
    ]
    switch code {
    case _ where alerts.contains(where: detail.lowercased().contains): self = .clientRejected
    case CURLE_COULDNT_CONNECT: self = .refused
    case CURLE_COULDNT_RESOLVE_HOST: self = .unresolved
    case CURLE_OPERATION_TIMEDOUT: self = .timedOut
    case CURLE_ABORTED_BY_CALLBACK: self = .stopped
    // X509_V_ERR_CERT_HAS_EXPIRED
    case CURLE_PEER_FAILED_VERIFICATION: self = verifyResult == 10 ? .serverExpired : .serverUntrusted
    case CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR: self = .serverUntrusted
    case CURLE_SSL_CERTPROBLEM: self = .clientUnusable
    case CURLE_HTTP2, CURLE_HTTP2_STREAM, CURLE_PARTIAL_FILE, CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR: self = .cut
    case CURLE_SSL_CONNECT_ERROR where detail.contains("SSL_ERROR_SYSCALL"): self = .cut
    default: self = .other
    }
  }
}
