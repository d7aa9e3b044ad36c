internal import Glibc
public import Model

/// The TCP sockets of this network namespace that listen, as the kernel tells them.
public struct Listeners: Sendable, Equatable {
  public struct Socket: Sendable, Equatable, CustomStringConvertible {
    /// An IPv4 address in text; for IPv6 its 16 bytes in hex. Empty: any address.
    public let address: String
    public let port: UInt16
    public var description: String { "\(address.isEmpty ? "*" : address):\(port)" }
  }

  public let sockets: [Socket]

  public static func now() throws(Failure) -> Listeners {
    var sockets: [Socket] = []
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
      // A kernel without IPv6 has no second table.
      guard try Files.info(table) != nil else { continue }
      sockets += parse(String(decoding: try Files.read(table), as: UTF8.self))
    }
    return Listeners(sockets: sockets)
  }

  /// Whether somebody listens where `host:port` would: at that very address or at all of them. An empty host means all of them.
  public func holds(_ host: String, _ port: UInt16) -> Bool {
    let wanted = Self.isAny(host) ? "" : host == "localhost" ? "127.0.0.1" : host
    return sockets.contains { $0.port == port && ($0.address.isEmpty || $0.address == wanted) }
  }

  private static func isAny(_ host: String) -> Bool { ["", "0.0.0.0", "::", "[::]"].contains(host) }

  static func parse(_ table: String) -> [Socket] {
    table.split(separator: "\n").dropFirst().compactMap { line in
      let fields = line.split(separator: " ", omittingEmptySubsequences: true)
      guard fields.count > 3, fields[3] == "0A" else { return nil }
      let local = fields[1].split(separator: ":")
      guard local.count == 2, let port = UInt16(local[1], radix: 16), let raw = bytes(hex: String(local[0]).lowercased()) else {
        return nil
      }
      return Socket(address: address(raw), port: port)
    }
  }

  /// The kernel writes 32-bit words in its own byte order.
  private static func address(_ raw: [UInt8]) -> String {
    var ordered: [UInt8] = []
    for at in stride(from: 0, to: raw.count - 3, by: 4) { ordered += raw[at..<at + 4].reversed() }
    if ordered.allSatisfy({ $0 == 0 }) { return "" }
    let mapped = ordered.count == 16 && ordered[..<10].allSatisfy { $0 == 0 } && ordered[10] == 255 && ordered[11] == 255
    let last = mapped ? Array(ordered[12...]) : ordered
    if last.allSatisfy({ $0 == 0 }) { return "" }
    return last.count == 4 ? last.map { String($0) }.joined(separator: ".") : hex(last)
  }
}
