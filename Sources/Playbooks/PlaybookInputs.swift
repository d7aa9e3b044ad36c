public import Model

extension Playbook {
  /// The value of every input: what is given, or the default, or the empty text. All that is wrong is said at once.
  public func resolveInputs(_ given: [String: String]) throws(Failure) -> [String: String] {
    var wrong: [String] = []
    for name in given.keys.sorted() where !inputs.contains(where: { $0.name == name }) {
      wrong.append("it has no input `\(name)`" + suggestion(name, inputs.map(\.name), called: "inputs"))
    }
    var resolved: [String: String] = [:]
    for input in inputs {
      guard let value = given[input.name] else {
        if input.isRequired {
          wrong.append("the input `\(input.name)` is missing" + (input.description.isEmpty ? "" : " (\(input.description))"))
        }
        resolved[input.name] = input.defaultValue ?? ""
        continue
      }
      if value.utf8.contains(0) {
        wrong.append("the input `\(input.name)` holds a NUL character")
      } else if let source = input.pattern, try !Pattern(source).matches(value) {
        wrong.append("the input `\(input.name)` is `\(value)`, which does not match `\(source)`")
      }
      resolved[input.name] = value
    }
    guard wrong.isEmpty else {
      throw Failure(
        .usage, what: "the playbook `\(name)` cannot start with these inputs", why: wrong.joined(separator: "; "),
        next: inputs.isEmpty ? "start it without inputs" : "give each as NAME=VALUE; `kguard playbook show \(name)` lists them")
    }
    return resolved
  }
}
