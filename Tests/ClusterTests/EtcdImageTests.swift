import Glibc
import Host
import Model
import Testing

@testable import Cluster

/// A containerd of the test's own, where the machine has its programs and lets it mount.
@Suite(.serialized) struct `The image of etcd` {
  static let containerd: String? = {
    let found = (try? LocalMachine())?.find(program: "containerd")
    let hasClient = (try? LocalMachine())?.find(program: "ctr") != nil
    if found == nil || !hasClient || getuid() != 0 { print("images are not tested: that needs root, containerd and ctr in PATH") }
    return hasClient && getuid() == 0 ? found : nil
  }()

  @Test(.enabled(if: containerd != nil), arguments: EtcdRelease.all.suffix(1))
  func `gives a drill its tool and its server, without a shell`(release: EtcdRelease) throws {
    let directory = TemporaryDirectory()
    let config = """
      version = 2
      root = "\(directory.path)/root"
      state = "\(directory.path)/state"
      disabled_plugins = ["io.containerd.grpc.v1.cri"]
      [grpc]
        address = "\(directory.path)/socket"
      """
    try Files.replace(directory.path + "/config.toml", with: Array(config.utf8))
    let daemon = try TestProcess(
      [try #require(Self.containerd), "-c", directory.path + "/config.toml"], log: directory.path + "/log")
    defer { daemon.end() }
    let ctr = directory.path + "/ctr"
    try Files.replace(ctr, with: Array("#!/bin/sh\nexec ctr --address '\(directory.path)/socket' \"$@\"\n".utf8), mode: 0o700)
    try waitUntil("containerd answers") { try runCaptured(ctr, Command([ctr, "-n", "k8s.io", "images", "ls"])).end.isSuccess }
    let reference = "registry.k8s.io/etcd:\(release.version).0-0"
    try run("python3", TestEtcd.servers + "/image.py", release.directory, directory.path + "/image.tar", reference)
    try run(ctr, "-n", "k8s.io", "images", "import", directory.path + "/image.tar")

    let machine = MachineWithClient(local: try LocalMachine(), ctr: ctr)
    let cache = directory.path + "/tools"
    let version = try #require(EtcdVersion(release.version))
    let found = try EtcdImage(machine, reference + "@sha256:none", cache: cache).programs([.etcdutl, .etcdctl, .etcd])
    #expect(found.contains { $0.kind == .etcd })
    for (kind, path) in found { #expect(try EtcdTool(kind, path, origin: reference).version.isSameFamily(as: version)) }
    // A crash left a mount: the next look takes it away.
    try Files.makeDirectory(cache + "/image-left")
    try run(ctr, "-n", "k8s.io", "images", "mount", reference, cache + "/image-left")
    let tools = EtcdTools(machine, cache: cache, image: reference)
    if release.version != "3.4" {
      #expect(try tools.findServer(for: version).origin == reference)
      #expect(try tools.findRestoreTool(for: version).origin == reference)
    } else {
      _ = try EtcdImage(machine, reference, cache: cache).programs([.etcd])
    }
    #expect(try Files.list(cache).filter { $0.hasPrefix("image-") }.isEmpty)
    #expect(try Files.textIfPresent("/proc/self/mountinfo")?.contains(cache) == false)
    let missing = #expect(throws: Failure.self) { try EtcdImage(machine, "registry.k8s.io/none:1", cache: cache).programs([.etcd]) }
    #expect(missing?.why.contains("not found") == true)
    #expect(try Files.list(cache).filter { $0.hasPrefix("image-") }.isEmpty)
  }

  @Test func `is called by its digest or its tag, not by both`() {
    #expect(EtcdImage.names(of: "r:5000/etcd:3.5@sha256:a") == ["r:5000/etcd@sha256:a", "r:5000/etcd:3.5"])
    #expect(EtcdImage.names(of: "r:5000/etcd@sha256:a") == ["r:5000/etcd@sha256:a"])
    #expect(EtcdImage.names(of: "r/etcd:3.5") == ["r/etcd:3.5"])
  }
}

/// This machine, with a `ctr` of the test's own.
private struct MachineWithClient: Machine {
  let local: LocalMachine
  let ctr: String
  var root: String { local.root }
  func now() -> Timestamp { local.now() }
  func random(_ count: Int) -> [UInt8] { local.random(count) }
  func locate(_ path: String) -> String { local.locate(path) }
  func find(program: String) -> String? { program == "ctr" ? ctr : local.find(program: program) }
}
