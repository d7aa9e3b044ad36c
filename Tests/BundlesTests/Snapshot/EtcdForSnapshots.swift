import Glibc
import Host
import Model
import Testing

/// An etcd whose snapshots the tests read: Debian's, and 3.5 where `KGUARD_ETCD35` names a directory with its programs.
enum EtcdRelease: String, CaseIterable, CustomTestStringConvertible {
  case installed = "3.4"
  case next = "3.5"

  static let present = allCases.filter { $0.directory != nil }
  var testDescription: String { "etcd \(rawValue)" }

  var directory: String? {
    switch self {
    case .installed: "/usr/bin"
    case .next: environment("KGUARD_ETCD35")
    }
  }

  func program(_ name: String) -> String { (directory ?? "") + "/" + name }
  /// The tool that looks into snapshots: in 3.5 `etcdctl snapshot status` still works, but is not the way any more.
  var snapshotTool: String { self == .installed ? "etcdctl" : "etcdutl" }
}

/// A real etcd on Unix sockets in a directory of its own; it ends with the value.
final class SnapshotEtcd {
  let release: EtcdRelease
  let home = SnapshotDirectory()
  private var pid: Int32 = 0

  init(_ release: EtcdRelease, options: [String] = []) throws {
    self.release = release
    let (client, peer) = ("unix://localhost:1", "unix://localhost:2")
    let log = try OpenFile(home.path + "/log", O_WRONLY | O_CREAT)
    pid = try Spawn.start(
      release.program("etcd"),
      Command(
        [
          "etcd", "--data-dir", "data", "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
          "--initial-advertise-peer-urls", peer, "--initial-cluster", "default=\(peer)", "--max-txn-ops", "10000",
          "--max-request-bytes", "33554432",
        ] + options, directory: home.path),
      output: .descriptor(log.descriptor), error: .descriptor(log.descriptor))
    let deadline = monotonicNow() + .seconds(30)
    while !(try ctl("endpoint", "health").end.isSuccess) {
      try #require(monotonicNow() < deadline, "etcd does not answer; see \(home.path)/log")
      usleep(50_000)
    }
  }

  deinit { stop() }

  func stop() {
    guard pid > 0 else { return }
    kill(pid, SIGTERM)
    _ = Spawn.wait(pid)
    pid = 0
  }

  @discardableResult
  func ctl(_ arguments: String...) throws -> CommandResult {
    try runCaptured(
      release.program("etcdctl"),
      Command(
        ["etcdctl", "--endpoints=unix://localhost:1"] + arguments, environment: ["ETCDCTL_API": "3"], directory: home.path))
  }

  /// Puts many keys as one transaction.
  func putAll(_ pairs: [(String, String)]) throws {
    let puts = pairs.map { "put \($0.0) \"\($0.1.replacing("\"", with: "\\\""))\"\n" }.joined()
    try Files.replace(home.path + "/txn", with: Array(("\n" + puts + "\n\n").utf8))
    try shell("etcdctl txn < txn")
  }

  func put(_ key: String, bytes: [UInt8]) throws {
    try Files.replace(home.path + "/value", with: bytes)
    try shell("etcdctl put '\(key)' < value")
  }

  private func shell(_ line: String) throws {
    let result = try runCaptured(
      "/bin/sh",
      Command(
        ["sh", "-c", line.replacing("etcdctl", with: "\(release.program("etcdctl")) --endpoints=unix://localhost:1")],
        environment: ["ETCDCTL_API": "3"], directory: home.path))
    try #require(result.end.isSuccess, "\(result.errorText)")
  }

  func snapshot(_ name: String = "snapshot.db") throws -> String {
    let path = home.path + "/" + name
    let result = try ctl("snapshot", "save", path)
    try #require(result.end.isSuccess, "\(result.errorText)")
    return path
  }

  /// The file of a member that was stopped.
  func database() -> String {
    stop()
    return home.path + "/data/member/snap/db"
  }

  /// What etcd's own tool says of a file, as plain text or as a table.
  func status(_ path: String, format: String = "simple") throws -> String {
    let result = try runCaptured(
      release.program(release.snapshotTool),
      Command([release.snapshotTool, "snapshot", "status", path, "-w", format], environment: ["ETCDCTL_API": "3"]))
    try #require(result.end.isSuccess, "\(result.errorText)")
    return String(result.text.reversed().drop { $0.isNewline }.reversed())
  }
}

