/// Names a run: seven characters of time (seconds since 2020, base 32) and two of chance. Sorts by time; short enough to type.
public struct RunID: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let text: String
  public var description: String { text }

  public static func < (a: Self, b: Self) -> Bool { a.text < b.text }

  /// `salt` chooses the last two characters. `after` is the newest id there is: a clock that jumped back does not upset the order.
  public init(at time: Timestamp, salt: UInt16, after newest: RunID?) {
    var seconds = max(0, time.milliseconds / 1000 - Self.epoch)
    if let newest, let last = newest.seconds, seconds <= last { seconds = last + 1 }
    self.text = Self.encode(seconds, width: 7) + Self.encode(Int64(salt) & 0x3ff, width: 2)
  }

  public init?(_ text: String) {
    let text = text.lowercased()
    guard text.utf8.count == 9, text.utf8.allSatisfy({ Self.alphabet.contains($0) }) else { return nil }
    self.text = text
  }

  private static let epoch: Int64 = 1_577_836_800
  private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

  private var seconds: Int64? {
    var value: Int64 = 0
    for byte in text.utf8.prefix(7) {
      guard let digit = Self.alphabet.firstIndex(of: byte) else { return nil }
      value = value << 5 | Int64(digit)
    }
    return value
  }

  private static func encode(_ value: Int64, width: Int) -> String {
    let digits = (0..<width).reversed().map { alphabet[Int(value >> (5 * Int64($0)) & 31)] }
    return String(decoding: digits, as: UTF8.self)
  }
}

/// A SHA-256 digest.
public struct Digest: Sendable, Hashable, CustomStringConvertible {
  public let bytes: [UInt8]

  /// The digest of nothing that exists: 32 zero bytes.
  public static let zero = Digest(repeating: 0)
  private init(repeating byte: UInt8) { bytes = [UInt8](repeating: byte, count: 32) }

  public init?(_ bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    self.bytes = bytes
  }

  public init?(hex text: String) {
    guard let bytes = Model.bytes(hex: text) else { return nil }
    self.init(bytes)
  }

  public var description: String { hex(bytes) }
}

public func hex(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var out: [UInt8] = []
  for byte in bytes {
    out.append(digits[Int(byte >> 4)])
    out.append(digits[Int(byte & 15)])
  }
  return String(decoding: out, as: UTF8.self)
}

public func bytes(hex text: String) -> [UInt8]? {
  let digits = text.utf8.map { Character(Unicode.Scalar($0)).hexDigitValue }
  guard digits.count % 2 == 0 else { return nil }
  var out: [UInt8] = []
  for at in stride(from: 0, to: digits.count, by: 2) {
    guard let high = digits[at], let low = digits[at + 1] else { return nil }
    out.append(UInt8(high << 4 | low))
  }
  return out
}
