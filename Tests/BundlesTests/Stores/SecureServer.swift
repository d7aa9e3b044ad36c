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
