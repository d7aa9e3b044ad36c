import Glibc
import Host
import Model
import Testing

@Suite struct `Durable files` {
  let directory = TemporaryDirectory()

  @Test func `a file appears whole under its name`() throws {
    let path = directory.path + "/a"
    try Files.replace(path, with: Array("hello".utf8))
    #expect(try Files.textIfPresent(path) == "hello")
    #expect(try Files.list(directory.path) == ["a"])
    #expect(try Files.info(path)?.mode == 0o600)
  }

  @Test func `a full disk leaves what was there`() throws {
    #expect(throws: Failure.self) { try Files.replace("/dev/full/x", with: [1]) }
  }

  @Test func `moving never overwrites`() throws {
    try Files.replace(directory.path + "/a", with: [1])
    try Files.replace(directory.path + "/b", with: [2])
    #expect(throws: Failure.self) { try Files.move(directory.path + "/a", to: directory.path + "/b") }
    #expect(try Files.read(directory.path + "/b") == [2])
  }

  @Test func `a lock is held once`() throws {
    let path = directory.path + "/lock"
    let first = try FileLock.take(path)
    let second = try FileLock.take(path)
    let (held, free) = (first != nil, second == nil)
    #expect(held && free)
  }
}

/// A directory of a test's own, removed with it.
final class TemporaryDirectory: Sendable {
  let path: String
  init() {
    var template = Array("/tmp/kguard-test-XXXXXX".utf8CString)
    path = String(cString: mkdtemp(&template))
  }
  deinit { _ = try? runCaptured("/bin/rm", Command(["rm", "-rf", path])) }
}
