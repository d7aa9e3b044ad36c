internal import YAML

extension Condition {
  static let maximumLength = 1000

  /// Reads a condition. Nil, and a mistake in `problems`, where it is none.
  static func read(_ located: Located, _ problems: inout Problems) -> Condition? {
    guard located.text.unicodeScalars.count <= maximumLength else {
      problems.add(located.position, "a condition has at most \(maximumLength) characters")
      return nil
    }
    guard let tokens = Token.all(located, &problems) else { return nil }
    var parser = ConditionParser(tokens: tokens, end: located.position(of: located.text.unicodeScalars.count))
    do throws(Mistaken) {
      return Condition(expression: try parser.whole(), source: located.text)
    } catch {
      problems.add(error.position, error.message)
      return nil
    }
  }
}

private struct Mistaken: Error {
  let position: Position
  let message: String
}

private struct Token {
  enum Kind: Equatable {
    case reference(Reference), quoted(String), word(String), equal, unequal, bang
  }
  let kind: Kind
  let position: Position

  /// Nil where a mistake makes the rest unreadable.
  static func all(_ located: Located, _ problems: inout Problems) -> [Token]? {
    let scalars = Array(located.text.unicodeScalars)
    var tokens: [Token] = []
    var at = 0
    func next(_ index: Int) -> Unicode.Scalar? { scalars.indices.contains(index) ? scalars[index] : nil }
    func text(_ range: Range<Int>) -> String { String(String.UnicodeScalarView(scalars[range])) }
    while at < scalars.count {
      let position = located.position(of: at)
      let kind: Kind
      let start = at
      switch scalars[at] {
      case " ", "\t", "\n", "\r":
        at += 1
        continue
      case "$" where next(at + 1) == "{":
        guard let (reference, end) = Reference.read(scalars, at, located, &problems) else { return nil }
        kind = .reference(reference ?? Reference(path: [], position: position))
        at = end
      case "=" where next(at + 1) == "=":
        kind = .equal
        at += 2
      case "!" where next(at + 1) == "=":
        kind = .unequal
        at += 2
      case "!":
        kind = .bang
        at += 1
      case "\"", "'":
        guard let close = scalars[(at + 1)...].firstIndex(of: scalars[at]) else {
          problems.add(position, "the quote is not closed")
          return nil
        }
        if let inside = (at..<close).first(where: { scalars[$0] == "$" && scalars[$0 + 1] == "{" }) {
          problems.add(located.position(of: inside), "in a condition, `${…}` stands outside of quotes")
          return nil
        }
        kind = .quoted(text((at + 1)..<close))
        at = close + 1
      case let scalar where isWordScalar(scalar):
        while let scalar = next(at), isWordScalar(scalar) { at += 1 }
        kind = .word(text(start..<at))
      case "=":
        problems.add(position, "`=` is not a comparison; write `==`")
        return nil
      case let scalar:
        problems.add(position, "`\(scalar)` has no meaning in a condition; a text with such characters is written in quotes")
        return nil
      }
      tokens.append(Token(kind: kind, position: position))
    }
    return tokens
  }

  private static func isWordScalar(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isAlphabetic || scalar.properties.numericType != nil || ["_", "-", ".", "/", ":", "+"].contains(scalar)
  }
}

private struct ConditionParser {
  let tokens: [Token]
  let end: Position
  var at = 0

  init(tokens: [Token], end: Position) {
    self.tokens = tokens
    self.end = end
  }

  var here: Token? { at < tokens.count ? tokens[at] : nil }
  var position: Position { here?.position ?? end }

  mutating func take(_ kind: Token.Kind) -> Bool {
    guard here?.kind == kind else { return false }
    at += 1
    return true
  }

  mutating func whole() throws(Mistaken) -> Condition.Expression {
    let expression = try alternatives()
    if here != nil { throw Mistaken(position: position, message: "`and`, `or`, `==` or `!=` was expected here") }
    return expression
  }

  mutating func alternatives() throws(Mistaken) -> Condition.Expression {
    var expression = try conjunction()
    while take(.word("or")) { expression = .or(expression, try conjunction()) }
    return expression
  }

  mutating func conjunction() throws(Mistaken) -> Condition.Expression {
    var expression = try negation()
    while take(.word("and")) { expression = .and(expression, try negation()) }
    return expression
  }

  mutating func negation() throws(Mistaken) -> Condition.Expression {
    if take(.word("not")) { return .not(try negation()) }
    guard here?.kind == .bang else { return try comparison() }
    let position = position
    at += 1
    let inner = try negation()
    if case .equal = inner {
      throw Mistaken(position: position, message: "`!` before a comparison can be read in two ways; write `!=`, or `not`")
    }
    return .not(inner)
  }

  mutating func comparison() throws(Mistaken) -> Condition.Expression {
    let start = position
    let left = try operand()
    let isEqual = take(.equal)
    guard isEqual || take(.unequal) else { return try alone(left, at: start) }
    let right = try operand()
    if case (.text, .text) = (left, right) {
      throw Mistaken(position: start, message: "this compares two fixed texts; one side should be a `${…}`")
    }
    return isEqual ? .equal(left, right) : .not(.equal(left, right))
  }

  func alone(_ operand: Condition.Operand, at position: Position) throws(Mistaken) -> Condition.Expression {
    switch operand {
    case .reference(let reference): return .truth(reference)
    case .text("true"): return .constant(true)
    case .text("false"): return .constant(false)
    case .text(let text):
      throw Mistaken(position: position, message: "`\(text)` is a fixed text; a condition asks for a `${…}`, or is true or false")
    }
  }

  mutating func operand() throws(Mistaken) -> Condition.Operand {
    guard let token = here else { throw Mistaken(position: position, message: "the condition ends where a value was expected") }
    at += 1
    switch token.kind {
    case .reference(let reference): return .reference(reference)
    case .quoted(let text): return .text(text)
    case .word(let word) where !["and", "or", "not"].contains(word): return .text(word)
    case .word(let word): throw Mistaken(position: token.position, message: "a value was expected before `\(word)`")
    case .equal, .unequal, .bang: throw Mistaken(position: token.position, message: "a value was expected here")
    }
  }
}
