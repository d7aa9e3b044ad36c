import Glibc
import Host
import Model
import Testing

/// `Tests/Servers/webhook.py` for one test; it ends with the value.
final class Webhook {
  let port: Int
  private let pid: Int32
  private let input: Int32
  private let record: String

  static let checkout: String = {
    var directory = Files.directory(of: #filePath)
    while directory != "/" && (try? Files.exists(directory + "/Package.swift")) != true { directory = Files.directory(of: directory) }
    return directory
  }()

  init(_ bench: Bench, _ answers: String..., tls: (certificate: String, key: String)? = nil) throws {
    record = bench.path + "/requests-\(hex(randomBytes(4)))"
    let python = try LocalMachine().require(program: "python3")
    let script = Self.checkout + "/Tests/Servers/webhook.py"
    let argv = [python, script, record] + (tls.map { ["--tls", $0.certificate, $0.key] } ?? []) + answers
    let (input, output) = (try Self.privatePipe(), try Self.privatePipe())
    pid = try Spawn.start(
      argv[0], Command(argv), input: .descriptor(input[0]), output: .descriptor(output[1]), error: .inherit, leads: .group)
    close(input[0])
    close(output[1])
    self.input = input[1]
    var line: [UInt8] = []
    var byte: UInt8 = 0
    while read(output[0], &byte, 1) == 1, byte != 10 { line.append(byte) }
    close(output[0])
    port = Int(try #require(try JSON(parsing: line)["port"]?.int))
  }

  deinit {
    close(input)
    kill(-pid, SIGTERM)
    _ = Spawn.wait(pid)
  }

  private static func privatePipe() throws -> [Int32] {
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return ends
  }

  /// What has come so far.
  func requests() throws -> [JSON] {
    try (Files.textIfPresent(record) ?? "").split(separator: "\n").map { try JSON(parsing: String($0)) }
  }

  func events() throws -> [String] {
    try requests().map { "\($0.at("body", "event")?.string ?? "?") \($0.at("body", "state")?.string ?? "?") \($0["answer"]?.string ?? "")" }
  }
}
