public import Model

/// What `${…}` can mean in a run.
public struct Scope: Sendable {
  let values: [String: JSON]

  /// The keys of `${run.…}`; whoever makes a scope gives all of them.
  public static let runKeys = ["id", "playbook", "step", "attempt", "started"]

  /// `steps`: the evidence of the steps before, by id.
  public init(inputs: [String: String], run: [String: String], config: JSON, steps: [String: JSON]) {
    func object(_ values: [String: JSON]) -> JSON {
      var members = JSON.Members()
      for (key, value) in values { members[key] = value }
      return .object(members)
    }
    self.values = [
      "inputs": object(inputs.mapValues(JSON.string)), "run": object(run.mapValues(JSON.string)), "config": config,
      "steps": object(steps),
    ]
  }

  /// Nil where there is none, or where it is null.
  public func value(of reference: Reference) -> JSON? {
    var here = values[reference.root]
    for key in reference.path.dropFirst() {
      if case .array = here { here = Int(key).flatMap { here?[$0] } } else { here = here?[key] }
    }
    return here == .null ? nil : here
  }

  /// The value as a text: lists and objects as JSON on one line.
  func text(of reference: Reference) throws(Failure) -> String {
    guard let value = value(of: reference) else {
      let isEvidence = reference.root == "steps"
      throw Failure(
        isEvidence ? .failed : .usage, what: "cannot fill in \(reference.text)",
        why: isEvidence ? "the step `\(reference.path[1])` left no such evidence, or was skipped" : "it has no value",
        next: isEvidence
          ? "look at the step's evidence with `kguard show`, and correct the reference"
          : "set it, or make the step conditional with `when: \(reference.text)`")
    }
    let text = Self.text(value)
    guard !text.utf8.contains(0) else {
      throw Failure(.usage, what: "cannot fill in \(reference.text)", why: "the value holds a NUL character", next: "correct the value")
    }
    return text
  }

  static func text(_ value: JSON) -> String { value.string ?? value.text() }

  /// False are: no value, false, 0, an empty text, list or map, and the texts `false`, `no`, `off` and `0`.
  static func isTrue(_ value: JSON?) -> Bool {
    switch value {
    case nil, .null: false
    case .bool(let bool): bool
    case .int(let int): int != 0
    case .double(let double): double != 0
    case .string(let text): !["", "false", "no", "off", "0"].contains(text)
    case .array(let values): !values.isEmpty
    case .object(let members): members.count > 0
    }
  }
}
