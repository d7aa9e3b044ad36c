/// A key of a file as a manual tells of it; made from the table that checks the file, so that the two cannot drift.
public struct KeyReference: Sendable, Equatable {
  public let key: String
  /// What its value must be, in words.
  public let phrase: String
  public let description: String
  public let isRequired: Bool
  /// The keys within it.
  public let keys: [KeyReference]

  init(_ field: Field) {
    key = field.key
    phrase = field.shape.manualPhrase
    description = field.description
    isRequired = field.isRequired
    keys = field.shape.fields.map(KeyReference.init)
  }
}

extension Configuration {
  public static let reference = shape.fields.map(KeyReference.init)
}

extension Playbook {
  public static let reference = shape.fields.map(KeyReference.init)
}

extension Shape {
  /// The fields of the map that it is, or that its entries are.
  fileprivate var fields: [Field] {
    switch self {
    case .object(let fields): fields
    case .list(let shape, _), .map(_, let shape): shape.fields
    case .either(let shapes): shapes.flatMap(\.fields)
    default: []
    }
  }

  /// `phrase`, with what a list or a map holds.
  fileprivate var manualPhrase: String {
    switch self {
    case .list(let shape, _): "a list, each entry " + shape.manualPhrase
    case .map(let keys, .anything): "a map; its keys are \(keys.phrase)"
    case .map(let keys, let shape): "a map; its keys are \(keys.phrase), each value \(shape.manualPhrase)"
    case .either(let shapes): shapes.map(\.manualPhrase).joined(separator: " or ")
    case .choice(let names) where names.count > 1: "one of " + phrase
    default: phrase
    }
  }
}
