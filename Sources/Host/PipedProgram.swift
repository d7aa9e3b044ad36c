internal import Glibc
public import Model

/// A program on this terminal that reads what we write: a pager. For one thread.
public final class PipedProgram {
  private let pid: Int32
  private var input: Int32

  /// Runs a line of /bin/sh, as PAGER is one.
  public init(shell line: String, environment: [String: String]) throws(Failure) {
    var ends: [Int32] = [-1, -1]
    if pipe(&ends) != 0 { throw systemFailure(errno, "cannot make a pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[0]) }
    do throws(Failure) {
      pid = try Spawn.start(
        "/bin/sh", Command(["sh", "-c", line], environment: environment), input: .descriptor(ends[0]), output: .inherit, error: .inherit)
    } catch {
      close(ends[1])
      throw error
    }
    input = ends[1]
  }

  deinit { finish() }

  /// False where it reads no more.
  public func write(_ bytes: [UInt8]) -> Bool {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(input, $0.baseAddress?.advanced(by: done), bytes.count - done) }
      if count > 0 { done += count } else if errno != EINTR { return false }
    }
    return true
  }

  /// There is no more to read; waits until the program has ended.
  public func finish() {
    guard input >= 0 else { return }
    close(input)
    input = -1
    _ = Spawn.wait(pid)
  }
}
