import Bundles
import Glibc
import Host
import Model
import Testing

@Suite(.enabled(if: access("/usr/bin/rsync", X_OK) == 0 && SecureServer.isHere, "needs rsync, sshd and root"))
struct `A store through rsync` {
  let directory = StoreTestDirectory()

  func open(_ url: String, _ options: [String: String] = [:]) throws -> any Store {
    try StoreFactory.open(
      StoreTarget(url, options: options),
      StoreContext(
        machine: LocalMachine(), scratch: directory.path + "/scratch", retry: RetryPolicy(attempts: 2, base: .milliseconds(5)),
        environment: { _ in nil }))
  }

  func daemon() throws -> TestServer {
    let port = try TestServer.freePort()
    _ = try directory.write("secrets", "guard:password\n")
    let settings = try directory.write(
      "rsyncd.conf",
      """
      port = \(port)
      address = 127.0.0.1
      use chroot = no
      uid = root
      gid = root
      [bundles]
      path = \(directory.make("module"))
      read only = no
      auth users = guard
      secrets file = \(directory.path)/secrets
      """)
    return try TestServer.listening(port, ["/usr/bin/rsync", "--daemon", "--no-detach", "--config=\(settings)"], in: directory)
  }

  @Test func `keeps the contract with a daemon`() throws {
    let server = try daemon()
    let password = try directory.write("password", "password\n")
    let store = try open("rsync://guard@127.0.0.1:\(server.port)/bundles", ["credentials-file": password])
    try checkContract(store, directory)
    #expect(try Files.list(directory.path + "/module").isEmpty)
    #expect(try Files.list(directory.path + "/scratch").isEmpty)
  }

  @Test func `keeps the contract over ssh`() throws {
    let server = try SecureServer(directory)
    let path = try directory.make("store")
    let store = try open("root@127.0.0.1:\(path)", server.options().merging(["port": "\(server.port)"]) { $1 })
    try checkContract(store, directory)
    #expect(try Files.list(path).isEmpty)
  }

  @Test func `a wrong password, an unknown module and an unknown host key are final`() throws {
    let server = try daemon()
    let cases = try [
      ("rsync://guard@127.0.0.1:\(server.port)/bundles", directory.write("wrong", "wrong\n"), "credentials-file"),
      ("rsync://guard@127.0.0.1:\(server.port)/other", directory.write("password", "password\n"), "URL"),
    ]
    for (url, password, next) in cases {
      let failure = #expect(throws: Failure.self) { try open(url, ["credentials-file": password]).probe() }
      #expect(failure?.isTransient == false && failure?.next.contains(next) == true, "\(String(describing: failure))")
    }
    let ssh = try SecureServer(directory)
    let options = try ssh.options(knownHosts: ssh.knownHosts("other")).merging(["port": "\(ssh.port)"]) { $1 }
    let failure = #expect(throws: Failure.self) { try open("root@127.0.0.1:\(directory.path)", options).probe() }
    #expect(failure?.isTransient == false && failure?.next.contains("known_hosts") == true, "\(String(describing: failure))")
  }
}
