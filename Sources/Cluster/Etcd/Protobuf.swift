/// Reads the fields of one protobuf message, in the order of its bytes. Nothing in them is trusted: a length or a number
/// that does not fit ends the reading with `isBroken`. The bytes must outlive the reader.
struct ProtobufReader {
  enum Value {
    case number(UInt64)
    case bytes(UnsafeRawBufferPointer)
    case fixed32(UInt32)
    case fixed64(UInt64)
  }

  private let bytes: UnsafeRawBufferPointer
  private var at = 0
  private(set) var isBroken = false

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// The next field; nil at the end, and where the rest is not protobuf.
  mutating func next() -> (field: Int, value: Value)? {
    guard !isBroken, at < bytes.count else { return nil }
    guard let tag = varint(), tag >> 3 > 0, tag >> 3 <= 0x1fff_ffff else { return broken() }
    let field = Int(tag >> 3)
    switch tag & 7 {
    case 0:
      guard let value = varint() else { return broken() }
      return (field, .number(value))
    case 1:
      guard let value = little(8) else { return broken() }
      return (field, .fixed64(value))
    case 2:
      guard let length = varint(), length <= UInt64(bytes.count - at) else { return broken() }
      let part = UnsafeRawBufferPointer(rebasing: bytes[at..<at + Int(length)])
      at += Int(length)
      return (field, .bytes(part))
    case 5:
      guard let value = little(4) else { return broken() }
      return (field, .fixed32(UInt32(truncatingIfNeeded: value)))
    default: return broken()
    }
  }

  private mutating func broken() -> (field: Int, value: Value)? {
    isBroken = true
    return nil
  }

  private mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), through: 63, by: 7) {
      guard at < bytes.count else { return nil }
      let byte = bytes[at]
      at += 1
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return shift == 63 && byte > 1 ? nil : value }
    }
    return nil
  }

  private mutating func little(_ count: Int) -> UInt64? {
    guard bytes.count - at >= count else { return nil }
    var value: UInt64 = 0
    for n in 0..<count { value |= UInt64(bytes[at + n]) << UInt64(8 * n) }
    at += count
    return value
  }
}

extension ProtobufReader.Value {
  var number: UInt64 { if case .number(let n) = self { n } else { 0 } }
  var signed: Int64 { Int64(bitPattern: number) }
  var bool: Bool { number != 0 }
  var raw: UnsafeRawBufferPointer { if case .bytes(let b) = self { b } else { UnsafeRawBufferPointer(start: nil, count: 0) } }
  var text: String { String(decoding: raw, as: UTF8.self) }
  var copy: [UInt8] { [UInt8](raw) }
}

/// Writes the fields of one protobuf message. A zero, an empty text and `false` are proto3's defaults and take no byte.
struct ProtobufWriter {
  private(set) var bytes: [UInt8] = []

  mutating func number(_ field: Int, _ value: UInt64) {
    guard value != 0 else { return }
    varint(UInt64(field) << 3)
    varint(value)
  }
  mutating func signed(_ field: Int, _ value: Int64) { number(field, UInt64(bitPattern: value)) }
  mutating func bool(_ field: Int, _ value: Bool) { number(field, value ? 1 : 0) }

  mutating func bytes(_ field: Int, _ value: [UInt8]) {
    guard !value.isEmpty else { return }
    varint(UInt64(field) << 3 | 2)
    varint(UInt64(value.count))
    bytes.append(contentsOf: value)
  }
  mutating func text(_ field: Int, _ value: String) { bytes(field, Array(value.utf8)) }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }
}
