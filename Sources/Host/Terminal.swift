internal import CPosix
internal import Glibc
public import Model
internal import Synchronization

/// Standard output and standard error of this process.
public enum Terminal {
  public enum Stream: Int32, Sendable { case output = 1, errors = 2 }

  public static func isTerminal(_ stream: Stream) -> Bool { isatty(stream.rawValue) == 1 }
  public static var inputIsTerminal: Bool { isatty(0) == 1 }

  /// Columns and rows; nil where it is no terminal, or does not say.
  public static func size(_ stream: Stream) -> (columns: Int, rows: Int)? {
    var columns: Int32 = 0, rows: Int32 = 0
    guard kg_window(stream.rawValue, &columns, &rows) == 0, columns > 0, rows > 0 else { return nil }
    return (Int(columns), Int(rows))
  }

  /// What errno said when standard output first took something no more; 0: it took everything.
  private static let refusal = Mutex<Int32>(0)

  /// Throws where something of what was written to standard output is lost: a full disk, not a reader that went away.
  public static func requireOutput() throws(Failure) {
    let code = refusal.withLock { $0 }
    let next = code == EBADF ? "give it a standard output: a file, a pipe or a terminal" : nil
    if code != 0 { throw systemFailure(code, "cannot write all of the output", next: next) }
  }

  /// Writes all of it. A reader that has gone away (a pager, a dropped ssh) is no error of ours; for the others there is `requireOutput`,
  /// since what is under way must not end for them.
  public static func write(_ text: String, to stream: Stream) { write(Array(text.utf8), to: stream) }

  public static func write(_ bytes: [UInt8], to stream: Stream) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(stream.rawValue, $0.baseAddress?.advanced(by: done), bytes.count - done) }
      if count > 0 {
        done += count
        continue
      }
      let code = errno
      if code == EAGAIN {
        waitWritable(stream)
      } else if code != EINTR {
        if stream == .output, !isReaderGone(code) { refusal.withLock { if $0 == 0 { $0 = code } } }
        return
      }
    }
  }

  /// A terminal whose other end was closed says EIO, as a broken disk does.
  private static func isReaderGone(_ code: Int32) -> Bool {
    var raw = stat()
    return code == EPIPE || (code == EIO && fstat(Stream.output.rawValue, &raw) == 0 && raw.st_mode & S_IFMT == S_IFCHR)
  }

  private static func waitWritable(_ stream: Stream) {
    var polls = [pollfd(fd: stream.rawValue, events: Int16(POLLOUT), revents: 0)]
    poll(&polls, 1, 1000)
  }

  /// One line that a person types; nil at the end of input.
  public static func readLine() -> String? { Swift.readLine(strippingNewline: true) }
}
