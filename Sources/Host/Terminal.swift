internal import CPosix
internal import Glibc
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

  /// Writes all of it. A reader that has gone away (a pager, a dropped ssh) is no error of ours.
  public static func write(_ text: String, to stream: Stream) { write(Array(text.utf8), to: stream) }

  public static func write(_ bytes: [UInt8], to stream: Stream) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(stream.rawValue, $0.baseAddress?.advanced(by: done), bytes.count - done) }
      if count > 0 { done += count } else if errno == EAGAIN { waitWritable(stream) } else if errno != EINTR { return }
    }
  }

  private static func waitWritable(_ stream: Stream) {
    var polls = [pollfd(fd: stream.rawValue, events: Int16(POLLOUT), revents: 0)]
    poll(&polls, 1, 1000)
  }

  /// One line that a person types; nil at the end of input.
  public static func readLine() -> String? { Swift.readLine(strippingNewline: true) }
}
