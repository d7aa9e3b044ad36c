import Glibc
import Host
import Model
import Synchronization
import Testing

/// A program that serves on loopback for one test; stopped by its pid.
final class TestServer: Sendable {
  let pid: Int32
  let port: Int
  /// The first line that it printed, where that is JSON.
  let hello: JSON
  /// What it writes on stderr.
  let log: String
  private let input: Int32

  /// Starts a program that prints one JSON line with its `port`, and ends when its input closes.
  static func announcing(_ argv: [String], environment: [String: String] = [:], in directory: StoreTestDirectory) throws -> TestServer {
    let output = try privatePipe()
    let (pid, input, log) = try spawn(argv, environment, output: .descriptor(output[1]), directory)
    close(output[1])
    defer { close(output[0]) }
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while read(output[0], &byte, 1) == 1, byte != 10 { line.append(byte) }
    let hello = try JSON(parsing: line)
    return directory.keep(TestServer(pid: pid, port: Int(try #require(hello["port"]?.int)), hello: hello, log: log, input: input))
  }

  /// Starts a program that is told its port, and waits until it answers there.
  static func listening(_ port: Int, _ argv: [String], environment: [String: String] = [:], in directory: StoreTestDirectory) throws
    -> TestServer
  {
    let (pid, input, log) = try spawn(argv, environment, output: .null, directory)
    let server = TestServer(pid: pid, port: port, hello: .null, log: log, input: input)
    let end = monotonicNow() + .seconds(30)
    while !canConnect(port) {
      let said = (try? Files.textIfPresent(log)) ?? ""
      try #require(monotonicNow() < end && ProcessIdentity.of(pid) != nil, "\(argv[0]) does not serve: \(said)")
      poll(nil, 0, 20)
    }
    return directory.keep(server)
  }

  private static func spawn(
    _ argv: [String], _ environment: [String: String], output: Spawn.Stream, _ directory: StoreTestDirectory
  ) throws -> (Int32, Int32, String) {
    let input = try privatePipe()
    let log = directory.path + "/server-\(hex(randomBytes(4))).log"
    let error = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    defer {
      close(input[0])
      close(error)
    }
    let pid = try Spawn.start(
      argv[0], Command(argv, environment: environment), input: .descriptor(input[0]), output: output, error: .descriptor(error),
      leads: .group)
    return (pid, input[1], log)
  }

  /// A pipe that other tests' children do not keep open.
  private static func privatePipe() throws -> [Int32] {
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return ends
  }

  private init(pid: Int32, port: Int, hello: JSON, log: String, input: Int32) {
    self.pid = pid
    self.port = port
    self.hello = hello
    self.log = log
    self.input = input
  }

  /// The lines that it has written so far.
  var logged: [String] {
    (((try? Files.textIfPresent(log)) ?? nil) ?? "").split(separator: "\n").map(String.init)
  }

  deinit {
    close(input)
    kill(-pid, SIGTERM)
    if let process = ProcessIdentity.of(pid), !process.waitForEnd(.seconds(3)) { kill(-pid, SIGKILL) }
    _ = Spawn.wait(pid)
  }

  /// Below the range that the kernel gives to connections, and no port twice, so that no other test can take it meanwhile.
  private static let nextPort = Mutex(Int.random(in: 10_240..<32_000))

  /// A port of loopback that nobody listens on.
  static func freePort() throws -> Int {
    for _ in 0..<500 {
      let port = nextPort.withLock { next in
        next = next >= 32_000 ? 10_240 : next + 1
        return next
      }
      if try withLoopback(port, { descriptor, address, size in bind(descriptor, address, size) == 0 }) { return port }
    }
    throw Failure(what: "cannot find a free port", why: "500 are taken", next: "look for servers that were left behind")
  }

  private static func canConnect(_ port: Int) -> Bool {
    (try? withLoopback(port) { descriptor, address, size in connect(descriptor, address, size) == 0 }) ?? false
  }

  private static func withLoopback<R>(_ port: Int, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) throws -> R) throws -> R {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return try withUnsafePointer(to: &address) { pointer in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
  }
}

extension TestServer {
  /// An S3 server with the bucket `bundles`, for the key `guard`.
  static func rclone(in directory: StoreTestDirectory, secret: String = "secret") throws -> TestServer {
    _ = try directory.make("buckets/bundles")
    let port = try freePort()
    return try listening(
      port,
      [
        TestTools.rclone, "serve", "s3", "--config", "/dev/null", "--addr", "127.0.0.1:\(port)", "--auth-key", "guard,\(secret)",
        directory.path + "/buckets",
      ], in: directory)
  }
}

/// A directory of a test's own, removed with it.
final class StoreTestDirectory: Sendable {
  let path: String
  private let servers = Mutex<[TestServer]>([])

  /// A server lives as long as the directory that it works in.
  fileprivate func keep(_ server: TestServer) -> TestServer {
    servers.withLock { $0.append(server) }
    return server
  }

  init() {
    var template = Array("/tmp/kguard-stores-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
  }

  deinit {
    servers.withLock { $0 = [] }
    _ = try? runCaptured("/bin/rm", Command(["rm", "-rf", path]))
  }

  func make(_ name: String) throws -> String {
    try Files.makeDirectory(path + "/" + name)
    return path + "/" + name
  }

  func write(_ name: String, _ text: String, mode: UInt32 = 0o600) throws -> String {
    try Files.replace(path + "/" + name, with: Array(text.utf8), mode: mode)
    return path + "/" + name
  }

  /// A file that does not compress.
  func noise(_ name: String, _ size: Int) throws -> (path: String, bytes: [UInt8], sha256: Digest) {
    let bytes = randomBytes(size)
    try Files.replace(path + "/" + name, with: bytes)
    return (path + "/" + name, bytes, sha256(bytes))
  }
}

/// What the tests need and a machine may lack. A test that can't run says so as a known issue, never silently.
enum TestTools {
  static let checkout: String = {
    var directory = Files.directory(of: #filePath)
    while directory != "/" && (try? Files.exists(directory + "/Package.swift")) != true { directory = Files.directory(of: directory) }
    return directory
  }()
  static let directory = environment("KGUARD_TOOLS").flatMap { $0.isEmpty ? nil : $0 } ?? checkout + "/.build/tools"
  static let rclone = directory + "/bin/rclone"
  static let python = directory + "/bin/python"
  static let servers = checkout + "/Tests/Servers"
  static let hint: Comment = "run scripts/test-tools first: it installs the S3 servers that this test talks to"
  static var haveS3: Bool { access(rclone, X_OK) == 0 && access(directory + "/bin/moto_server", X_OK) == 0 }
  static var systemPython: String? { try? LocalMachine().find(program: "python3") }
}
