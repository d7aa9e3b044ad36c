import Glibc
import Host
import Model
import Testing

@testable import Engine

@Suite struct `The right to start a command` {
  let bench: EngineBench
  init() throws { bench = try EngineBench() }

  /// A killed process loses its locks before it counts as dead, and what it had begun may still run.
  @Test func `is nobody's while a supervisor with a command dies, though its lock is free`() throws {
    let directory = bench.path + "/child"
    try Files.makeDirectory(directory)
    let state = StateDirectory(directory)
    let pid = try Spawn.start("/bin/sleep", Command(["sleep", "1000"]), output: .null, error: .null)
    let dying = try #require(ProcessIdentity.of(pid))
    try SupervisorRecord(process: dying, busy: directory + "/1", mark: "none").write(state)
    #expect(try isTaken(state))
    try SupervisorRecord(process: dying, busy: nil, mark: nil).write(state)
    #expect(try !isTaken(state))
    try SupervisorRecord(process: dying, busy: directory + "/1", mark: "none").write(state)
    kill(pid, SIGKILL)
    _ = Spawn.wait(pid)
    #expect(try !isTaken(state))
  }

  private func isTaken(_ state: StateDirectory) throws -> Bool {
    guard let lock = try ChildLock.take(state) else { return true }
    _ = consume lock
    return false
  }
}
