/// Reads the fields of a protobuf message in the order in which they stand. No input makes it trap.
struct ProtobufReader {
  private let bytes: UnsafeRawBufferPointer
  private var at = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  enum Value {
    case number(UInt64)
    case bytes(UnsafeRawBufferPointer)
    /// Fixed 32 and 64 bits, which none of the messages we read uses.
    case fixed
  }

  /// The next field; nil at the end.
  @inline(__always)
  mutating func next() throws(Damage) -> (field: UInt64, value: Value)? {
    if at == bytes.count { return nil }
    let tag = try varint()
    let field = tag >> 3
    guard field > 0, field < 1 << 29 else { throw Damage("a field has an impossible number") }
    switch tag & 7 {
    case 0: return (field, .number(try varint()))
    case 1: return (field, try fixed(8))
    case 2:
      let count = try varint()
      guard count <= UInt64(bytes.count - at) else { throw Damage("field \(field) is longer than its message") }
      defer { at += Int(count) }
      return (field, .bytes(bytes.part(at, Int(count))))
    case 5: return (field, try fixed(4))
    default: throw Damage("field \(field) has an unknown type")
    }
  }

  private mutating func fixed(_ count: Int) throws(Damage) -> Value {
    guard bytes.count - at >= count else { throw Damage("a number is cut off") }
    at += count
    return .fixed
  }

  @inline(__always)
  private mutating func varint() throws(Damage) -> UInt64 {
    if at < bytes.count, bytes[at] < 0x80 {
      at += 1
      return UInt64(bytes[at - 1])
    }
    return try longVarint()
  }

  private mutating func longVarint() throws(Damage) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), through: 63, by: 7) {
      guard at < bytes.count else { throw Damage("a number is cut off") }
      let byte = UInt64(bytes[at])
      at += 1
      guard shift < 63 || byte <= 1 else { break }
      value |= (byte & 0x7f) << shift
      if byte < 0x80 { return value }
    }
    throw Damage("a number has too many bytes")
  }
}