/// A directory of a test's own, removed with it.
final class SnapshotDirectory: Sendable {
  let path: String
  init() {
    var template = Array("/tmp/kguard-test-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
  }
  deinit { _ = try? runCaptured("/bin/rm", Command(["rm", "-rf", path])) }
}

/// What a cluster might have written.
enum SampleObjects {
  static func json(_ kind: String, _ namespace: String, _ name: String, filler: Int = 200) -> String {
    #"{"apiVersion":"v1","kind":"\#(kind)","metadata":{"name":"\#(name)","namespace":"\#(namespace)","#
      + #""uid":"uid-of-\#(name)","labels":{"app":"web"}},"data":"\#(String(repeating: "x", count: filler))"}"#
  }

  /// `runtime.Unknown` as the API server writes it.
  static func protobuf(_ apiVersion: String, _ kind: String, _ namespace: String, _ name: String, filler: Int = 300) -> [UInt8] {
    let label = field(1, "app") + field(2, "web")
    let metadata = field(1, name) + field(3, namespace) + field(5, "uid-of-\(name)") + field(11, label)
    let object = field(1, metadata) + field(2, [UInt8](repeating: 7, count: filler))
    return Array("k8s\0".utf8) + field(1, field(1, apiVersion) + field(2, kind)) + field(2, object) + field(3, "") + field(4, "")
  }

  private static func field(_ number: UInt8, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

  private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    var (length, out) = (bytes.count, [number << 3 | 2])
    while length > 127 {
      out.append(UInt8(length & 0x7f | 0x80))
      length >>= 7
    }
    return out + [UInt8(length)] + bytes
  }

  /// Everything that makes a database interesting: depth, overflow pages, deletions, leases, a compaction, users.
  static func fill(_ etcd: SnapshotEtcd, keys: Int = 4000) throws {
    for part in stride(from: 0, to: keys, by: 2000) {
      try etcd.putAll(
        (part..<min(keys, part + 2000)).map { index in
          let (namespace, name) = ("ns-\(index % 7)", "pod-\(index)")
          return ("/registry/pods/\(namespace)/\(name)", json("Pod", namespace, name))
        })
    }
    for name in ["default", "kube-system"] {
      try etcd.put("/registry/namespaces/\(name)", bytes: protobuf("v1", "Namespace", "", name))
    }
    try etcd.put("/registry/minions/node-1", bytes: protobuf("v1", "Node", "", "node-1"))
    try etcd.put("/registry/services/specs/default/kubernetes", bytes: protobuf("v1", "Service", "default", "kubernetes"))
    try etcd.put("/registry/services/endpoints/default/kubernetes", bytes: protobuf("v1", "Endpoints", "default", "kubernetes"))
    try etcd.put("/registry/secrets/default/sealed", bytes: Array("k8s:enc:aescbc:v1:key1:".utf8) + (0..<64).map { UInt8($0) })
    try etcd.putAll([
      ("/registry/apiextensions.k8s.io/customresourcedefinitions/widgets.example.com", json("CustomResourceDefinition", "", "w")),
      ("/registry/example.com/widgets/default/one", json("Widget", "default", "one")),
      ("/registry/ranges/serviceips", "x"), ("compact_rev_key", "7"),
    ])
    try etcd.put("/registry/configmaps/default/large", bytes: protobuf("v1", "ConfigMap", "default", "large", filler: 1_000_000))
    try etcd.put("/registry/configmaps/default/larger", bytes: protobuf("v1", "ConfigMap", "default", "larger", filler: 1_300_000))
    let lease = try etcd.ctl("lease", "grant", "3600").text.split(separator: " ")[1]
    try etcd.ctl("put", "--lease=\(lease)", "/registry/masterleases/10.0.0.1", "lease")
    for index in 0..<20 { try etcd.ctl("put", "/registry/pods/ns-0/pod-\(index * 7)", "updated") }
    for index in 0..<10 { try etcd.ctl("del", "/registry/pods/ns-1/pod-\(index * 7 + 1)") }
    try etcd.ctl("compact", "15")
    try etcd.ctl("del", "/registry/pods/ns-2/pod-2")
    try etcd.ctl("del", "/registry/pods/ns-3/pod-3")
    try etcd.ctl("put", "/registry/pods/ns-3/pod-3", "again")
    try etcd.ctl("user", "add", "root:secret")
    try etcd.ctl("role", "add", "reader")
  }
}
