public import Model
internal import YAML

/// `when:` of a step. `${…}` alone asks whether the value is true; `==` and `!=` compare texts; `!` or `not`, then `and`, then `or`
/// bind from strong to weak.
public struct Condition: Sendable, Equatable {
  enum Operand: Sendable, Equatable {
    case reference(Reference)
    case text(String)
  }

  indirect enum Expression: Sendable, Equatable {
    case constant(Bool)
    case truth(Reference)
    case equal(Operand, Operand)
    case not(Expression)
    case and(Expression, Expression)
    case or(Expression, Expression)
  }

  let expression: Expression
  /// As it is written.
  public let source: String

  /// Reads a condition that stands in no file.
  public init(parsing text: String) throws(Failure) {
    var problems = Problems(file: "when", text: text)
    let located = Located(text: text, position: Position(line: 1, column: 1), lead: 0)
    guard let condition = Condition.read(located, &problems), problems.mistakes.isEmpty else {
      throw Failure(
        .usage, what: "cannot read the condition", why: problems.mistakes.first?.message ?? "it is empty", next: "correct the condition")
    }
    self = condition
  }

  init(expression: Expression, source: String) {
    self.expression = expression
    self.source = source
  }

  public var references: [Reference] {
    func gather(_ expression: Expression) -> [Reference] {
      switch expression {
      case .constant: []
      case .truth(let reference): [reference]
      case .equal(let a, let b): [a, b].compactMap { if case .reference(let it) = $0 { it } else { nil } }
      case .not(let inner): gather(inner)
      case .and(let a, let b), .or(let a, let b): gather(a) + gather(b)
      }
    }
    return gather(expression)
  }

  /// A value that is not there is false, and equals the empty text.
  public func holds(_ scope: Scope) throws(Failure) -> Bool { try Self.holds(expression, scope) }

  private static func holds(_ expression: Expression, _ scope: Scope) throws(Failure) -> Bool {
    switch expression {
    case .constant(let value): return value
    case .truth(let reference): return Scope.isTrue(scope.value(of: reference))
    case .equal(let a, let b): return try text(a, scope) == text(b, scope)
    case .not(let inner): return try !holds(inner, scope)
    case .and(let a, let b):
      guard try holds(a, scope) else { return false }
      return try holds(b, scope)
    case .or(let a, let b):
      if try holds(a, scope) { return true }
      return try holds(b, scope)
    }
  }

  private static func text(_ operand: Operand, _ scope: Scope) throws(Failure) -> String {
    switch operand {
    case .text(let text): return text
    case .reference(let reference):
      switch scope.value(of: reference) {
      case nil: return ""
      case .array, .object:
        throw Failure(
          .usage, what: "cannot compare \(reference.text)", why: "it is not a single value but a list or a map",
          next: "compare one of its values, or ask only whether it is empty: `when: \(reference.text)`")
      case .some(let value): return Scope.text(value)
      }
    }
  }
}
