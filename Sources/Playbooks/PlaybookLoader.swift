internal import Model
internal import YAML

extension Playbook {
  /// Reads a playbook and checks all of it; what is wrong comes at once, in the order of the text.
  public static func load(text: String, file: String, catalogue: Catalogue) throws(PlaybookProblems) -> Playbook {
    var problems = Problems(file: file, text: text)
    let root: Node
    do throws(Mistake) {
      root = try problems.tree(text)
    } catch {
      throw PlaybookProblems(mistakes: [error], subject: "playbook")
    }
    shape.check(root, "the playbook", &problems)
    var reader = PlaybookReader(problems: problems, catalogue: catalogue, root: root)
    let inputs = reader.readInputs()
    let steps = reader.readSteps()
    reader.checkRollback(steps)
    reader.checkGuards(steps)
    guard reader.problems.mistakes.isEmpty else { throw reader.problems.sorted("playbook") }
    return Playbook(
      name: root["name"]?.text ?? "", description: root["description"]?.text ?? "", inputs: inputs, steps: steps,
      rollback: root["rollback"]?.text, file: file, text: text)
  }
}

/// Reads the parts of a playbook whose keys and kinds `Playbook.shape` has checked; where those are wrong it reads what it can.
struct PlaybookReader {
  var problems: Problems
  let catalogue: Catalogue
  let root: Node
  let stepIDs: Set<String>

  init(problems: Problems, catalogue: Catalogue, root: Node) {
    self.problems = problems
    self.catalogue = catalogue
    self.root = root
    self.stepIDs = Set((root["steps"]?.list ?? []).compactMap { $0["id"]?.text })
  }

  mutating func readInputs() -> [Input] {
    (root["inputs"]?.entries ?? []).map { entry in
      let isRequired = entry.value["required"]?.bool ?? false
      let defaultNode = entry.value["default"]
      let patternNode = entry.value["pattern"]
      if isRequired, let defaultNode {
        problems.add(defaultNode.position, "the input `\(entry.key)` is required, so its default is never used; remove one of the two")
      }
      if let defaultNode, let text = defaultNode.text, Reference.roots.contains(where: { text.contains("${\($0).") }) {
        problems.add(defaultNode.position, "a default is taken as it is: no `${…}` is filled in")
      }
      if let patternNode, let source = patternNode.text, !source.isEmpty {
        do throws(Failure) {
          let pattern = try Pattern(source)
          if let defaultNode, let value = defaultNode.text, !pattern.matches(value) {
            problems.add(defaultNode.position, "the default \(defaultNode.shown) does not match the pattern `\(source)`")
          }
        } catch {
          problems.add(patternNode.position, "`pattern` is not a regular expression: \(error.why)")
        }
      }
      return Input(
        name: entry.key, description: entry.value["description"]?.text ?? "", isRequired: isRequired, defaultValue: defaultNode?.text,
        pattern: patternNode?.text, position: entry.position)
    }
  }

  mutating func readSteps() -> [Step] {
    var steps: [Step] = []
    var seen: [String: Int] = [:]
    var earlier: Set<String> = []
    for node in root["steps"]?.list ?? [] where node.entries != nil {
      let id = node["id"]?.text ?? ""
      steps.append(readStep(node, id, earlier: earlier))
      guard let idNode = node["id"], !id.isEmpty else { continue }
      if let line = seen[id] {
        problems.add(idNode.position, "the id `\(id)` comes a second time; the first is in line \(line)")
      } else {
        seen[id] = idNode.position.line
        earlier.insert(id)
      }
    }
    return steps
  }

