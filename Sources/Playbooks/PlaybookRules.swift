public import Model
internal import YAML

extension PlaybookReader {
  /// The reference's value can be there when the step runs.
  mutating func check(_ reference: Reference, _ earlier: Set<String>) {
    guard reference.path.count > 1 else { return }
    let name = reference.path[1]
    switch reference.root {
    case "inputs":
      guard reference.path.count == 2 else {
        problems.add(reference.position, "`\(reference.text)` goes too deep; an input is a text")
        return
      }
      guard root["inputs"].map({ $0.entries != nil }) ?? true else { return }
      let names = (root["inputs"]?.entries ?? []).map(\.key)
      if !names.contains(name) {
        problems.add(reference.position, "the playbook has no input `\(name)`" + suggestion(name, names, called: "inputs"))
      }
    case "run":
      if reference.path.count > 2 || !Scope.runKeys.contains(name) {
        let key = reference.path.dropFirst().joined(separator: ".")
        problems.add(reference.position, "a run has no `\(key)`" + suggestion(key, Scope.runKeys, called: "keys"))
      }
    case "steps":
      if earlier.contains(name) { return }
      if stepIDs.contains(name) {
        problems.add(
          reference.position, "`\(reference.text)` asks for what the step `\(name)` has not done yet; only earlier steps have evidence")
      } else {
        problems.add(reference.position, "there is no earlier step `\(name)`" + suggestion(name, earlier.sorted(), called: "earlier steps"))
      }
    default: checkConfiguration(reference)
    }
  }

  private mutating func checkConfiguration(_ reference: Reference) {
    var shape = Configuration.shape
    var walked = "config"
    for key in reference.path.dropFirst() {
      switch shape.step(into: key) {
      case .found(let next): shape = next
      case .unknown(let names):
        problems.add(reference.position, "`\(walked)` has no key `\(key)`" + suggestion(key, names, called: "keys"))
        return
      case .indexed:
        problems.add(reference.position, "`\(walked)` is a list; its entries are `0`, `1` and so on, not `\(key)`")
        return
      case .hidden:
        problems.add(reference.position, "`\(walked).\(key)` is not for playbooks, since it can hold a secret")
        return
      }
      walked += "." + key
    }
  }

  /// `with` has what the action asks for, and nothing else.
  mutating func checkInputs(of action: Node, _ with: Node?, _ bindings: [(name: String, value: Template)]) {
    guard let path = action.text, !path.isEmpty else { return }
    guard let signature = catalogue[path] else {
      problems.add(action.position, "unknown action `\(path)`" + suggestion(path, catalogue.paths, called: "actions"))
      return
    }
    let names = signature.inputs.map(\.name)
    for entry in with?.entries ?? [] {
      guard let input = signature.inputs.first(where: { $0.name == entry.key }) else {
        problems.add(entry.position, "`\(path)` has no input `\(entry.key)`" + suggestion(entry.key, names, called: "inputs"))
        continue
      }
      guard let literal = bindings.first(where: { $0.name == entry.key })?.value.literal, entry.value.text != nil else { continue }
      if let mistake = input.kind.mistake(in: literal) {
        problems.add(entry.value.position, "`\(entry.key)` must be \(mistake), not \(entry.value.shown)")
      }
    }
    for input in signature.inputs where input.isRequired && with?[input.name] == nil {
      problems.add(action.position, "`\(path)` needs its input `\(input.name)`: add `with: {\(input.name): …}` (\(input.description))")
    }
  }

  mutating func checkRollback(_ steps: [Step]) {
    let failing = steps.filter { $0.onFailure == .rollback }
    let entry = root.entries?.first { $0.key == "rollback" }
    if let entry, failing.isEmpty, !steps.isEmpty {
      problems.add(entry.position, "`rollback` is never used: no step says `on-failure: rollback`")
    }
    if let entry, let name = entry.value.text, name == root["name"]?.text {
      problems.add(entry.value.position, "a playbook can't be its own rollback")
    }
    guard entry == nil else { return }
    for node in root["steps"]?.list ?? [] where node["on-failure"]?.text == Step.OnFailure.rollback.rawValue {
      problems.add(
        node["on-failure"]?.position ?? node.position,
        "the playbook names no rollback; add `rollback: rollback` at its top level, or write `stop`")
    }
  }

  /// Steps that an action relies on stand before it and cannot be passed by.
  mutating func checkGuards(_ steps: [Step]) {
    let places = Dictionary(grouping: steps.indices, by: { steps[$0].action ?? "" })
    var firm: Set<String> = []
    var passable: [String: Step] = [:]
    for (index, step) in steps.enumerated() {
      guard let path = step.action else { continue }
      for needed in catalogue[path]?.requiresBefore ?? [] where !firm.contains(needed) {
        let later = places[needed]?.first { $0 > index }.map { steps[$0] }
        problems.add(step.position, "`\(path)` must come after `\(needed)`" + advice(needed, passable: passable[needed], later: later))
      }
      if step.when == nil && step.onFailure != .continue { firm.insert(path) } else { passable[path] = step }
    }
  }

  private func advice(_ needed: String, passable: Step?, later: Step?) -> String {
    if let passable {
      let why = passable.when != nil ? "`when`" : "`on-failure: continue`"
      return "; the step `\(passable.id)` in line \(passable.position.line) can be passed by: remove its \(why)"
    }
    if let later { return "; move the step `\(later.id)` from line \(later.position.line) above this one" }
    let id = needed.split(separator: "/").last.map(String.init) ?? needed
    return "; add above this step: `- {id: \(id), action: \(needed)}`"
  }
}

extension ActionSignature {
  /// Looks at the inputs once all `${…}` are filled in; the loader has looked at what was plain before.
  public func check(_ resolved: [String: String]) throws(Failure) {
    for input in inputs {
      guard let text = resolved[input.name], let wanted = input.kind.mistake(in: text) else { continue }
      throw Failure(
        .usage, what: "cannot start `\(path)`", why: "its input `\(input.name)` must be \(wanted), not `\(text)`",
        next: "correct the value that the playbook passes to it")
    }
  }
}

extension ActionInput.Kind {
  /// What the text should have been; nil where it is right.
  func mistake(in text: String) -> String? {
    switch self {
    case .text: nil
    case .bool: ["true", "false"].contains(text) ? nil : "true or false"
    case .int: Int64(text) != nil ? nil : "a whole number"
    case .duration: Duration(text: text) != nil ? nil : Shape.duration(allowsZero: true).phrase
    case .choice(let names): names.contains(text) ? nil : "one of " + Shape.choice(names).phrase
    }
  }
}

extension Shape {
  enum Found {
    case found(Shape)
    case unknown([String])
    case indexed
    case hidden
  }

  /// Where a key of a reference leads.
  func step(into key: String) -> Found {
    switch self {
    case .anything: return .found(.anything)
    case .map(_, let shape): return .found(shape)
    case .list(let shape, _): return Int(key) != nil ? .found(shape) : .indexed
    case .object(let fields):
      guard let field = fields.first(where: { $0.key == key }) else { return .unknown(fields.filter { !$0.isPrivate }.map(\.key)) }
      return field.isPrivate ? .hidden : .found(field.shape)
    case .either(let shapes):
      let found = shapes.map { $0.step(into: key) }
      if let first = found.first(where: { if case .found = $0 { true } else { false } }) { return first }
      return .unknown(found.flatMap { found -> [String] in if case .unknown(let names) = found { names } else { [] } })
    default: return .unknown([])
    }
  }
}
