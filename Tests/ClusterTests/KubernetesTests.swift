import Host
import Model
import Testing

@testable import Cluster

@Suite struct `Kubernetes` {
  let directory = TemporaryDirectory()

  private func kubeconfig(_ cluster: String, _ user: String, port: String = "6443") -> String {
    """
    apiVersion: v1
    kind: Config
    current-context: admin@k
    contexts:
    - {name: other, context: {cluster: none, user: none}}
    - name: admin@k
      context: {cluster: k, user: admin}
    clusters:
    - name: k
      cluster: {server: "https://127.0.0.1:\(port)", \(cluster)}
    users:
    - name: admin
      user: {\(user)}
    """
  }

  private func read(_ text: String) throws(Failure) -> KubeConfig {
    try Files.replace(directory.path + "/admin.conf", with: Array(text.utf8))
    return try KubeConfig.read(LocalMachine(), directory.path + "/admin.conf")
  }

  @Test func `the API is read with a kubeconfig's inline keys, page by page`() throws {
    let pki = try TestPKI(directory.path + "/pki")
    let portFile = directory.path + "/port"
    let server = try TestProcess(
      [
        "python3", TestEtcd.servers + "/apiserver.py", portFile, pki.path("ca", "crt"), pki.path("server", "crt"),
        pki.path("server", "key"),
      ],
      log: directory.path + "/log")
    defer { server.end() }
    try waitUntil("the server listens") { try Files.exists(portFile) }
    func data(_ name: String, _ kind: String) throws -> String { try run("base64", "-w0", pki.path(name, kind)) }
    let config = try read(
      kubeconfig(
        "certificate-authority-data: \(data("ca", "crt"))",
        "client-certificate-data: \(data("healthcheck-client", "crt")), client-key-data: \(data("healthcheck-client", "key"))",
        port: try #require(try Files.textIfPresent(portFile))))
    let api = try KubernetesAPI(config)
    #expect(try api.version() == "v1.21.0")
    #expect(try api.health() == KubernetesAPI.Health(isOK: false, failing: ["etcd"]))
    #expect(try api.health("/livez") == KubernetesAPI.Health(isOK: true, failing: []))
    // The third page expires once, and the collection is read anew.
    let pods = try api.pods()
    #expect(pods.count == 1203 && Set(pods.map(\.name)).count == 1203)
    #expect(try api.count("/api/v1/pods") == 1203)
    #expect(try api.count("/api/v1/uncounted") == 1203)
    #expect(try api.find("/api/v1/nothing") == nil)
    // A conversion webhook that fails, a refusal, a server that is down: each is named, the rest is counted.
    let (counts, uncounted) = try api.counts()
    #expect(counts.map { "\($0.resource) \($0.count)" } == ["pods 1203"])
    #expect(uncounted == ["/apis/down.example.com/v1", "secrets", "widgets.good.example.com"])
    let forbidden = #expect(throws: Failure.self) { try api.get("/api/v1/secrets") }
    #expect(forbidden?.why == "HTTP 403: secrets is forbidden")
    #expect(throws: Failure.self) { try api.get("/api/v1/broken") }
    #expect(!"\(config)".contains("KEY") && "\(config)".contains("admin@k"))
  }

  @Test(arguments: [
    ("insecure-skip-tls-verify: true", "token: x", "insecure-skip-tls-verify"), ("tls-server-name: x", "token: x", "tls-server-name"),
    ("certificate-authority-data: '!'", "token: x", "is not base64"), ("certificate-authority: gone.crt", "token: x", "gone.crt"),
    ("proxy: x", "exec: {command: x}", "signs in by `exec`"),
  ])
  func `a kubeconfig that kguard can't follow is refused`(cluster: String, user: String, why: String) throws {
    let failure = #expect(throws: Failure.self) { try read(kubeconfig(cluster, user)) }
    #expect(failure?.why.contains(why) == true && failure?.exit == .usage)
  }

  @Test func `a missing or broken kubeconfig says which`() throws {
    let failure = #expect(throws: Failure.self) { try KubeConfig.read(LocalMachine(), directory.path + "/none.conf") }
    #expect(failure?.what.contains("none.conf") == true)
    for text in [
      "", "a: &b c", "current-context: x", "current-context: x\ncontexts: []", "- a",
      kubeconfig("a: b", "c: d").replacing("k\n", with: "z\n"),
    ] {
      #expect(throws: Failure.self) { try read(text) }
    }
  }

  @Test func `base64 is read as written, and only so`() {
    for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9v\nYmFy", "foobar")] {
      #expect(decodeBase64(text) == Array(bytes.utf8))
    }
    for text in ["Z", "Zg", "Zg=", "Zg===", "Z===", "Zm9v=", "Zm9v====", "Zg==Zg==", "Zm-_"] {
      #expect(decodeBase64(text) == nil, "\(text)")
    }
  }
}
