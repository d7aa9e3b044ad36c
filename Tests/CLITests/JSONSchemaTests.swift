import Host
import Model
import Testing

/// As much of JSON Schema as `docs/json-schema.json` uses; a keyword that it does not know is a mistake.
private struct SchemaJudge {
  let schema: JSON

  /// What is wrong with a value, each with its path.
  func mistakes(_ value: JSON, _ rule: JSON, _ path: String = "") -> [String] {
    rule.object?.pairs.flatMap { mistakes(value, $0.key, $0.value, rule, path) } ?? ["\(path): no rule"]
  }

  private func mistakes(_ value: JSON, _ keyword: String, _ said: JSON, _ rule: JSON, _ path: String) -> [String] {
    func wrong(_ isRight: Bool) -> [String] { isRight ? [] : ["\(path): \(keyword) \(said.text()): \(value.text().prefix(200))"] }
    switch keyword {
    case "description", "pattern": return []
    case "$ref":
      let name = String(said.string?.split(separator: "/").last ?? "")
      return schema.at("$defs", name).map { mistakes(value, $0, path) } ?? ["\(path): no definition \(name)"]
    case "type": return wrong((said.array ?? [said]).contains { $0.string == Self.type(of: value) })
    case "enum": return wrong(said.array?.contains(value) == true)
    case "const": return wrong(said == value)
    case "minimum": return wrong((value.int ?? .min) >= said.int ?? 0)
    case "maximum": return wrong((value.int ?? .max) <= said.int ?? 0)
    case "required": return wrong((said.array ?? []).allSatisfy { value[$0.string ?? ""] != nil })
    case "allOf": return (said.array ?? []).flatMap { mistakes(value, $0, path) }
    case "anyOf":
      let all = (said.array ?? []).map { mistakes(value, $0, path) }
      return all.contains { $0.isEmpty } ? [] : (all.min { $0.count < $1.count } ?? []) + wrong(false)
    case "items": return (value.array ?? []).enumerated().flatMap { mistakes($0.element, said, "\(path)[\($0.offset)]") }
    case "properties":
      return (said.object?.pairs ?? []).flatMap { key, rule in value[key].map { mistakes($0, rule, "\(path).\(key)") } ?? [] }
    case "additionalProperties":
      return (value.object?.pairs ?? []).flatMap { mistakes($0.value, said, "\(path).\($0.key)") }
    default: return ["\(path): the keyword \(keyword) is not known"]
    }
  }

  private static func type(of value: JSON) -> String {
    switch value {
    case .null: "null"
    case .bool: "boolean"
    case .int: "integer"
    case .double: "number"
    case .string: "string"
    case .array: "array"
    case .object: "object"
    }
  }
}

/// `docs/json-schema.json` and the commands say the same.
@Suite struct `JSON output` {
  private let judge: SchemaJudge

  init() throws {
    let path = `What the docs show`.project + "/docs/json-schema.json"
    judge = SchemaJudge(schema: try JSON(parsing: try Files.read(path)))
  }

  /// Every line where the name says so, else the whole.
  private func check(_ name: String, _ output: String, _ command: [String]) throws {
    let texts = name.hasSuffix("-line") || command.prefix(2) == ["bundle", "list"] ? output.split(separator: "\n") : [output[...]]
    #expect(!texts.isEmpty && output.hasSuffix("\n"), "\(command)")
    let rule = try #require(judge.schema.at("$defs", name), "\(name)")
    for text in texts {
      let mistakes = judge.mistakes(try JSON(parsing: String(text)), rule)
      #expect(mistakes.isEmpty, "\(command): \(mistakes)")
    }
  }

  private static let commands: [(String, [String])] = [
    ("run-line", ["backup", "-v"]), ("run-line", ["drill"]), ("bundle", ["bundle", "list"]), ("bundle", ["bundle", "show"]),
    ("bundle-verify", ["bundle", "verify"]), ("bundle-copy-line", ["bundle", "copy"]),
    ("bundle-list-from-line", ["bundle", "list", "--from", "file:///srv/offsite"]),
    ("bundle-pull", ["bundle", "pull", "--to", "BENCH/pulled"]), ("bundle-objects-line", ["bundle", "objects"]),
    ("bundle-cat", ["bundle", "cat", "last", "/registry/namespaces/kube-system"]),
    ("bundle-restore", ["bundle", "restore", "--to", "BENCH/restored"]), ("bundle-prune", ["bundle", "prune"]),
    ("bundle-prune", ["bundle", "prune", "--dry-run"]), ("dry-run", ["backup", "--dry-run"]), ("check", ["check"]),
    ("standing", []), ("status", ["status"]), ("show", ["show"]), ("watch-line", ["status", "-w"]), ("history-line", ["history"]),
    ("playbook-list", ["playbook", "list"]), ("playbook-check", ["playbook", "check", "upgrade"]), ("config-check", ["config", "check"]),
    ("metrics", ["metrics"]), ("schedule", ["schedule", "systemd"]), ("version", ["version"]),
    ("key-new", ["key", "new", "BENCH/new.txt"]), ("error-line", ["bundle", "show", "nope"]), ("run-line", ["resume"]),
  ]

