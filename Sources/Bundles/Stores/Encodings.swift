/// RFC 3986: all but unreserved characters as %XX; `/` stays where `keepSlash`.
func percentEncoded(_ text: String, keepSlash: Bool) -> String {
  let digits = Array("0123456789ABCDEF".utf8)
  var out: [UInt8] = []
  for byte in text.utf8 {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e: out.append(byte)
    case 0x2f where keepSlash: out.append(byte)
    default: out += [0x25, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }
  }
  return String(decoding: out, as: UTF8.self)
}

/// Nil where a `%` is not followed by two digits.
func percentDecoded(_ text: some StringProtocol) -> String? {
  var out: [UInt8] = []
  var rest = Array(text.utf8)[...]
  while let byte = rest.popFirst() {
    guard byte == 0x25 else {
      out.append(byte)
      continue
    }
    let pair = rest.prefix(2)
    guard pair.count == 2, pair.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let value = UInt8(String(decoding: pair, as: UTF8.self), radix: 16)
    else { return nil }
    out.append(value)
    rest = rest.dropFirst(2)
  }
  return String(validating: out, as: UTF8.self)
}

func xmlEscaped(_ text: String) -> String {
  var out = ""
  for character in text.unicodeScalars {
    switch character {
    case "&": out += "&amp;"
    case "<": out += "&lt;"
    case ">": out += "&gt;"
    case "\"": out += "&quot;"
    default: out.unicodeScalars.append(character)
    }
  }
  return out
}
