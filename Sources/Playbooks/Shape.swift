internal import Model
internal import YAML

/// What a value of a file may be. One table of shapes checks a file and writes its JSON Schema, so that the two cannot drift.
indirect enum Shape: Sendable {
  case text(Format)
  /// A text in which `${…}` may stand; also a plain number, true or false.
  case template
  /// `when:`; read by `Condition`.
  case condition
  case duration(allowsZero: Bool)
  case bool
  case int(ClosedRange<Int64>)
  case choice([String])
  case list(of: Shape, atLeast: Int)
  case object([Field])
  case map(keys: Format, of: Shape)
  /// The first shape that takes this kind of value.
  case either([Shape])
  /// Nothing: `name:` with no value.
  case empty
  case anything
}

/// One known key.
struct Field: Sendable {
  let key: String
  let shape: Shape
  let description: String
  var isRequired = false
  /// Not for playbooks to refer to.
  var isPrivate = false

  init(_ key: String, _ shape: Shape, _ description: String, isRequired: Bool = false, isPrivate: Bool = false) {
    self.key = key
    self.shape = shape
    self.description = description
    self.isRequired = isRequired
    self.isPrivate = isPrivate
  }
}

/// What a text may look like: the whole of it matches `pattern`; `phrase` says it in words.
struct Format: Sendable {
  let phrase: String
  let pattern: String?
  /// A password has no place in it.
  let isURL: Bool
  /// What stands there by mistake can be a secret, so no message repeats it.
  let isConcealed: Bool
  private let compiled: Pattern?

  init(phrase: String, pattern: String?, isURL: Bool = false, isConcealed: Bool = false) {
    self.phrase = phrase
    self.pattern = pattern
    self.isURL = isURL
    self.isConcealed = isConcealed || isURL
    self.compiled = pattern.flatMap { try? Pattern($0, maximumLength: 1000) }
  }

  static let any = Format(phrase: "a text", pattern: nil)
  static let filled = Format(phrase: "a text that is not empty", pattern: "[^\\x00]+")
  static let kebab = Format(
    phrase: "lower-case letters and digits, with single hyphens between them", pattern: "[a-z][a-z0-9]*(-[a-z0-9]+)*")
  static let variable = Format(phrase: "a name of letters, digits and underscores", pattern: "[A-Za-z_][A-Za-z0-9_]*")
  static let path = Format(phrase: "an absolute path", pattern: "/[^\\x00]*")
  static let secretPath = Format(phrase: "the absolute path of a file", pattern: path.pattern, isConcealed: true)

  func matches(_ text: String) -> Bool { pattern == nil || compiled?.matches(text) ?? false }
}

