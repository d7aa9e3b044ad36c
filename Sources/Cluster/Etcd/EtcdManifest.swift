public import Host
public import Model

/// The etcd of this node, as its static-pod manifest describes it. Paths are those of the host.
public struct EtcdManifest: Sendable, Equatable {
  public let manifest: StaticPodManifest
  public let name: String
  public let dataDirectory: String
  /// Nil where the write-ahead log lies in the data directory.
  public let walDirectory: String?
  public let listenClientURLs: [String]
  public let advertiseClientURLs: [String]
  public let advertisePeerURLs: [String]
  /// As it was when this member joined: it goes stale. Membership comes from etcd's own member list.
  public let initialCluster: String
  public let authority: String?
  public let certificate: String?
  public let key: String?

  public static let usualPath = "/etc/kubernetes/manifests/etcd.yaml"

  public var image: String { manifest.image }
  public var flags: ContainerFlags { manifest.flags }

  /// `--quota-backend-bytes`, or etcd's own default of 2 GiB.
  public var quota: Int64 {
    let given = value("quota-backend-bytes").flatMap { Int64($0) } ?? 0
    return given > 0 ? given : 2 << 30
  }

  public static func read(_ machine: some Machine, _ path: String = usualPath) throws(Failure) -> EtcdManifest {
    try EtcdManifest(StaticPodManifest.read(machine, path, program: "etcd"))
  }

  init(_ manifest: StaticPodManifest) throws(Failure) {
    let override = "name it in the configuration (etcd: …)"
    func wrong(_ why: String, _ next: String) -> Failure {
      Failure(.usage, what: "cannot use the manifest \(manifest.path)", why: why, next: next)
    }
    func value(_ name: String) throws(Failure) -> String? {
      guard let value = Self.value(manifest, name) else { return nil }
      if value.contains("$(") { throw wrong("--\(name) is \(value), which only kubelet can fill in", override) }
      return value
    }
    /// A path of the container, on the host.
    func path(_ name: String) throws(Failure) -> String? {
      guard let inside = try value(name) else { return nil }
      guard inside.hasPrefix("/") else { throw wrong("--\(name) is \(inside), which is not an absolute path", override) }
      if let host = manifest.hostPath(inside) { return host }
      throw wrong("--\(name) is \(inside), which lies on no hostPath volume of the pod", override)
    }
    func list(_ name: String) throws(Failure) -> [String] {
      Substring(try value(name) ?? "").split(separator: ",").map { $0.trimmed }.filter { !$0.isEmpty }
    }
    if Self.value(manifest, "config-file") != nil {
      throw wrong(
        "etcd reads its settings from --config-file and no other flag",
        "name endpoints, certificates and data directory in the configuration")
    }
    self.manifest = manifest
    name = try value("name") ?? "default"
    guard let data = try path("data-dir") else { throw wrong("it has no --data-dir", override) }
    dataDirectory = data
    walDirectory = try path("wal-dir")
    let listen = try list("listen-client-urls")
    listenClientURLs = listen.isEmpty ? ["http://localhost:2379"] : listen
    advertiseClientURLs = try list("advertise-client-urls")
    let peers = try list("initial-advertise-peer-urls")
    advertisePeerURLs = peers.isEmpty ? ["http://localhost:2380"] : peers
    initialCluster = try value("initial-cluster") ?? ""
    authority = try path("trusted-ca-file")
    certificate = try path("cert-file")
    key = try path("key-file")
  }

  /// Client URLs that reach it from this node, loopback first.
  public var clientURLs: [String] {
    let here = listenClientURLs.map {
      $0.replacing("://0.0.0.0:", with: "://127.0.0.1:").replacing("://[::]:", with: "://[::1]:")
    }
    var urls: [String] = []
    for url in here.filter(Self.isLoopback) + here + advertiseClientURLs where !urls.contains(url) && url.hasPrefix("http") {
      urls.append(url)
    }
    return urls
  }

  private static func isLoopback(_ url: String) -> Bool {
    ["://127.", "://localhost", "://[::1]"].contains { url.contains($0) }
  }

  /// A flag, or the environment variable that etcd takes in its place.
  private static func value(_ manifest: StaticPodManifest, _ flag: String) -> String? {
    if let value = manifest.flags[flag] { return value }
    let variable = "ETCD_" + flag.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    return manifest.environment[variable].flatMap { $0.isEmpty ? nil : $0 }
  }

  private func value(_ flag: String) -> String? { Self.value(manifest, flag) }
}

extension String {
  /// Every occurrence replaced (the standard library's own needs a regular expression engine).
  func replacing(_ part: String, with other: String) -> String {
    var out = ""
    var rest = self[...]
    while !rest.isEmpty {
      if rest.hasPrefix(part) {
        out += other
        rest = rest.dropFirst(part.count)
      } else if let first = rest.popFirst() {
        out.append(first)
      }
    }
    return out
  }
}
