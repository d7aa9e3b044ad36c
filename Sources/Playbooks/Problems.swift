public import Model
public import YAML

/// All that is wrong with a playbook or a configuration, in the order of the text.
public struct PlaybookProblems: Error, Sendable, Equatable {
  public let mistakes: [Mistake]
  /// `playbook` or `configuration`.
  let subject: String

  /// Every mistake on a line of its own, as `file:line:column: message`.
  public var failure: Failure {
    let shown = mistakes.prefix(100).map(\.description)
    let rest = mistakes.count > shown.count ? ["and \(mistakes.count - shown.count) more"] : []
    return Failure(
      .usage, what: "the \(subject) \(mistakes.first?.file ?? "") has \(mistakes.count == 1 ? "a mistake" : "\(mistakes.count) mistakes")",
      why: (shown + rest).joined(separator: "\n"),
      next: "correct \(mistakes.count == 1 ? "it" : "them"); `kguard \(subject == "playbook" ? "playbook" : "config") check` looks again")
  }
}

/// Collects mistakes while a text is read.
struct Problems {
  let file: String
  private let lines: [[Unicode.Scalar]]
  private(set) var mistakes: [Mistake] = []

  init(file: String, text: String) {
    self.file = file
    self.lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map(Array.init)
  }

  /// Larger files are refused, which bounds the time that checking takes.
  static let maximumSize = 256 << 10

  /// The text as a tree.
  func tree(_ text: String) throws(Mistake) -> Node {
    guard text.utf8.count <= Self.maximumSize else {
      throw Mistake(file: file, position: Position(line: 1, column: 1), message: "the file is larger than 256 KiB")
    }
    do throws(Mistake) { return try Node.load(text, file: file) } catch { throw hint(for: error) }
  }

  mutating func add(_ position: Position, _ message: String) {
    mistakes.append(Mistake(file: file, position: position, message: message))
  }

  func sorted(_ subject: String) -> PlaybookProblems {
    let sorted = mistakes.enumerated().sorted { ($0.element.position, $0.offset) < ($1.element.position, $1.offset) }
    return PlaybookProblems(mistakes: sorted.map(\.element), subject: subject)
  }

  /// The scalar, with the place of its characters where the source has them as they are.
  func located(_ node: Node) -> Located {
    guard case .scalar(let text, let isPlain) = node.value else { return Located(text: "", position: node.position, lead: nil) }
    let lead = isPlain ? 0 : 1
    let line = node.position.line - 1
    let start = node.position.column - 1 + lead
    let scalars = Array(text.unicodeScalars)
    let isVerbatim = lines.indices.contains(line) && start >= 0 && lines[line].dropFirst(start).starts(with: scalars)
    return Located(text: text, position: node.position, lead: isVerbatim ? lead : nil)
  }

  /// What libyaml says about a `${` in `{…}`, a `!` or a tab is put in the operator's words.
  private func hint(for mistake: Mistake) -> Mistake {
    let line = mistake.position.line - 1, column = mistake.position.column - 1
    guard lines.indices.contains(line), lines[line].indices.contains(column) else { return mistake }
    let before = String(String.UnicodeScalarView(lines[line][..<column]))
    let rest = String(String.UnicodeScalarView(lines[line][column...]))
    if rest.hasPrefix("\t") {
      return Mistake(file: mistake.file, position: mistake.position, message: "YAML indents with spaces; a tab stands here")
    }
    if rest.hasPrefix("!") || before.hasSuffix("!$") {
      return Mistake(
        file: mistake.file, position: Position(line: line + 1, column: column + (rest.hasPrefix("!") ? 1 : -1)),
        message: "YAML takes a text that begins with `!` for a tag; quote it, or write `not`")
    }
    if rest.hasPrefix("{"), before.hasSuffix("$") {
      return Mistake(
        file: mistake.file, position: Position(line: line + 1, column: column),
        message: "inside `{…}` or `[…]`, YAML wants quotes around a text with `${…}`")
    }
    return mistake
  }
}

/// A text of the source, and where its characters stand.
struct Located {
  let text: String
  let position: Position
  /// Columns between `position` and the first character; nil where escapes or line breaks make the places unknown.
  let lead: Int?

  func position(of offset: Int) -> Position {
    lead.map { Position(line: position.line, column: position.column + $0 + offset) } ?? position
  }
}

/// `; did you mean `x`?`, or else the names there are.
func suggestion(_ word: String, _ names: [String], called kind: String) -> String {
  let near = didYouMean(word, among: names)
  if !near.isEmpty { return near }
  if names.isEmpty { return "; there are no \(kind)" }
  let shown = names.prefix(12).map { "`\($0)`" }.joined(separator: ", ")
  return "; known \(kind): \(shown)" + (names.count > 12 ? ", …" : "")
}
