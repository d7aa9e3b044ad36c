/// With padding.
public func base64(_ bytes: [UInt8]) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  var out: [UInt8] = []
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let group = bytes[start..<min(start + 3, bytes.count)]
    var bits: UInt32 = 0
    for offset in 0..<3 { bits = bits << 8 | (offset < group.count ? UInt32(group[start + offset]) : 0) }
    for digit in 0..<4 { out.append(digit <= group.count ? alphabet[Int(bits >> (18 - 6 * UInt32(digit)) & 63)] : 0x3d) }
  }
  return String(decoding: out, as: UTF8.self)
}

/// Nil where the text is not padded base64.
public func bytes(base64 text: String) -> [UInt8]? {
  guard text.utf8.count % 4 == 0 else { return nil }
  let digits = text.utf8.reversed().drop { $0 == 0x3d }.reversed()
  guard text.utf8.count - digits.count <= 2 else { return nil }
  var out: [UInt8] = []
  var bits: UInt32 = 0
  var held = 0
  for digit in digits {
    let value: UInt32
    switch digit {
    case 0x41...0x5a: value = UInt32(digit) - 0x41
    case 0x61...0x7a: value = UInt32(digit) - 0x61 + 26
    case 0x30...0x39: value = UInt32(digit) - 0x30 + 52
    case 0x2b: value = 62
    case 0x2f: value = 63
    default: return nil
    }
    bits = (bits << 6 | value) & 0xffffff
    held += 6
    if held >= 8 {
      held -= 8
      out.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
    }
  }
  return out
}
