import Glibc
import Host
import Model
import Testing

/// A directory of a test's own, removed with it.
final class TemporaryDirectory: Sendable {
  let path: String
  init() {
    var template = Array("/tmp/kguard-test-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
  }
  deinit { _ = try? runCaptured("/bin/rm", Command(["rm", "-rf", path])) }
}

/// A program that a test started, stopped by its pid when nobody holds it any more.
final class TestProcess: Sendable {
  let identity: ProcessIdentity
  let log: String

  init(_ argv: [String], log: String, directory: String? = nil) throws {
    self.log = log
    let output = try OpenFile(log, O_WRONLY | O_CREAT | O_APPEND)
    let pid = try Spawn.start(
      "/usr/bin/env", Command(["/usr/bin/env"] + argv, directory: directory), output: .descriptor(output.descriptor),
      error: .descriptor(output.descriptor), leads: .group)
    identity = try #require(ProcessIdentity.of(pid))
  }

  var isAlive: Bool { identity.isAlive }

  func signal(_ number: Int32) { identity.signal(number) }

  func end(_ number: Int32 = SIGTERM) {
    guard identity.isAlive else { return }
    identity.signal(SIGCONT)
    identity.signal(number)
    if !identity.waitForEnd(.seconds(10)) { identity.signal(SIGKILL) }
    _ = Spawn.wait(identity.pid)
  }

  deinit { end(SIGKILL) }
}

/// Asks again until it is true; the test fails after a minute.
func waitUntil(_ what: String, _ limit: Duration = .seconds(60), _ condition: () throws -> Bool) throws {
  let end = monotonicNow() + limit
  while monotonicNow() < end {
    if (try? condition()) == true { return }
    usleep(20_000)
  }
  Issue.record("gave up waiting: \(what)")
  throw Failure(what: what, why: "not in \(limit.forPeople)", next: "look at the log")
}

/// Ports of loopback that nobody has now.
func freePorts(_ count: Int) throws -> [Int] {
  var sockets: [Int32] = []
  var ports: [Int] = []
  defer { for socket in sockets { close(socket) } }
  for _ in 0..<count {
    let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    sockets.append(fd)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(fd, $0, size) == 0 && getsockname(fd, $0, &size) == 0 }
    }
    try #require(bound)
    ports.append(Int(UInt16(bigEndian: address.sin_port)))
  }
  return ports
}

/// Runs a program to its end; the test fails where it does.
@discardableResult
func run(_ argv: String..., timeout: Duration = .seconds(120)) throws -> String {
  let result = try runCaptured("/usr/bin/env", Command(["/usr/bin/env"] + argv), timeout: timeout)
  try #require(result.end.isSuccess, "\(argv.joined(separator: " ")): \(result.text)\(result.errorText)")
  return result.text
}
