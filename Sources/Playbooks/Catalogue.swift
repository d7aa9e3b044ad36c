/// What a playbook can say about one input of an action.
public struct ActionInput: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    case text, duration, bool, int
    case choice([String])
  }
  public let name: String
  public let description: String
  public let isRequired: Bool
  public let kind: Kind

  public init(_ name: String, _ kind: Kind = .text, isRequired: Bool = false, description: String) {
    self.name = name
    self.description = description
    self.isRequired = isRequired
    self.kind = kind
  }
}

/// What a playbook needs to know of an action to be checked.
public struct ActionSignature: Sendable, Equatable {
  /// `etcd/snapshot`
  public let path: String
  public let summary: String
  public let inputs: [ActionInput]
  /// Actions that stand before it, unconditionally; so that the guard can't be edited away.
  public let requiresBefore: [String]

  public init(_ path: String, summary: String, inputs: [ActionInput] = [], requiresBefore: [String] = []) {
    self.path = path
    self.summary = summary
    self.inputs = inputs
    self.requiresBefore = requiresBefore
  }
}

/// All actions there are.
public struct Catalogue: Sendable {
  public let signatures: [ActionSignature]

  public init(_ signatures: [ActionSignature]) { self.signatures = signatures }

  public subscript(path: String) -> ActionSignature? { signatures.first { $0.path == path } }
  var paths: [String] { signatures.map(\.path) }
}