  private mutating func readStep(_ node: Node, _ id: String, earlier: Set<String>) -> Step {
    let work = readWork(node, earlier)
    let isOwn = node["action"] == nil
    if isOwn {
      misplaced("with", node, "belongs to a step with `action`; values reach `run` by `${…}`, and `shell` by `env`")
    } else {
      for key in ["env", "check", "undo", "changes"] {
        misplaced(key, node, "belongs to an own step (`run` or `shell`); an action sees to that itself")
      }
    }
    let with = readBindings(node["with"], earlier)
    if let action = node["action"] { checkInputs(of: action, node["with"], with) }
    return Step(
      id: id, description: node["description"]?.text ?? "", work: work ?? .run([]), with: with,
      environment: readBindings(node["env"], earlier), when: readCondition(node["when"], earlier),
      timeout: node["timeout"]?.text.flatMap { Duration(text: $0) }, retries: readRetries(node["retries"]),
      onFailure: node["on-failure"]?.text.flatMap(Step.OnFailure.init) ?? .stop, check: readArguments(node["check"], earlier),
      undo: readUndo(node["undo"], id, earlier), changes: node["changes"]?.bool ?? true, position: node.position)
  }

  /// An undo can name what its own step has done, too.
  private mutating func readUndo(_ node: Node?, _ id: String, _ earlier: Set<String>) -> [Template]? {
    guard let node else { return nil }
    return readArguments(node, earlier.union([id]))
  }

  private mutating func misplaced(_ key: String, _ step: Node, _ why: String) {
    guard let entry = step.entries?.first(where: { $0.key == key }) else { return }
    problems.add(entry.position, "`\(key)` \(why)")
  }

  private mutating func readWork(_ node: Node, _ earlier: Set<String>) -> Step.Work? {
    let kinds = (node.entries ?? []).filter { ["action", "run", "shell"].contains($0.key) }
    if kinds.isEmpty { problems.add(node.position, "the step says nothing to do; it needs one of `action`, `run` and `shell`") }
    for extra in kinds.dropFirst() {
      problems.add(extra.position, "the step has `\(kinds[0].key)` already; `action`, `run` and `shell` exclude each other")
    }
    var work: Step.Work?
    for kind in kinds.reversed() {
      switch kind.key {
      case "action": work = kind.value.text.map(Step.Work.action)
      case "run": work = readArguments(kind.value, earlier).map(Step.Work.run)
      default:
        work = kind.value.text.map(Step.Work.shell)
        checkScript(kind.value)
      }
    }
    return work
  }

  /// A script that names values as a template does would get the shell's idea of them.
  private mutating func checkScript(_ node: Node) {
    guard let text = node.text else { return }
    for root in Reference.roots where text.contains("${\(root).") {
      problems.add(
        node.position, "`shell` fills in no `${\(root).…}`; pass the value by `env: {NAME: \"${\(root).…}\"}` and write \"$NAME\"")
    }
  }

  private mutating func readArguments(_ node: Node?, _ earlier: Set<String>) -> [Template]? {
    guard let list = node?.list else { return nil }
    let templates = list.map { readTemplate($0, earlier) }
    if let first = list.first, first.text != nil, templates.first?.literal == "" {
      problems.add(first.position, "the program's name is empty")
    }
    return templates
  }

  private mutating func readBindings(_ node: Node?, _ earlier: Set<String>) -> [(name: String, value: Template)] {
    (node?.entries ?? []).map { ($0.key, readTemplate($0.value, earlier)) }
  }

  private mutating func readTemplate(_ node: Node, _ earlier: Set<String>) -> Template {
    let template = Template.read(problems.located(node), &problems)
    for reference in template.references { check(reference, earlier) }
    return template
  }

  private mutating func readCondition(_ node: Node?, _ earlier: Set<String>) -> Condition? {
    guard let node, node.text != nil, let condition = Condition.read(problems.located(node), &problems) else { return nil }
    for reference in condition.references { check(reference, earlier) }
    return condition
  }

  private mutating func readRetries(_ node: Node?) -> Retries {
    guard let node else { return .none }
    if let count = node.int { return Retries(max: Int(clamping: count)) }
    let backoff = node["backoff"]?.text.flatMap { Duration(text: $0) } ?? Retries.defaultBackoff
    let limit = node["limit"]?.text.flatMap { Duration(text: $0) }
    if let limit, limit < backoff, let position = node["limit"]?.position {
      problems.add(position, "`limit` is less than `backoff` (\(backoff.forFiles))")
    }
    return Retries(
      max: Int(clamping: node["max"]?.int ?? 0), backoff: backoff, limit: limit ?? max(backoff, Retries.defaultLimit))
  }
}