  @Test func `of every command is what its schema says`() throws {
    let node = try SandboxNode()
    defer { node.down() }
    let state = node.bench.path + "/state"
    _ = try node.configureOffsite("notify: [{webhook: 'https://hooks.example/T0/secret', on: [failure]}]\n")
    try Files.replace(
      node.root + "/etc/kguard/config.yaml", with: try Files.read(node.root + "/etc/kguard/config.yaml"), mode: 0o600)
    try Files.replace(node.root + "/key.txt", with: try Files.read(node.bench.path + "/key.txt"), mode: 0o600)
    try check("standing", try node.kguard(["-o", "json"], state: state).output, [])
    for (name, words) in Self.commands {
      let command = words.map { $0.hasPrefix("BENCH") ? node.bench.path + $0.dropFirst(5) : $0 }
      let keys = command.contains("pull") ? ["--identity", node.bench.path + "/key.txt"] : []
      try check(name, try node.kguard(command + keys + ["-o", "json"], state: state).output, command)
    }
    let first = try JSON(parsing: try node.kguard(["bundle", "show", "-o", "json"], state: state).output)["bundle"]?.string ?? ""
    #expect(try node.kguard(["backup", "--no-drill"], state: state).exit == 0)
    try check("bundle-diff-line", try node.kguard(["bundle", "diff", first, "-o", "json"], state: state).output, ["bundle", "diff"])
    try see(node, state)
  }

  /// Progress on a terminal, of a real bundle.
  private func see(_ node: SandboxNode, _ state: String) throws {
    for (options, isDrawnOver) in [([], true), (["--plain"], false)] {
      let seen = try SeenScreen(
        node.bench, ["bundle", "verify"] + options, columns: 80, environment: ["KGUARD_ROOT": node.root, "KGUARD_STATE": state])
      #expect(seen.exit == 0 && seen.last.contains("is sound"), "\(seen.last)")
      #expect((seen.erased > 0) == isDrawnOver, "\(seen.screens)")
    }
  }

  @Test func `of logs has a line for each line, whatever its end`() throws {
    let bench = Bench()
    let steps = #"  - {id: a, shell: 'printf "one\ntwo\n\nthree"'}"# + "\n  - {id: b, run: [echo, four]}\n"
    let file = try bench.write("p.yaml", "name: p\nsteps:\n" + steps)
    #expect(try bench.kguard("playbook", "run", file).exit == 0)
    let output = try bench.kguard("logs", "-o", "json").output
    try check("logs-line", output, ["logs"])
    let lines = try output.split(separator: "\n").map { try JSON(parsing: String($0)) }
    #expect(lines.map { "\($0["step"]?.string ?? "") \($0["line"]?.string ?? "?")" } == ["a one", "a two", "a ", "a three", "b four"])
  }

  @Test func `names every state, and what is wrong would be found`() throws {
    #expect(judge.schema.at("$defs", "run-state", "enum") == JSON(RunState.allCases.map(\.rawValue)))
    #expect(judge.schema.at("$defs", "step-state", "enum") == JSON(StepState.allCases.map(\.rawValue)))
    let rule = try #require(judge.schema.at("$defs", "bundle-prune"))
    let right: JSON = ["keep": ["a"], "remove": [], "removeCopies": [], "removeStaged": [], "removeUnfinished": []]
    #expect(judge.mistakes(right, rule).isEmpty)
    #expect(judge.mistakes(["keep": [1], "remove": [], "removeCopies": [["target": "x"]]], rule).count == 3)
  }

  @Test func `of the configuration shows who is told, and no secret`() throws {
    let bench = Bench()
    let file = try bench.write(
      "c.yaml",
      """
      encryption: none
      notify:
        - {webhook: 'https://user@hooks.example:8443/T0/hunter2?x=hunter2', on: [failure]}
        - {command: [/bin/tell, --token, hunter2]}
      """)
    try Files.replace(file, with: try Files.read(file), mode: 0o600)
    let shown = try bench.kguard("config", "check", "-o", "json", "--config", file)
    #expect(shown.exit == 0 && !shown.output.contains("hunter2"), "\(shown.output)\(shown.errors)")
    let notify = try JSON(parsing: shown.output)["notify"]?.array ?? []
    #expect(notify.first?["webhook"] == "https://hooks.example:8443/…" && notify.first?["on"] == ["failure"])
    #expect(notify.last?["command"] == ["/bin/tell", "…"])
  }
}
