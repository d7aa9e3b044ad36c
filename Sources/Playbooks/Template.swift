public import Model
public import YAML

/// `${inputs.version}`: a path to a value, and where it is written.
public struct Reference: Sendable, Equatable {
  public let path: [String]
  public let position: Position

  public var root: String { path.first ?? "" }
  public var text: String { "${" + path.joined(separator: ".") + "}" }
}

/// A text with `${…}` references in it; `$${` stands for a literal `${`.
public struct Template: Sendable, Equatable {
  enum Part: Sendable, Equatable {
    case text(String)
    case reference(Reference)
  }

  let parts: [Part]

  /// A text without references, whatever is in it.
  public init(literal text: String) { self.parts = text.isEmpty ? [] : [.text(text)] }

  init(parts: [Part]) { self.parts = parts }

  /// Reads a text that stands in no file.
  public init(parsing text: String) throws(Failure) {
    var problems = Problems(file: "template", text: text)
    self = Template.read(Located(text: text, position: Position(line: 1, column: 1), lead: 0), &problems)
    if let first = problems.mistakes.first {
      throw Failure(.usage, what: "cannot read the template", why: first.message, next: "correct the text; `$${` is a literal `${`")
    }
  }

  public var references: [Reference] { parts.compactMap { if case .reference(let it) = $0 { it } else { nil } } }

  /// The text; nil where a reference in it makes it known only in a run.
  public var literal: String? {
    var out = ""
    for part in parts {
      guard case .text(let text) = part else { return nil }
      out += text
    }
    return out
  }

  /// The template as one would write it.
  public var source: String {
    parts.map { part in
      switch part {
      case .text(let text): Self.escaped(text)
      case .reference(let reference): reference.text
      }
    }.joined()
  }

  /// The text with all values in place. One template gives one text: nothing in a value is looked at again, split or expanded.
  public func resolved(_ scope: Scope) throws(Failure) -> String {
    var out = ""
    for part in parts {
      switch part {
      case .text(let text): out += text
      case .reference(let reference): out += try scope.text(of: reference)
      }
    }
    return out
  }

  private static func escaped(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      if scalar == "{" && out.unicodeScalars.last == "$" { out.unicodeScalars.append("$") }
      out.unicodeScalars.append(scalar)
    }
    return out
  }
}

extension Template {
  /// Reads a template; what is wrong goes to `problems` and stays out of the result.
  static func read(_ located: Located, _ problems: inout Problems) -> Template {
    let scalars = Array(located.text.unicodeScalars)
    var parts: [Part] = []
    var literal = String.UnicodeScalarView()
    var at = 0
    func opens(_ index: Int) -> Bool { index + 1 < scalars.count && scalars[index] == "$" && scalars[index + 1] == "{" }
    func flush() {
      if !literal.isEmpty { parts.append(.text(String(literal))) }
      literal = String.UnicodeScalarView()
    }
    while at < scalars.count {
      if scalars[at] == "$", opens(at + 1) {
        literal.append(contentsOf: "${".unicodeScalars)
        at += 3
      } else if opens(at) {
        guard let (reference, end) = Reference.read(scalars, at, located, &problems) else { break }
        flush()
        if let reference { parts.append(.reference(reference)) }
        at = end
      } else {
        literal.append(scalars[at])
        at += 1
      }
    }
    flush()
    return Template(parts: parts)
  }
}

extension Reference {
  /// The roots that a path can start from.
  static let roots = ["inputs", "run", "config", "steps"]

  /// Reads `${…}` that opens at `start`. Nil: it never closes. A nil reference: it closes, and is wrong.
  static func read(
    _ scalars: [Unicode.Scalar], _ start: Int, _ located: Located, _ problems: inout Problems
  ) -> (reference: Reference?, end: Int)? {
    let position = located.position(of: start)
    guard let close = scalars[start...].firstIndex(of: "}") else {
      problems.add(position, "`${` is not closed with `}`; a literal one is written `$${`")
      return nil
    }
    var inside = Substring(String(String.UnicodeScalarView(scalars[(start + 2)..<close])))
    inside = inside.drop { $0 == " " }
    while inside.last == " " { inside.removeLast() }
    let path = inside.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let isWellFormed = path.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy(isNameByte) }
    guard isWellFormed, let root = path.first else {
      problems.add(position, "`${\(inside)}` is not a reference; write it as `${inputs.name}`, and a literal `${` as `$${`")
      return (nil, close + 1)
    }
    guard roots.contains(root) else {
      problems.add(position, "unknown reference `${\(inside)}`" + suggestion(root, roots, called: "roots"))
      return (nil, close + 1)
    }
    guard path.count > 1 else {
      problems.add(position, "`${\(inside)}` names no value; write `${\(inside).…}`")
      return (nil, close + 1)
    }
    return (Reference(path: path, position: position), close + 1)
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}
