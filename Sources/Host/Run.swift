internal import Glibc
public import Model

/// What a short command said.
public struct CommandResult: Sendable {
  public let end: ProcessEnd
  public let output: [UInt8]
  public let errors: [UInt8]
  public let timedOut: Bool

  public var text: String { String(decoding: output, as: UTF8.self) }
  public var errorText: String { String(decoding: errors, as: UTF8.self) }

  /// The last line that says something, for a failure's `why`.
  public var lastWords: String {
    let lines = (text + "\n" + errorText).split(whereSeparator: \.isNewline)
    return lines.last { !$0.allSatisfy(\.isWhitespace) }.map(String.init) ?? end.description
  }
}

/// Runs a short command to its end, with its output in memory: at most `limit` bytes of each stream, the rest is read and dropped.
/// After `timeout`, or where a stop is asked for, its group gets SIGTERM, two seconds later SIGKILL. `input` is what it reads: at most
/// what a pipe holds, 64 KiB.
public func runCaptured(
  _ executable: String, _ command: Command, timeout: Duration = .seconds(60), limit: Int = 16 << 20, input: [UInt8]? = nil,
  stop: StopSignal? = nil
) throws(Failure) -> CommandResult {
  var output = try Capture(limit: limit)
  var errors = try Capture(limit: limit)
  let source: Int32? = if let input { try filledPipe(input) } else { nil }
  defer { if let source { close(source) } }
  let pid = try Spawn.start(
    executable, command, input: source.map { .descriptor($0) } ?? .null, output: .descriptor(output.writeEnd),
    error: .descriptor(errors.writeEnd), leads: .group)
  output.closeWriteEnd()
  errors.closeWriteEnd()

  let start = monotonicNow()
  var signals = [(after: timeout, number: SIGTERM), (after: timeout + .seconds(2), number: SIGKILL)][...]
  // A grandchild in another group may keep the pipes open; its output is not waited for.
  var giveUp = timeout + .seconds(4)
  while !(output.isDone && errors.isDone) {
    let elapsed = monotonicNow() - start
    if stop?.isNow == true, signals.count == 2, elapsed < timeout {
      signals = [(after: elapsed, number: SIGTERM), (after: elapsed + .seconds(2), number: SIGKILL)]
      giveUp = elapsed + .seconds(4)
    }
    if let signal = signals.first, elapsed >= signal.after {
      kill(-pid, signal.number)
      signals = signals.dropFirst()
    }
    if elapsed >= giveUp { break }
    var polls = [output.pollEntry, errors.pollEntry]
    let wait = min((signals.first?.after ?? giveUp) - elapsed, stop == nil ? .seconds(3600) : .milliseconds(200))
    if poll(&polls, 2, Int32(clamping: max(1, wait.milliseconds))) < 0 && errno != EINTR { break }
    if polls[0].revents != 0 { output.take() }
    if polls[1].revents != 0 { errors.take() }
  }
  let end = Spawn.wait(pid)
  return CommandResult(end: end, output: output.bytes, errors: errors.bytes, timedOut: signals.count < 2)
}

/// The read end of a pipe that holds these bytes, and nobody writes to.
private func filledPipe(_ bytes: [UInt8]) throws(Failure) -> Int32 {
  var ends: [Int32] = [-1, -1]
  if pipe(&ends) != 0 { throw systemFailure(errno, "cannot make a pipe") }
  for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
  _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
  let written = write(ends[1], bytes, bytes.count)
  close(ends[1])
  if written == bytes.count { return ends[0] }
  close(ends[0])
  throw Failure(what: "cannot hand a command its input", why: "\(bytes.count) bytes are more than a pipe holds", next: "give it less")
}

/// One stream of a child, read into memory up to a limit.
private struct Capture: ~Copyable {
  private let reader: Descriptor
  private var writer: Descriptor?
  private let limit: Int
  private(set) var bytes: [UInt8] = []
  private(set) var isDone = false
  let writeEnd: Int32

  init(limit: Int) throws(Failure) {
    var ends: [Int32] = [-1, -1]
    if pipe(&ends) != 0 { throw systemFailure(errno, "cannot make a pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    reader = Descriptor(raw: ends[0])
    writer = Descriptor(raw: ends[1])
    writeEnd = ends[1]
    self.limit = limit
  }

  mutating func closeWriteEnd() { writer = nil }

  var pollEntry: pollfd { pollfd(fd: isDone ? -1 : reader.raw, events: Int16(POLLIN), revents: 0) }

  mutating func take() {
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = read(reader.raw, &buffer, buffer.count)
    if count > 0 { bytes.append(contentsOf: buffer.prefix(min(count, limit - bytes.count))) }
    if count == 0 || (count < 0 && errno != EINTR) { isDone = true }
  }
}
