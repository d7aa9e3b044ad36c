internal import CPosix
internal import Glibc
public import Model

/// One end of a socket pair that carries lines.
public final class LineChannel {
  private let socket: Descriptor
  private var pending: [UInt8] = []
  public var descriptor: Int32 { socket.raw }
  public private(set) var isClosed = false

  public init(adopting descriptor: Int32) { socket = Descriptor(raw: descriptor) }

  /// The two ends; both are closed on exec unless passed on.
  public static func pair() throws(Failure) -> (LineChannel, LineChannel) {
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw systemFailure(errno, "cannot make a socket pair")
    }
    return (LineChannel(adopting: ends[0]), LineChannel(adopting: ends[1]))
  }

  public func send(_ line: String) throws(Failure) {
    let bytes = Array((line + "\n").utf8)
    var sent = 0
    while sent < bytes.count {
      sent += try retrying("cannot talk to the other process") {
        bytes.withUnsafeBytes { Glibc.send(socket.raw, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL)) }
      }
    }
  }

  /// The next whole line; nil where none has come within `wait`, or the other side is gone (`isClosed`).
  public func receive(within wait: Duration) -> String? {
    let end = monotonicNow() + wait
    while true {
      if let newline = pending.firstIndex(of: 0x0a) {
        let line = String(decoding: pending[..<newline], as: UTF8.self)
        pending.removeSubrange(...newline)
        return line
      }
      if isClosed { return nil }
      let left = max(0, (end - monotonicNow()).milliseconds)
      var polls = [pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)]
      let ready = poll(&polls, 1, Int32(clamping: left))
      if ready == 0 || (ready < 0 && errno != EINTR) { return nil }
      if ready > 0 { take() }
    }
  }

  private func take() {
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = recv(socket.raw, &buffer, buffer.count, 0)
    if count > 0 { pending.append(contentsOf: buffer[..<count]) }
    if count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN) { isClosed = true }
  }
}
