internal import Model

/// One element of an XML answer. Prefixes of names are dropped (`D:href` is `href`).
struct XMLElement {
  let name: String
  var children: [XMLElement] = []
  var text = ""

  /// Below this element, by a path of names: the first there is.
  subscript(path: String...) -> XMLElement? {
    var here = self
    for name in path {
      guard let next = here.children.first(where: { $0.name == name }) else { return nil }
      here = next
    }
    return here
  }

  func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }
}

/// Reads the XML that S3 and WebDAV servers answer with: elements, attributes (ignored), text, CDATA, comments and the five
/// entities. No document types and no entities of one's own: what such a thing would want is refused.
struct XMLParser {
  private let bytes: [UInt8]
  private var at = 0

  static func parse(_ bytes: [UInt8]) throws(Failure) -> XMLElement {
    var parser = XMLParser(bytes: bytes)
    return try parser.document()
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private mutating func document() throws(Failure) -> XMLElement {
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) { at = 3 }
    try skipMisc()
    guard take("<") else { throw problem("an element was expected") }
    let root = try element(depth: 0)
    try skipMisc()
    guard at == bytes.count else { throw problem("something follows the root element") }
    return root
  }

  private func problem(_ why: String) -> Failure {
    Failure(
      what: "cannot read the server's XML answer", why: "\(why) at byte \(at)",
      next: "check the address: does this server speak the store's protocol?")
  }

  /// Spaces, comments and processing instructions.
  private mutating func skipMisc() throws(Failure) {
    while true {
      skipSpace()
      if take("<?") {
        try skip(past: "?>")
      } else if take("<!--") {
        try skip(past: "-->")
      } else {
        return
      }
    }
  }

  /// Behind the `<` of an element.
  private mutating func element(depth: Int) throws(Failure) -> XMLElement {
    guard depth < 64 else { throw problem("nested too deeply") }
    let fullName = try name()
    var element = XMLElement(name: fullName.split(separator: ":").last.map(String.init) ?? fullName)
    while true {
      skipSpace()
      if take("/>") { return element }
      if take(">") { break }
      try attribute()
    }
    var text: [UInt8] = []
    while true {
      if take("</") {
        guard try name() == fullName else { throw problem("the end tag of `\(fullName)` was expected") }
        skipSpace()
        guard take(">") else { throw problem("'>' was expected") }
        element.text = String(decoding: text, as: UTF8.self)
        return element
      }
      if take("<!--") {
        try skip(past: "-->")
      } else if take("<![CDATA[") {
        let start = at
        try skip(past: "]]>")
        text += bytes[start..<at - 3]
      } else if take("<?") {
        try skip(past: "?>")
      } else if take("<") {
        element.children.append(try self.element(depth: depth + 1))
      } else if take("&") {
        text += Array(String(try entity()).utf8)
      } else {
        guard at < bytes.count else { throw problem("the text ends early") }
        text.append(bytes[at])
        at += 1
      }
    }
  }

  private mutating func attribute() throws(Failure) {
    _ = try name()
    skipSpace()
    guard take("=") else { throw problem("'=' was expected") }
    skipSpace()
    for quote in ["\"", "'"] where take(quote) { return try skip(past: quote) }
    throw problem("a quoted value was expected")
  }

  private mutating func entity() throws(Failure) -> Character {
    let start = at
    guard let end = bytes[at...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else { throw problem("an entity was expected") }
    let name = String(decoding: bytes[start..<end], as: UTF8.self)
    at = end + 1
    switch name {
    case "amp": return "&"
    case "lt": return "<"
    case "gt": return ">"
    case "quot": return "\""
    case "apos": return "'"
    default:
      let code = name.hasPrefix("#x") ? UInt32(name.dropFirst(2), radix: 16) : name.hasPrefix("#") ? UInt32(name.dropFirst()) : nil
      guard let code, let scalar = Unicode.Scalar(code) else { throw problem("`&\(name);` is not known") }
      return Character(scalar)
    }
  }

  private mutating func name() throws(Failure) -> String {
    let start = at
    while at < bytes.count, isNameByte(bytes[at]) { at += 1 }
    guard at > start else { throw problem("a name was expected") }
    return String(decoding: bytes[start..<at], as: UTF8.self)
  }

  private func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x3a, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x80...0xff: true
    default: false
    }
  }

  private mutating func skipSpace() {
    while at < bytes.count, [0x20, 0x0a, 0x0d, 0x09].contains(bytes[at]) { at += 1 }
  }

  private mutating func take(_ text: String) -> Bool {
    let end = at + text.utf8.count
    guard end <= bytes.count, text.utf8.elementsEqual(bytes[at..<end]) else { return false }
    at = end
    return true
  }

  private mutating func skip(past text: String) throws(Failure) {
    while !take(text) {
      guard at < bytes.count else { throw problem("`\(text)` was expected") }
      at += 1
    }
  }
}
