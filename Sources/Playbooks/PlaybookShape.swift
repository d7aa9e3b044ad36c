public import Model

extension Playbook {
  /// The keys of a playbook: the one table behind the checker and the schema.
  static let shape = Shape.object([
    Field("name", .text(.kebab), "The playbook's name, as it is given on the command line.", isRequired: true),
    Field("description", .text(.any), "What it does, in a line, for `kguard playbook list`."),
    Field(
      "inputs", .map(keys: .kebab, of: .either([.object(inputFields), .empty])),
      "What whoever starts the playbook can set; `${inputs.NAME}` is its value."),
    Field("steps", .list(of: .object(stepFields), atLeast: 1), "What is done, in this order.", isRequired: true),
    Field("rollback", .text(.kebab), "The playbook that takes over where a step with `on-failure: rollback` fails."),
  ])

  static let inputFields = [
    Field("description", .text(.any), "What the input is for."),
    Field("required", .bool, "Whether the playbook refuses to start without it. Default: false."),
    Field("default", .template, "The value where none is given. Without one it is the empty text."),
    Field(
      "pattern", .text(.filled),
      "A regular expression that the whole value must match: characters, [a-z], \\d \\w \\s, groups, |, *, +, ? and {m,n}."),
  ]

  static let stepFields = [
    Field(
      "id", .text(.kebab), "The step's name, once in the playbook; `${steps.ID.KEY}` is its evidence in later steps.", isRequired: true),
    Field("description", .text(.any), "What the step does, for the screen and the report."),
    Field("action", .text(.filled), "The built-in action to do, such as `etcd/snapshot`; `with` has its inputs."),
    Field(
      "run", .list(of: .template, atLeast: 1),
      "A program and its arguments, without a shell. Each element stays one argument, whatever `${…}` puts in. "
        + "Without `check` it runs at least once: after a crash it may run a second time."),
    Field(
      "shell", .text(.filled),
      "A script for /bin/sh, word for word: no `${…}` of kguard is filled in, values reach it through `env`. "
        + "Without `check` it runs at least once: after a crash it may run a second time."),
    Field("with", .map(keys: .any, of: .template), "The inputs of the action."),
    Field("env", .map(keys: .variable, of: .template), "Environment variables of `run`, `shell`, `check` and `undo`."),
    Field(
      "when", .condition,
      "Do the step only if this holds: `${…}`, `not`, `==`, `!=`, `and`, `or`, true, false. False are: no value, false, 0, an empty text, "
        + "list or map, and the texts `false`, `no`, `off`, `0`."),
    Field("timeout", .duration(allowsZero: false), "How long one attempt may take, such as `30m`; then it is ended and has failed."),
    Field("retries", .either([.int(0...100), .object(retryFields)]), "How often a failed attempt is made again. Default: never."),
    Field(
      "on-failure", .choice(Step.OnFailure.allCases.map(\.rawValue)),
      "What a failure does: stop the run (default), start the rollback, or go on with the next step."),
    Field(
      "check", .list(of: .template, atLeast: 1),
      "A program that says whether the own step is in effect already: exit 0 is yes. Asked before the step acts, and on resume."),
    Field("undo", .list(of: .template, atLeast: 1), "A program that takes the own step back in a rollback."),
    Field(
      "changes", .bool,
      "Whether the own step may change the cluster. Default: true. A run that fails after such a step needs an operator, unless it is "
        + "rolled back; with `false` it counts as one that changed nothing."),
  ]

  static let retryFields = [
    Field("max", .int(0...100), "How many retries at most.", isRequired: true),
    Field("backoff", .duration(allowsZero: true), "The longest wait before the first retry; it doubles each time. Default: 2s."),
    Field("limit", .duration(allowsZero: true), "No wait is longer. Default: 5m."),
  ]

  /// A JSON Schema (draft 2020-12) of playbooks with these actions, for editors.
  public static func schema(catalogue: Catalogue) -> JSON {
    var document = shape.document(title: "kguard playbook", description: "An ordered list of steps that kguard runs as one, or takes back.")
    guard var properties = document["properties"], var steps = properties["steps"], var step = steps["items"],
      var fields = step["properties"]
    else { return document }
    fields["action"]?["enum"] = JSON(catalogue.paths)
    step["properties"] = fields
    step["oneOf"] = [["required": ["action"]], ["required": ["run"]], ["required": ["shell"]]]
    step["allOf"] = .array(catalogue.signatures.map(\.schemaRule))
    steps["items"] = step
    properties["steps"] = steps
    document["properties"] = properties
    return document
  }
}

extension ActionSignature {
  /// If the step has this action, then `with` looks so.
  fileprivate var schemaRule: JSON {
    var properties: JSON = [:]
    for input in inputs { properties[input.name] = input.schema }
    let required = inputs.filter(\.isRequired).map(\.name)
    var with: JSON = ["description": .string(summary), "properties": properties, "additionalProperties": false]
    if !required.isEmpty { with["required"] = JSON(required) }
    var then: JSON = ["properties": ["with": with]]
    if !required.isEmpty { then["required"] = ["with"] }
    return ["if": ["properties": ["action": ["const": .string(path)]], "required": ["action"]], "then": then]
  }
}

extension ActionInput {
  /// A literal of the right kind, or a text with a `${…}` in it.
  fileprivate var schema: JSON {
    let literal: JSON
    switch kind {
    case .text: literal = Shape.template.schema
    case .duration: literal = Shape.duration(allowsZero: true).schema
    case .bool: literal = Shape.bool.schema
    case .int: literal = ["type": "integer"]
    case .choice(let names): literal = Shape.choice(names).schema
    }
    return ["description": .string(description), "anyOf": [literal, ["type": "string", "pattern": "\\$\\{"]]]
  }
}
