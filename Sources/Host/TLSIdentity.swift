/// Where PEM text comes from: a file, or bytes that a kubeconfig carries (they never touch a disk).
public enum PEM: Sendable, Equatable {
  case file(String)
  case bytes([UInt8])
}

/// With what kguard speaks TLS: whom it believes, and who it says it is. The server is always verified.
public struct TLSIdentity: Sendable, Equatable {
  public var authority: PEM?
  public var certificate: PEM?
  public var key: PEM?

  public init(authority: PEM? = nil, certificate: PEM? = nil, key: PEM? = nil) {
    self.authority = authority
    self.certificate = certificate
    self.key = key
  }
}