extension Shape {
  /// What must stand there, for a message.
  var phrase: String {
    switch self {
    case .text(let format): format.phrase
    case .template: "a text"
    case .condition: "a condition such as `${inputs.x}`"
    case .duration: "a duration such as `30s`, `5m` or `1h30m`"
    case .bool: "true or false"
    case .int(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .choice(let names): names.map { "`\($0)`" }.joined(separator: ", ")
    case .list: "a list"
    case .object, .map: "a map"
    case .either(let shapes): shapes.map(\.phrase).joined(separator: " or ")
    case .empty: "empty"
    case .anything: "a value"
    }
  }

  /// Whether a node is of the right kind, be its content right or wrong.
  func takes(_ node: Node) -> Bool {
    if node.isNull {
      switch self {
      case .empty, .anything: return true
      case .either(let shapes): return shapes.contains { $0.takes(node) }
      default: return false
      }
    }
    return switch (self, node.value) {
    case (.anything, _), (.list, .list), (.object, .map), (.map, .map): true
    case (.text, .scalar), (.template, .scalar), (.condition, .scalar), (.duration, .scalar), (.bool, .scalar), (.int, .scalar),
      (.choice, .scalar):
      true
    case (.either(let shapes), _): shapes.contains { $0.takes(node) }
    default: false
    }
  }

  /// Adds every mistake in the node. `name` is what the node is called in a message.
  func check(_ node: Node, _ name: String, _ problems: inout Problems) {
    func mustBe() { problems.add(node.position, "\(name) must be \(phrase), not \(node.shown)") }
    guard takes(node) else {
      if node.isNull { problems.add(node.position, "\(name) is empty; it must be \(phrase)") } else { mustBe() }
      return
    }
    switch self {
    case .anything, .empty, .condition: break
    case .text(let format): Self.checkText(node, format, name, &problems)
    case .template: if node.text?.unicodeScalars.contains("\0") == true { problems.add(node.position, "\(name) holds a NUL character") }
    case .bool: if node.bool == nil { mustBe() }
    case .int(let range): if node.int.map({ !range.contains($0) }) ?? true { mustBe() }
    case .choice(let names):
      if let text = node.text, !names.contains(text) {
        problems.add(node.position, "\(name) must be one of \(phrase), not \(node.shown)" + didYouMean(text, among: names))
      }
    case .duration(let allowsZero):
      guard let duration = Duration(text: node.text ?? "") else { return mustBe() }
      if duration == .zero && !allowsZero { problems.add(node.position, "\(name) must be more than zero") }
    case .list(let shape, let least):
      let nodes = node.list ?? []
      if nodes.count < least { problems.add(node.position, "\(name) is an empty list; at least one entry is needed") }
      for element in nodes { shape.check(element, "an entry of \(name)", &problems) }
    case .object(let fields): Self.checkObject(node, fields, name, &problems)
    case .map(let keys, let shape):
      for entry in node.entries ?? [] {
        if !keys.matches(entry.key) {
          problems.add(entry.position, "the key `\(entry.key)` of \(name) must be \(keys.phrase)")
        }
        shape.check(entry.value, "`\(entry.key)`", &problems)
      }
    case .either(let shapes):
      let shape = shapes.first { $0.takes(node) }
      if case .choice(let names) = shape, !names.contains(node.text ?? "") { return mustBe() }
      shape?.check(node, name, &problems)
    }
  }

  private static func checkText(_ node: Node, _ format: Format, _ name: String, _ problems: inout Problems) {
    let text = node.text ?? ""
    if format.isURL && hasPassword(text) {
      problems.add(
        node.position,
        "\(name) has a password in it; put that into the file that `credentials-file` or `key-file` names, or into the environment")
    } else if !format.matches(text) {
      // A long text is not repeated; that it is a text helps nobody.
      let isShown = !format.isConcealed && node.shown != node.kind
      problems.add(
        node.position,
        format.isConcealed || isShown
          ? "\(name) must be \(format.phrase)" + (isShown ? ", not \(node.shown)" : "") : "\(name) is not \(format.phrase)")
    }
  }

  /// `user:password@` before the path, in a URL or as rsync writes it.
  private static func hasPassword(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    let start = bytes.indices.first { bytes[$0...].starts(with: "://".utf8) }.map { $0 + 3 } ?? 0
    let authority = bytes[start...].prefix { $0 != UInt8(ascii: "/") }
    guard let at = authority.firstIndex(of: UInt8(ascii: "@")) else { return false }
    return authority[..<at].contains(UInt8(ascii: ":"))
  }

  private static func checkObject(_ node: Node, _ fields: [Field], _ name: String, _ problems: inout Problems) {
    let entries = node.entries ?? []
    for entry in entries {
      guard let field = fields.first(where: { $0.key == entry.key }) else {
        problems.add(entry.position, "unknown key `\(entry.key)`" + suggestion(entry.key, fields.map(\.key), called: "keys"))
        continue
      }
      field.shape.check(entry.value, "`\(entry.key)`", &problems)
    }
    for field in fields where field.isRequired && !entries.contains(where: { $0.key == field.key }) {
      problems.add(node.position, "\(name) has no `\(field.key)`")
    }
  }
}

extension Node {
  /// What it is, for a message: the text itself where it is a short one.
  var shown: String {
    if text?.contains("PRIVATE KEY") == true || text?.contains("AGE-SECRET-KEY") == true { return "a private key" }
    guard let text, text.count <= 60, !text.isEmpty else { return text?.isEmpty == true ? "an empty text" : kind }
    return "`" + text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : String($0) }.joined() + "`"
  }
}
