internal import Model

/// Finds a few members near the top of a JSON object without reading the rest into memory. What is not well-formed ends the search.
struct JSONPeek {
  private let bytes: UnsafeRawBufferPointer
  private var at = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  private static let longestString = 4096

  /// Calls `visit` at the value of each member; the visitor reads it and returns true, or returns false to have it skipped.
  /// False where the text is no object or ends early.
  @discardableResult
  mutating func members(_ visit: (String, inout JSONPeek) -> Bool) -> Bool {
    skipSpace()
    guard take("{") else { return false }
    skipSpace()
    if take("}") { return true }
    repeat {
      skipSpace()
      guard let key = string() else { return false }
      skipSpace()
      guard take(":") else { return false }
      skipSpace()
      let start = at
      if !visit(key, &self) {
        at = start
        guard skipValue() else { return false }
      }
      skipSpace()
    } while take(",")
    return take("}")
  }

  /// The string that begins here; nil where there is none, or a very long one.
  mutating func string() -> String? {
    let start = at
    guard skipString(), at - start <= Self.longestString else { return nil }
    return (try? JSON(parsing: Array(bytes[start..<at])))?.string
  }

  private mutating func skipSpace() {
    while at < bytes.count, bytes[at] == 0x20 || (0x09...0x0d).contains(bytes[at]) { at += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
    at += 1
    return true
  }

  private mutating func skipString() -> Bool {
    guard take("\"") else { return false }
    while at < bytes.count {
      let byte = bytes[at]
      at += byte == UInt8(ascii: "\\") ? 2 : 1
      if byte == UInt8(ascii: "\"") { return true }
    }
    at = bytes.count
    return false
  }

  private mutating func skipValue() -> Bool {
    var depth = 0
    while at < bytes.count {
      switch bytes[at] {
      case UInt8(ascii: "\""):
        guard skipString() else { return false }
        if depth == 0 { return true }
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
        at += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if depth == 0 { return true }
        depth -= 1
        at += 1
        if depth == 0 { return true }
      case UInt8(ascii: ",") where depth == 0: return true
      default: at += 1
      }
    }
    return false
  }
}
