extension JSON {
  /// Parses one JSON text (RFC 8259). Depth is bounded, so that no input can exhaust the stack.
  public init(parsing text: String) throws(Failure) {
    try self.init(parsing: Array(text.utf8))
  }

  public init(parsing bytes: [UInt8]) throws(Failure) {
    var parser = Parser(bytes: bytes)
    self = try parser.document()
  }

  private struct Parser {
    let bytes: [UInt8]
    var at = 0
    var depth = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(Failure) -> JSON {
      let value = try value()
      skipSpace()
      guard at == bytes.count else { throw problem("something follows the value") }
      return value
    }

    func problem(_ why: String) -> Failure {
      Failure(what: "cannot read JSON", why: "\(why) at byte \(at)", next: "check where the text comes from; it may be cut off")
    }

    mutating func skipSpace() {
      while at < bytes.count, [0x20, 0x0a, 0x0d, 0x09].contains(bytes[at]) { at += 1 }
    }

    mutating func value() throws(Failure) -> JSON {
      skipSpace()
      guard at < bytes.count else { throw problem("the text ends early") }
      switch bytes[at] {
      case UInt8(ascii: "{"): return try nested { p throws(Failure) in try p.object() }
      case UInt8(ascii: "["): return try nested { p throws(Failure) in try p.list() }
      case UInt8(ascii: "\""): return .string(try string())
      case UInt8(ascii: "t"): return try word("true", .bool(true))
      case UInt8(ascii: "f"): return try word("false", .bool(false))
      case UInt8(ascii: "n"): return try word("null", .null)
      default: return try number()
      }
    }

    mutating func nested(_ body: (inout Parser) throws(Failure) -> JSON) throws(Failure) -> JSON {
      guard depth < 200 else { throw problem("nested too deeply") }
      depth += 1
      at += 1
      let value = try body(&self)
      depth -= 1
      return value
    }

    mutating func object() throws(Failure) -> JSON {
      var members = Members()
      skipSpace()
      if take("}") { return .object(members) }
      repeat {
        skipSpace()
        guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { throw problem("a key was expected") }
        let key = try string()
        skipSpace()
        guard take(":") else { throw problem("':' was expected") }
        members[key] = try value()
        skipSpace()
      } while take(",")
      guard take("}") else { throw problem("',' or '}' was expected") }
      return .object(members)
    }

    mutating func list() throws(Failure) -> JSON {
      var values: [JSON] = []
      skipSpace()
      if take("]") { return .array(values) }
      repeat {
        values.append(try value())
        skipSpace()
      } while take(",")
      guard take("]") else { throw problem("',' or ']' was expected") }
      return .array(values)
    }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
      guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
      at += 1
      return true
    }

    mutating func word(_ text: StaticString, _ value: JSON) throws(Failure) -> JSON {
      let end = at + text.utf8CodeUnitCount
      let matches = end <= bytes.count && text.withUTF8Buffer { $0.elementsEqual(bytes[at..<end]) }
      guard matches else { throw problem("a value was expected") }
      at = end
      return value
    }

    mutating func number() throws(Failure) -> JSON {
      let start = at
      while at < bytes.count, "+-.0123456789eE".utf8.contains(bytes[at]) { at += 1 }
      let text = String(decoding: bytes[start..<at], as: UTF8.self)
      let digits = text.drop { $0 == "-" }
      let wellFormed =
        !digits.isEmpty && !text.hasPrefix("+") && !digits.hasPrefix(".") && !text.hasSuffix(".")
        && !(digits.hasPrefix("0") && digits.count > 1 && digits.dropFirst().first?.isNumber == true)
      guard wellFormed else {
        at = start
        throw problem("a value was expected")
      }
      if let int = Int64(text) { return .int(int) }
      guard let double = Double(text), double.isFinite else {
        at = start
        throw problem("a number was expected")
      }
      return .double(double)
    }

    mutating func string() throws(Failure) -> String {
      at += 1
      var out: [UInt8] = []
      while at < bytes.count {
        let byte = bytes[at]
        at += 1
        switch byte {
        case UInt8(ascii: "\""):
          guard let text = String(validating: out, as: UTF8.self) else { throw problem("a string is not UTF-8") }
          return text
        case UInt8(ascii: "\\"): try escape(into: &out)
        case 0..<0x20: throw problem("a control character stands in a string")
        default: out.append(byte)
        }
      }
      throw problem("a string does not end")
    }

    mutating func escape(into out: inout [UInt8]) throws(Failure) {
      guard at < bytes.count else { throw problem("the text ends early") }
      let byte = bytes[at]
      at += 1
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(byte)
      case UInt8(ascii: "b"): out.append(0x08)
      case UInt8(ascii: "f"): out.append(0x0c)
      case UInt8(ascii: "n"): out.append(0x0a)
      case UInt8(ascii: "r"): out.append(0x0d)
      case UInt8(ascii: "t"): out.append(0x09)
      case UInt8(ascii: "u"): out.append(contentsOf: Array(String(try unicode()).utf8))
      default: throw problem("an unknown escape")
      }
    }

    mutating func unicode() throws(Failure) -> Character {
      var code = UInt32(try hex4())
      if (0xd800..<0xdc00).contains(code) {
        guard take("\\"), take("u") else { throw problem("half of a surrogate pair") }
        let low = UInt32(try hex4())
        guard (0xdc00..<0xe000).contains(low) else { throw problem("half of a surrogate pair") }
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw problem("half of a surrogate pair") }
      return Character(scalar)
    }

    mutating func hex4() throws(Failure) -> UInt16 {
      guard at + 4 <= bytes.count, bytes[at] != UInt8(ascii: "+"), bytes[at] != UInt8(ascii: "-"),
        let code = UInt16(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
      else { throw problem("four hexadecimal digits were expected") }
      at += 4
      return code
    }
  }
}
