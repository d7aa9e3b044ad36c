import Bundles
import Glibc
import Host
import Model
import Testing

/// OpenSSH's own server on a loopback port, with keys of its own.
struct SecureServer {
  let server: TestServer
  let directory: StoreTestDirectory
  var port: Int { server.port }
  let user = "root"

  static var isHere: Bool { access("/usr/sbin/sshd", X_OK) == 0 && getuid() == 0 }

  init(_ directory: StoreTestDirectory) throws {
    self.directory = directory
    try Files.makeDirectory("/run/sshd")
    for name in ["host_ed25519", "host_rsa", "host_ecdsa", "client", "other"] {
      let kind = name == "host_rsa" ? "rsa" : name == "host_ecdsa" ? "ecdsa" : "ed25519"
      try Self.run([
        "/usr/bin/ssh-keygen", "-q", "-t", kind, "-b", kind == "rsa" ? "2048" : "256", "-N", "", "-C", name, "-f",
        "\(directory.path)/\(name)",
      ])
    }
    _ = try directory.write("authorized_keys", try Self.text("\(directory.path)/client.pub"))
    let port = try TestServer.freePort()
    let settings = try directory.write(
      "sshd_config",
      """
      ListenAddress 127.0.0.1:\(port)
      HostKey \(directory.path)/host_rsa
      HostKey \(directory.path)/host_ecdsa
      HostKey \(directory.path)/host_ed25519
      AuthorizedKeysFile \(directory.path)/authorized_keys
      PermitRootLogin yes
      StrictModes no
      PasswordAuthentication no
      UsePAM no
      PidFile none
      Subsystem sftp internal-sftp
      """)
    server = try TestServer.listening(port, ["/usr/sbin/sshd", "-f", settings, "-D", "-e"], in: directory)
  }

  /// A known_hosts with one of the server's keys.
  func knownHosts(_ key: String = "host_ed25519", as name: String? = nil) throws -> String {
    let fields = try Self.text("\(directory.path)/\(key).pub").split(separator: " ")
    return try directory.write("known_hosts-\(hex(randomBytes(3)))", "\(name ?? "[127.0.0.1]:\(port)") \(fields[0]) \(fields[1])\n")
  }

  func options(knownHosts: String? = nil, key: String = "client") throws -> [String: String] {
    ["key-file": "\(directory.path)/\(key)", "known-hosts": try knownHosts ?? self.knownHosts()]
  }

  static func run(_ argv: [String]) throws {
    let result = try runCaptured(argv[0], Command(argv))
    try #require(result.end.isSuccess, "\(result.lastWords)")
  }

  static func text(_ path: String) throws -> String { try #require(try Files.textIfPresent(path)) }
}

@Suite(.enabled(if: SecureServer.isHere, "needs OpenSSH's sshd, and root")) struct `A store over ssh` {
  let directory = StoreTestDirectory()
  let server: SecureServer

  init() throws { server = try SecureServer(directory) }

  func open(_ scheme: String, _ options: [String: String], path: String? = nil) throws -> any Store {
    let path = try path ?? directory.make("store")
    return try StoreFactory.open(
      StoreTarget("\(scheme)://\(server.user)@127.0.0.1:\(server.port)\(path)", options: options),
      StoreContext(
        machine: LocalMachine(), scratch: directory.path + "/scratch", retry: RetryPolicy(attempts: 3, base: .milliseconds(5)),
        environment: { _ in nil }))
  }

  @Test(arguments: ["sftp", "scp"]) func `keeps the contract`(scheme: String) throws {
    try checkContract(open(scheme, server.options()), directory)
    #expect(((try? Files.list(directory.path + "/scratch")) ?? []).isEmpty)
    #expect(try Files.list(directory.path + "/store").allSatisfy { !$0.hasSuffix(".part") })
  }

  @Test func `directories above are made, and odd ones are no trouble`() throws {
    let store = try open("sftp", server.options(), path: directory.path + "/deep/a%20b/%22q%22")
    let receipt = try store.put("x/y", .bytes([1, 2, 3]), Transfer())
    _ = try store.readBack("x/y", expecting: receipt)
    #expect(try Files.read(directory.path + "/deep/a b/\"q\"/x/y") == [1, 2, 3])
    _ = try store.put("x/y", .bytes([4]), Transfer())
    #expect(try store.list("").map(\.name) == ["x/y"])
    try store.delete("x/y")
    #expect(try Files.list(directory.path + "/deep/a b/\"q\"").isEmpty)
  }

  @Test func `a path may begin at the user's home`() throws {
    let name = "kguard-test-\(hex(randomBytes(6)))"
    let home = try #require(getpwuid(getuid())?.pointee.pw_dir.map { String(cString: $0) })
    defer { _ = try? runCaptured("/bin/rm", Command(["rm", "-rf", "\(home)/\(name)"])) }
    let store = try open("sftp", server.options(), path: "/~/\(name)")
    let receipt = try store.put("a/b", .bytes([1, 2]), Transfer())
    _ = try store.readBack("a/b", expecting: receipt)
    #expect(try Files.read("\(home)/\(name)/a/b") == [1, 2])
    #expect(try store.list("").map(\.name) == ["a/b"])
    try store.delete("a/b")
    #expect(try Files.list("\(home)/\(name)").isEmpty)
  }

  @Test(arguments: ["host_ecdsa", "host_ed25519"]) func `any of the server's keys may be the known one`(key: String) throws {
    for name in [nil, "example.org,[127.0.0.*]:*"] {
      _ = try open("sftp", server.options(knownHosts: server.knownHosts(key, as: name))).probe()
    }
  }

  @Test func `where only the RSA key is known, it works or says which key to add`() throws {
    do {
      _ = try open("sftp", server.options(knownHosts: server.knownHosts("host_rsa"))).probe()
    } catch let failure as Failure {
      #expect(failure.next.contains("ed25519") && !failure.isTransient, "\(failure)")
    }
    let both = try [server.knownHosts("host_rsa"), server.knownHosts()].map(SecureServer.text).joined()
    _ = try open("sftp", server.options(knownHosts: directory.write("both", both))).probe()
  }

  @Test func `a hashed known_hosts is read`() throws {
    let known = try server.knownHosts("host_ecdsa")
    try SecureServer.run(["/usr/bin/ssh-keygen", "-q", "-H", "-f", known])
    #expect(try SecureServer.text(known).hasPrefix("|1|"))
    _ = try open("sftp", server.options(knownHosts: known)).probe()
  }

  @Test func `an unknown, a changed and a revoked host key are each refused, at once`() throws {
    let key = try SecureServer.text("\(directory.path)/host_ed25519.pub")
    let revoked = try directory.write("revoked", "[127.0.0.1]:\(server.port) \(key)@revoked * \(key)")
    let cases = try [
      (server.knownHosts(as: "elsewhere"), "is not in"), (server.knownHosts(as: "127.0.0.1"), "is not in"),
      (server.knownHosts("other"), "not the one"), (revoked, "is not in"), (server.knownHosts(as: "*,![127.0.0.1]:*"), "is not in"),
    ]
    for (known, why) in cases {
      for scheme in ["sftp", "scp"] {
        let failure = #expect(throws: Failure.self) {
          try open(scheme, server.options(knownHosts: known)).put("a", .bytes([1]), Transfer())
        }
        #expect(failure?.why.contains(why) == true && failure?.isTransient == false, "\(String(describing: failure))")
      }
    }
    #expect(try Files.list(directory.make("store")).isEmpty)
  }

