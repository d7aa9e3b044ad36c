/// A JSON value. Objects keep the order of their keys, so that what we write is the same every time.
public enum JSON: Sendable, Equatable {
  case null
  case bool(Bool)
  case int(Int64)
  case double(Double)
  case string(String)
  case array([JSON])
  case object(Members)

  /// The members of an object, in order; a key that comes twice keeps its last value.
  public struct Members: Sendable, ExpressibleByDictionaryLiteral {
    public private(set) var pairs: [(key: String, value: JSON)] = []
    private var index: [String: Int] = [:]

    public init() {}
    public init(dictionaryLiteral elements: (String, JSON)...) {
      for (key, value) in elements { self[key] = value }
    }

    public subscript(key: String) -> JSON? {
      get { index[key].map { pairs[$0].value } }
      set {
        switch (index[key], newValue) {
        case (let at?, let value?): pairs[at].value = value
        case (nil, let value?):
          index[key] = pairs.count
          pairs.append((key, value))
        case (let at?, nil):
          pairs.remove(at: at)
          index = Dictionary(uniqueKeysWithValues: pairs.enumerated().map { ($1.key, $0) })
        case (nil, nil): break
        }
      }
    }
    public var keys: [String] { pairs.map(\.key) }
    public var count: Int { pairs.count }
  }

  public var string: String? { if case .string(let s) = self { s } else { nil } }
  public var bool: Bool? { if case .bool(let b) = self { b } else { nil } }
  public var array: [JSON]? { if case .array(let a) = self { a } else { nil } }
  public var object: Members? { if case .object(let o) = self { o } else { nil } }
  public var isNull: Bool { self == .null }

  public var int: Int64? {
    switch self {
    case .int(let i): i
    case .double(let d): Int64(exactly: d)
    default: nil
    }
  }

  public var double: Double? {
    switch self {
    case .int(let i): Double(i)
    case .double(let d): d
    default: nil
    }
  }

  public subscript(key: String) -> JSON? {
    get { object?[key] }
    set {
      var members = object ?? Members()
      members[key] = newValue
      self = .object(members)
    }
  }

  public subscript(index: Int) -> JSON? {
    guard case .array(let values) = self, values.indices.contains(index) else { return nil }
    return values[index]
  }

  /// The value without members that say nothing (null, an empty list or map), at any depth.
  public var withoutEmpty: JSON {
    switch self {
    case .array(let values): return .array(values.map(\.withoutEmpty))
    case .object(let members):
      var kept = Members()
      for (key, value) in members.pairs {
        let value = value.withoutEmpty
        if ![.null, .array([]), .object(Members())].contains(value) { kept[key] = value }
      }
      return .object(kept)
    default: return self
    }
  }

  /// Follows keys down through objects: `json.at("status", "phase")`.
  public func at(_ keys: String...) -> JSON? {
    var here: JSON? = self
    for key in keys { here = here?[key] }
    return here
  }
}

extension JSON.Members: Equatable {
  /// The order of keys is for readers; it makes no difference to what is said.
  public static func == (a: Self, b: Self) -> Bool {
    a.count == b.count && a.pairs.allSatisfy { b[$0.key] == $0.value }
  }
}

extension JSON: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByStringLiteral,
  ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral, ExpressibleByNilLiteral
{
  public init(dictionaryLiteral elements: (String, JSON)...) {
    var members = Members()
    for (key, value) in elements { members[key] = value }
    self = .object(members)
  }
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }
  public init(stringLiteral value: String) { self = .string(value) }
  public init(integerLiteral value: Int64) { self = .int(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(nilLiteral: ()) { self = .null }
  public init(_ value: String?) { self = value.map(JSON.string) ?? .null }
  public init(_ value: Int) { self = .int(Int64(value)) }
  public init(_ values: [String]) { self = .array(values.map(JSON.string)) }
}

// MARK: - Writing

extension JSON {
  /// One line, no spaces after separators where `pretty` is false; two-space indentation where it is true.
  public func text(pretty: Bool = false) -> String {
    var out = ""
    write(to: &out, pretty: pretty, depth: 0)
    return out
  }

  private func write(to out: inout String, pretty: Bool, depth: Int) {
    switch self {
    case .null: out += "null"
    case .bool(let b): out += b ? "true" : "false"
    case .int(let i): out += String(i)
    case .double(let d): out += d.isFinite ? String(d) : "null"
    case .string(let s): Self.quote(s, to: &out)
    case .array(let values):
      Self.list(values.map { (nil, $0) }, "[", "]", to: &out, pretty: pretty, depth: depth)
    case .object(let members):
      Self.list(members.pairs.map { ($0.key, $0.value) }, "{", "}", to: &out, pretty: pretty, depth: depth)
    }
  }

  private static func list(
    _ items: [(String?, JSON)], _ open: String, _ close: String, to out: inout String, pretty: Bool, depth: Int
  ) {
    out += open
    for (n, (key, value)) in items.enumerated() {
      if n > 0 { out += "," }
      if pretty { out += "\n" + String(repeating: "  ", count: depth + 1) }
      if let key {
        quote(key, to: &out)
        out += pretty ? ": " : ":"
      }
      value.write(to: &out, pretty: pretty, depth: depth + 1)
    }
    if pretty && !items.isEmpty { out += "\n" + String(repeating: "  ", count: depth) }
    out += close
  }

  private static func quote(_ s: String, to out: inout String) {
    out += "\""
    for scalar in s.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        let hex = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: out.unicodeScalars.append(scalar)
      }
    }
    out += "\""
  }
}
