public import Host
internal import Model

/// Where a member of etcd answers, and with what kguard shows itself there.
public struct EtcdEndpoint: Sendable, Equatable {
  /// `https://127.0.0.1:2379`, without a path.
  public var url: String
  public var tls: TLSIdentity
  /// A socket file in place of the URL's address.
  public var unixSocket: String?

  public init(_ url: String, tls: TLSIdentity = TLSIdentity(), unixSocket: String? = nil) {
    self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
    self.tls = tls
    self.unixSocket = unixSocket
  }

  /// For messages.
  public var name: String { unixSocket ?? url }

  var authorityName: String { Self.name(tls.authority, or: "of this machine's trust store") }
  var certificateName: String { Self.name(tls.certificate, or: "a missing client certificate") }

  private static func name(_ pem: PEM?, or none: String) -> String {
    switch pem {
    case .file(let path): path
    case .bytes: "the one given inline"
    case nil: none
    }
  }
}
