public import Host
public import Model

/// What the configuration says of etcd; what it leaves out is read from the manifests.
public struct EtcdOverrides: Sendable, Equatable {
  public var manifest: String?
  public var endpoints: [String] = []
  public var authority: String?
  public var certificate: String?
  public var key: String?
  /// The prefix of all keys of Kubernetes.
  public var prefix: String?
  public init() {}
}

/// Which etcd this control plane uses, and how kguard reaches it.
public struct EtcdLocation: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    /// A static pod of this node.
    case stacked(EtcdManifest)
    /// Someone else's: kguard takes its snapshot and leaves restoring to its owner.
    case external
  }

  public let kind: Kind
  public let endpoints: [EtcdEndpoint]
  public let prefix: String

  public var manifest: EtcdManifest? { if case .stacked(let manifest) = kind { manifest } else { nil } }

  public static let apiServerManifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"

  public static func find(_ machine: some Machine, _ overrides: EtcdOverrides = EtcdOverrides()) throws(Failure) -> EtcdLocation {
    let path = overrides.manifest ?? EtcdManifest.usualPath
    let hasServer = try machine.info(apiServerManifest) != nil
    let server = hasServer ? try StaticPodManifest.read(machine, apiServerManifest, program: "kube-apiserver") : nil
    let prefix = overrides.prefix ?? server?.flags["etcd-prefix"] ?? "/registry"
    if try machine.info(path) != nil || overrides.manifest != nil {
      let manifest = try EtcdManifest.read(machine, path)
      var isOurs = true
      if overrides.endpoints.isEmpty {
        try requireSame(manifest, server)
      } else {
        isOurs = belongs(manifest, machine, overrides, server)
      }
      if isOurs {
        let urls = overrides.endpoints.isEmpty ? manifest.clientURLs : overrides.endpoints
        let tls = try identity(machine, overrides, manifest)
        return EtcdLocation(kind: .stacked(manifest), endpoints: urls.map { EtcdEndpoint($0, tls: tls) }, prefix: prefix)
      }
    }
    let urls = overrides.endpoints.isEmpty ? server?.flags.list("etcd-servers") ?? [] : overrides.endpoints
    guard !urls.isEmpty else {
      throw Failure(
        .usage, what: "cannot find etcd",
        why: "there is no \(path), and " + (hasServer ? "\(apiServerManifest) names no --etcd-servers" : "no \(apiServerManifest)"),
        next: "run kguard on a control-plane node, or set etcd.endpoints and its certificates in the configuration")
    }
    let tls = try identity(machine, overrides, server)
    return EtcdLocation(kind: .external, endpoints: urls.map { EtcdEndpoint($0, tls: tls) }, prefix: prefix)
  }

  /// Whether the manifest is of the etcd at the endpoints that the configuration names: as that etcd's own member list says, and where it does
  /// not answer, as the addresses say.
  private static func belongs(
    _ manifest: EtcdManifest, _ machine: some Machine, _ overrides: EtcdOverrides, _ server: StaticPodManifest?
  ) -> Bool {
    let own = Set((manifest.clientURLs + manifest.listenClientURLs).map(address))
    let advertised = Set(manifest.advertiseClientURLs.map(address))
    for tls in [try? identity(machine, overrides, manifest), try? identity(machine, overrides, server)] {
      guard let tls else { continue }
      for url in overrides.endpoints {
        let members = try? EtcdClient(EtcdEndpoint(url, tls: tls), timeout: .seconds(2)).members(linearizable: false)
        guard let members else { continue }
        return members.contains {
          $0.name == manifest.name && (advertised.isEmpty || !advertised.isDisjoint(with: $0.clientURLs.map(address)))
        }
      }
    }
    if overrides.endpoints.contains(where: { own.contains(address($0)) }) { return true }
    let servers = (server?.flags.list("etcd-servers") ?? []).map(address)
    return servers.isEmpty || servers.contains(where: own.contains)
  }

  /// A forgotten manifest beside an API server that uses another etcd would have kguard guard the wrong one.
  private static func requireSame(_ manifest: EtcdManifest, _ server: StaticPodManifest?) throws(Failure) {
    let servers = (server?.flags.list("etcd-servers") ?? []).map(address)
    let own = Set((manifest.clientURLs + manifest.listenClientURLs).map(address))
    let anywhere = manifest.listenClientURLs.contains { $0.contains("//0.0.0.0:") || $0.contains("//[::]:") }
    guard !servers.isEmpty, !anywhere, !servers.contains(where: own.contains) else { return }
    throw Failure(
      .usage, what: "cannot tell which etcd this control plane uses",
      why: "\(manifest.manifest.path) describes one, but the API server uses \(servers.joined(separator: ", "))",
      next: "set etcd.endpoints in the configuration, or remove the manifest that is not used")
  }

  private static func address(_ url: String) -> String {
    let plain = url.hasSuffix("/") ? String(url.dropLast()) : url
    return plain.replacing("://localhost:", with: "://127.0.0.1:").replacing("https://", with: "").replacing("http://", with: "")
  }

  private static func file(
    _ machine: some Machine, _ given: String?, _ server: StaticPodManifest?, _ flag: String
  ) throws(Failure) -> PEM? {
    guard let path = given ?? server?.flags[flag].map({ server?.hostPath($0) ?? $0 }) else { return nil }
    try require(machine, path, for: flag)
    return .file(machine.locate(path))
  }

  private static func require(_ machine: some Machine, _ path: String, for use: String) throws(Failure) {
    guard try machine.info(path) == nil else { return }
    throw Failure(
      .usage, what: "cannot reach etcd", why: "the file \(path) (\(use)) does not exist",
      next: "put it back (kubeadm init phase certs makes kubeadm's own), or name another in the configuration")
  }

  /// What the API server shows an etcd that is not this node's.
  private static func identity(
    _ machine: some Machine, _ overrides: EtcdOverrides, _ server: StaticPodManifest?
  ) throws(Failure) -> TLSIdentity {
    TLSIdentity(
      authority: try file(machine, overrides.authority, server, "etcd-cafile"),
      certificate: try file(machine, overrides.certificate, server, "etcd-certfile"),
      key: try file(machine, overrides.key, server, "etcd-keyfile"))
  }

  /// The authority of etcd, and the client certificate that is best: made for asking, then the API server's, then the server's own.
  private static func identity(
    _ machine: some Machine, _ overrides: EtcdOverrides, _ manifest: EtcdManifest
  ) throws(Failure) -> TLSIdentity {
    var tls = TLSIdentity()
    if let authority = overrides.authority ?? manifest.authority {
      try require(machine, authority, for: "etcd's authority")
      tls.authority = .file(machine.locate(authority))
    }
    if let certificate = overrides.certificate {
      let key = overrides.key ?? certificate.replacing(".crt", with: ".key")
      try require(machine, certificate, for: "client certificate")
      try require(machine, key, for: "its key")
      return TLSIdentity(authority: tls.authority, certificate: .file(machine.locate(certificate)), key: .file(machine.locate(key)))
    }
    guard let pair = try clientPair(machine, manifest) else { return tls }
    tls.certificate = .file(machine.locate(pair.certificate))
    tls.key = .file(machine.locate(pair.key))
    return tls
  }

  private static func clientPair(
    _ machine: some Machine, _ manifest: EtcdManifest
  ) throws(Failure) -> (certificate: String, key: String)? {
    guard let certificate = manifest.certificate, let key = manifest.key else { return nil }
    let directory = Files.directory(of: certificate)
    let bases = [directory + "/healthcheck-client", Files.directory(of: directory) + "/apiserver-etcd-client"]
    var pairs: [(certificate: String, key: String)] = []
    let known: [(certificate: String, key: String)] = bases.map { ($0 + ".crt", $0 + ".key") } + [(certificate, key)]
    for pair in known {
      if try machine.info(pair.certificate) != nil, try machine.info(pair.key) != nil { pairs.append(pair) }
    }
    guard let best = pairs.first else {
      try require(machine, certificate, for: "etcd's --cert-file")
      try require(machine, key, for: "etcd's --key-file")
      return nil
    }
    // One that has run out is used only where there is no other; etcd's answer then says why.
    let valid = pairs.first { pair in
      let certificate = try? Certificate.first(of: .file(machine.locate(pair.certificate)))
      return certificate?.isValid(at: machine.now()) == true
    }
    return valid ?? best
  }
}
