import Cluster
import Glibc
import Host
import Model
import Testing

/// Where etcd's programs of one version are.
struct EtcdRelease: Sendable, CustomTestStringConvertible {
  let version: String
  let directory: String
  var etcd: String { directory + "/etcd" }
  var etcdctl: String { directory + "/etcdctl" }
  /// What takes `snapshot status` and `snapshot restore`.
  var tool: String { access(directory + "/etcdutl", X_OK) == 0 ? directory + "/etcdutl" : etcdctl }
  var testDescription: String { version }

  static let system = EtcdRelease(version: "3.4", directory: "/usr/bin")

  /// 3.4 from Debian, and 3.5 from the directory that KGUARD_ETCD35 names, or /opt/etcd-3.5.
  static let all: [EtcdRelease] = {
    let directory = environment("KGUARD_ETCD35") ?? "/opt/etcd-3.5"
    guard access(directory + "/etcd", X_OK) == 0 else {
      print("etcd 3.5 is not tested: there is no \(directory)/etcd; KGUARD_ETCD35 names its directory")
      return [system]
    }
    return [system, EtcdRelease(version: "3.5", directory: directory)]
  }()
}

/// A real etcd with TLS everywhere, of one or several members on loopback.
final class TestEtcd: Sendable {
  let release: EtcdRelease
  let directory = TemporaryDirectory()
  let pki: TestPKI
  let names: [String]
  let ports: [Int]
  let peerPorts: [Int]
  let members: [TestProcess]

  init(_ release: EtcdRelease = .system, members count: Int = 1, options: [String] = [], server: String = "server") throws {
    self.release = release
    let directory = directory.path
    let pki = try TestPKI(directory + "/pki")
    if server == "expired" { try pki.certificate("expired", days: -1) }
    self.pki = pki
    let all = try freePorts(2 * count)
    let (ports, peerPorts) = (Array(all.prefix(count)), Array(all.suffix(count)))
    let names = (1...count).map { "m\($0)" }
    let cluster = zip(names, peerPorts).map { "\($0)=https://127.0.0.1:\($1)" }.joined(separator: ",")
    members = try zip(names, zip(ports, peerPorts)).map { name, ports in
      try TestProcess(
        Self.arguments(release, directory, pki, name, ports.0, ports.1, cluster, "new", server: server) + options,
        log: "\(directory)/\(name).log",
        directory: directory)
    }
    self.names = names
    self.ports = ports
    self.peerPorts = peerPorts
    if server == "server" {
      try waitUntil("etcd \(release.version) is healthy") { try EtcdClient(endpoint()).catchUp() > 0 }
    }
  }

  static func arguments(
    _ release: EtcdRelease, _ directory: String, _ pki: TestPKI, _ name: String, _ port: Int, _ peerPort: Int, _ cluster: String,
    _ state: String, server: String = "server"
  ) -> [String] {
    [
      release.etcd, "--name=\(name)", "--data-dir=\(directory)/\(name)", "--listen-client-urls=https://127.0.0.1:\(port)",
      "--advertise-client-urls=https://127.0.0.1:\(port)", "--listen-peer-urls=https://127.0.0.1:\(peerPort)",
      "--initial-advertise-peer-urls=https://127.0.0.1:\(peerPort)", "--initial-cluster=\(cluster)", "--initial-cluster-state=\(state)",
      "--initial-cluster-token=test", "--cert-file=\(pki.path(server, "crt"))", "--key-file=\(pki.path(server, "key"))",
      "--client-cert-auth",
      "--trusted-ca-file=\(pki.path("ca", "crt"))", "--peer-cert-file=\(pki.path("peer", "crt"))",
      "--peer-key-file=\(pki.path("peer", "key"))", "--peer-client-cert-auth", "--peer-trusted-ca-file=\(pki.path("ca", "crt"))",
      "--heartbeat-interval=50", "--election-timeout=500", "--logger=zap", "--log-level=warn",
    ]
  }

  func endpoint(_ member: Int = 0, client: String = "healthcheck-client", authority: String = "ca") -> EtcdEndpoint {
    EtcdEndpoint("https://127.0.0.1:\(ports[member])", tls: pki.identity(client, authority: authority))
  }

  func client(_ member: Int = 0) throws -> EtcdClient { try EtcdClient(endpoint(member)) }

  @discardableResult
  func etcdctl(_ arguments: String..., member: Int = 0) throws -> String {
    let argv =
      [
        "/usr/bin/env", "ETCDCTL_API=3", release.etcdctl, "--endpoints=https://127.0.0.1:\(ports[member])",
        "--cacert=\(pki.path("ca", "crt"))",
        "--cert=\(pki.path("healthcheck-client", "crt"))", "--key=\(pki.path("healthcheck-client", "key"))", "--command-timeout=20s",
      ] + arguments
    let result = try runCaptured(argv[0], Command(argv), timeout: .seconds(60))
    try #require(result.end.isSuccess, "\(arguments): \(result.errorText)")
    return result.text
  }

  static let resources = ["pods/default", "secrets/kube-system", "services/specs/default"]

  /// Keys as Kubernetes has them: `count` of each resource, each of `size` bytes, in few transactions.
  func fill(_ resources: [String] = TestEtcd.resources, count: Int = 20, size: Int = 2000) throws {
    let result = try tryFill(resources, count: count, size: size)
    try #require(result.end.isSuccess, "\(result.lastWords)")
  }

  func tryFill(_ resources: [String] = TestEtcd.resources, count: Int, size: Int) throws -> CommandResult {
    let argv =
      ["/usr/bin/env", "python3", Self.servers + "/fill.py", "\(ports[0])", pki.path("ca", "crt")]
      + ["crt", "key"].map { pki.path("healthcheck-client", $0) } + ["\(count)", "\(size)", resources.joined(separator: ",")]
    return try runCaptured(argv[0], Command(argv), timeout: .seconds(120))
  }

  func stop() { for member in members { member.end() } }

  static let servers = Files.directory(of: Files.directory(of: #filePath)) + "/Servers"
}
