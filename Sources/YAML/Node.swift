public import Model

/// Where in a text something stands; both count from 1.
public struct Position: Sendable, Hashable, Comparable {
  public let line: Int
  public let column: Int
  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }
  public static func < (a: Self, b: Self) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

/// A YAML document as a tree that knows where each part stands.
public struct Node: Sendable, Equatable {
  public enum Value: Sendable, Equatable {
    /// `isPlain`: written without quotes, so that `true`, `5` and `~` are not strings.
    case scalar(String, isPlain: Bool)
    case list([Node])
    case map([Entry])
  }

  public struct Entry: Sendable, Equatable {
    public let key: String
    public let position: Position
    public let value: Node
  }

  public let value: Value
  public let position: Position

  public init(_ value: Value, at position: Position) {
    self.value = value
    self.position = position
  }

  public subscript(key: String) -> Node? { entries?.first { $0.key == key }?.value }
  public var entries: [Entry]? { if case .map(let entries) = value { entries } else { nil } }
  public var list: [Node]? { if case .list(let nodes) = value { nodes } else { nil } }

  /// The text of any scalar, also of a plain `5` or `true`.
  public var text: String? { if case .scalar(let text, _) = value, !isNull { text } else { nil } }

  public var isNull: Bool {
    if case .scalar(let text, isPlain: true) = value { ["", "~", "null", "Null", "NULL"].contains(text) } else { false }
  }

  /// `true` and `false` only: YAML 1.1's `yes` and `on` are texts here, as in YAML 1.2.
  public var bool: Bool? {
    if case .scalar(let text, isPlain: true) = value { text == "true" ? true : text == "false" ? false : nil } else { nil }
  }

  public var int: Int64? {
    if case .scalar(let text, isPlain: true) = value { Int64(text) } else { nil }
  }

  /// What it is, for a message: "a list".
  public var kind: String {
    switch value {
    case .list: "a list"
    case .map: "a map"
    case .scalar: isNull ? "empty" : bool != nil ? "true or false" : int != nil ? "a number" : "a text"
    }
  }

  public var json: JSON {
    switch value {
    case .list(let nodes): return .array(nodes.map(\.json))
    case .map(let entries):
      var members = JSON.Members()
      for entry in entries { members[entry.key] = entry.value.json }
      return .object(members)
    case .scalar(let text, _):
      if isNull { return .null }
      return bool.map(JSON.bool) ?? int.map(JSON.int) ?? .string(text)
    }
  }
}

/// One mistake in a YAML text.
public struct Mistake: Error, Sendable, Equatable, CustomStringConvertible {
  public let file: String
  public let position: Position
  public let message: String

  public init(file: String, position: Position, message: String) {
    self.file = file
    self.position = position
    self.message = message
  }
  /// `file:line:column: message`, as compilers write it.
  public var description: String { "\(file):\(position.line):\(position.column): \(message)" }
}
