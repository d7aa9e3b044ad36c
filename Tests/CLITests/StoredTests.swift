import Host
import Model
import Testing

/// A backup goes to a real server, and comes back from there to a state directory that knows nothing.
@Suite struct `A backup on a server` {
  private let directory = StoreTestDirectory()

  /// `files` are put below the node's `/etc/kguard`.
  private func roundTrip(_ target: String, url: String, files: [String: [UInt8]] = [:], _ environment: [String: String] = [:]) throws {
    let node = try SandboxNode("--seed-objects", "20")
    defer { node.down() }
    let key = try node.configureOffsite()
    let path = node.root + "/etc/kguard/config.yaml"
    let text = try Files.textIfPresent(path)?.split(separator: "\n").dropFirst().joined(separator: "\n") ?? ""
    try Files.replace(path, with: Array("offsite: [\(target)]\n\(text)\n".utf8), mode: 0o644)
    for (name, bytes) in files { try Files.replace(node.root + "/etc/kguard/" + name, with: bytes) }

    let (state, elsewhere) = (node.bench.path + "/state", node.bench.path + "/elsewhere")
    let checks = try JSON(parsing: try node.kguard(["check", "-o", "json"], state: state, environment: environment).output)
    let check = checks["checks"]?.array?.first { $0["name"] == "offsite" }
    #expect(check?["result"] == "pass", "\(check?.text() ?? "")")
    let done = try node.kguard(["backup", "--no-drill"], state: state, environment: environment)
    try #require(done.exit == 0, "\(done.errors)")
    let bundle = try #require(Files.list(state + "/bundles").first)

    let from = ["--from", url, "--identity", key]
    let list = try node.kguard(["bundle", "list"] + from, state: elsewhere, environment: environment)
    #expect(list.exit == 0 && list.output.contains("\n\(bundle)  "), "\(list.output) \(list.errors)")
    let pulled = try node.kguard(["bundle", "pull"] + from, state: elsewhere, environment: environment)
    #expect(pulled.exit == 0, "\(pulled.errors)")
    for name in ["snapshot.db", "node.tar.zst", "SHA256SUMS", "bundle.json"] {
      #expect(try Files.read("\(elsewhere)/bundles/\(bundle)/\(name)") == Files.read("\(state)/bundles/\(bundle)/\(name)"), "\(name)")
    }
    #expect(try node.kguard(["drill", bundle], state: elsewhere).exit == 0)
  }

  @Test(.enabled(if: TestTools.haveS3, TestTools.hint)) func `for S3 comes back as it was`() throws {
    let server = try TestServer.rclone(in: directory)
    let target = "{url: s3://bundles/node, endpoint: 'http://127.0.0.1:\(server.port)', path-style: true}"
    try roundTrip(target, url: "s3://bundles/node", ["AWS_ACCESS_KEY_ID": "guard", "AWS_SECRET_ACCESS_KEY": "secret"])
    #expect(try Files.list(directory.path + "/buckets/bundles/node").count == 1)
  }

  @Test(.enabled(if: SecureServer.isHere, "needs OpenSSH's sshd, and root")) func `over ssh comes back as it was`() throws {
    let server = try SecureServer(directory)
    let url = "sftp://\(server.user)@127.0.0.1:\(server.port)\(try directory.make("store"))"
    try roundTrip(
      "{url: '\(url)', key-file: /etc/kguard/key, known-hosts: /etc/kguard/known_hosts}", url: url,
      files: ["key": try Files.read(directory.path + "/client"), "known_hosts": try Files.read(server.knownHosts())])
    #expect(try Files.list(directory.path + "/store").count == 1)
  }
}