  @Test func `a key that the server does not know is refused at once, and no password is asked for`() throws {
    let failure = #expect(throws: Failure.self) { try open("sftp", server.options(key: "other")).probe() }
    #expect(failure?.isTransient == false && failure?.next.contains("authorized_keys") == true, "\(String(describing: failure))")
  }

  @Test func `a key that others can read is not used`() throws {
    chmod("\(directory.path)/client", 0o644)
    let failure = #expect(throws: Failure.self) { try open("sftp", server.options()) }
    #expect(failure?.exit == .usage)
  }

  @Test func `a full disk fails the put and leaves nothing under the name`() throws {
    let mount = try directory.make("small")
    try SecureServer.run(["/bin/mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount])
    defer { try? SecureServer.run(["/bin/umount", mount]) }
    let store = try open("sftp", server.options(), path: mount)
    #expect(throws: Failure.self) { try store.put("a", .bytes(randomBytes(3 << 20)), Transfer()) }
    #expect(try Files.list(mount).isEmpty)
  }

  @Test(arguments: ["sftp", "scp"]) func `a connection that is cut in the middle is made anew`(scheme: String) throws {
    let python = try #require(TestTools.systemPython)
    let quick = RetryPolicy(attempts: 2, base: .zero)
    for (cuts, passes) in [(2, true), (99, false)] {
      let bundle = try SentBundle(in: directory, 9 << 20)
      let path = directory.path + "/store\(cuts)/" + (scheme == "sftp" ? bundle.name : bundle.name.replacing("/", with: "."))
      let proxy = try TestServer.announcing(
        [python, TestTools.servers + "/cutting_proxy.py", "\(server.port)", "\(5 << 20)", "\(cuts)"], in: directory)
      let known = try server.knownHosts(as: "[127.0.0.1]:\(proxy.port)")
      let store = try StoreFactory.open(
        StoreTarget(
          "\(scheme)://root@127.0.0.1:\(proxy.port)\(directory.make("store\(cuts)"))", options: server.options(knownHosts: known)),
        StoreContext(
          machine: LocalMachine(), scratch: directory.path + "/scratch", retry: RetryPolicy(attempts: 4, base: .milliseconds(5)),
          environment: { _ in nil }))
      if passes {
        try bundle.copy(to: store, retry: quick)
        #expect(try bundle.opened(path) == bundle.noise)
      } else {
        let failure = #expect(throws: Failure.self) { try bundle.copy(to: store, retry: quick) }
        #expect(failure?.isTransient == true)
        if scheme == "sftp" { #expect(try !Files.exists(path)) }
      }
    }
  }
}
