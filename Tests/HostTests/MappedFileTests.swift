import Host
import Model
import Testing

@Suite struct `Mapped files` {
  let directory = TemporaryDirectory()

  @Test func `nothing outside of the file is given out`() throws {
    let path = directory.path + "/a"
    try Files.replace(path, with: [1, 2, 3])
    let file = try MappedFile(path)
    #expect(file.bytes(at: 0, count: 3)?.elementsEqual([1, 2, 3]) == true)
    #expect(file.bytes(at: 3, count: 0)?.isEmpty == true)
    for (offset, count) in [(0, 4), (4, 0), (3, 1), (-1, 1), (1, -1), (1, .max), (.max, 1), (.min, .max)] {
      #expect(file.bytes(at: offset, count: count) == nil)
    }
  }

  @Test func `a file that changes meanwhile is noticed`() throws {
    let path = directory.path + "/b"
    try Files.replace(path, with: [1, 2, 3])
    let file = try MappedFile(path)
    try file.checkUnchanged()
    try OpenFile(path, 0o2001).write([4])
    #expect(throws: Failure.self) { try file.checkUnchanged() }
  }

  @Test func `what cannot be mapped is refused`() throws {
    try Files.replace(directory.path + "/empty", with: [])
    for path in [directory.path, directory.path + "/empty", directory.path + "/none", "/dev/null"] {
      #expect(throws: Failure.self) { try MappedFile(path) }
    }
  }
}

@Suite struct `Two things at once` {
  @Test func `each side gives its own result or failure`() {
    let failure = Failure(what: "a", why: "b", next: "c")
    let (first, second) = concurrently({ () throws(Failure) in 1 }, { () throws(Failure) -> Int in throw failure })
    #expect(first == .success(1) && second == .failure(failure))
    let (third, fourth) = concurrently({ () throws(Failure) -> Int in throw failure }, { () throws(Failure) in "x" })
    #expect(third == .failure(failure) && fourth == .success("x"))
  }
}
