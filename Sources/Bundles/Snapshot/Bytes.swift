internal import Glibc

extension UnsafeRawBufferPointer {
  // The callers have made sure that the range is inside.
  @inline(__always) func u16(_ at: Int) -> UInt16 { UInt16(littleEndian: loadUnaligned(fromByteOffset: at, as: UInt16.self)) }
  @inline(__always) func u32(_ at: Int) -> UInt32 { UInt32(littleEndian: loadUnaligned(fromByteOffset: at, as: UInt32.self)) }
  @inline(__always) func u64(_ at: Int) -> UInt64 { UInt64(littleEndian: loadUnaligned(fromByteOffset: at, as: UInt64.self)) }
  @inline(__always) func bigEndian64(_ at: Int) -> UInt64 {
    UInt64(bigEndian: loadUnaligned(fromByteOffset: at, as: UInt64.self))
  }

  /// A part that is known to be inside.
  @inline(__always) func part(_ at: Int, _ count: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: self[at..<at + count])
  }

  var text: String { String(decoding: self, as: UTF8.self) }
}

/// The order of bolt's keys, and Go's `bytes.Compare`: negative, zero or positive.
@inline(__always)
func compare(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Int {
  let common = min(a.count, b.count)
  if common > 0, let x = a.baseAddress, let y = b.baseAddress {
    let order = memcmp(x, y, common)
    if order != 0 { return Int(order) }
  }
  return a.count - b.count
}

@inline(__always)
func isEqual(_ a: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
  text.withUTF8Buffer { compare(a, UnsafeRawBufferPointer($0)) == 0 }
}

/// A key for a message: as text where it is that, else in hexadecimal; never very long.
func printable(_ bytes: UnsafeRawBufferPointer) -> String {
  let shown = bytes.prefix(80)
  let isText = !shown.isEmpty && shown.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
  let text = isText ? String(decoding: shown, as: UTF8.self) : shown.reduce(into: "0x") { $0 += hexByte($1) }
  return bytes.count > 80 ? text + "…" : text
}

private func hexByte(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
