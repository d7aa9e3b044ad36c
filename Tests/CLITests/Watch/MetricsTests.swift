import Glibc
import Host
import Model
import Testing

/// Metrics as Prometheus' own tools see them.
@Suite struct `Metrics` {
  static let tool: String? = {
    let tools = environment("KGUARD_TOOLS").flatMap { $0.isEmpty ? nil : $0 } ?? Webhook.checkout + "/.build/tools"
    return access(tools + "/promtool", X_OK) == 0 ? tools + "/promtool" : nil
  }()
  static let hint: Comment = "run scripts/test-tools first: it gets promtool"

  func promtool(_ arguments: [String], input: String? = nil) throws -> CommandResult {
    let program = try #require(Self.tool)
    return try runCaptured(program, Command(["promtool"] + arguments), input: input.map { Array($0.utf8) })
  }

  /// `name{labels}` and its value.
  func samples(_ text: String) -> [String: Double] {
    var out: [String: Double] = [:]
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let parts = line.split(separator: " ")
      if parts.count >= 2 { out[parts.dropLast().joined(separator: " ")] = Double(parts[parts.count - 1]) }
    }
    return out
  }

  @Test func `before any run there is only the build`() throws {
    let result = try Bench().kguard("metrics")
    #expect(result.exit == 0)
    #expect(samples(result.output).keys.map { String($0.prefix { $0 != "{" }) } == ["kguard_build_info"])
  }

  @Test(.enabled(if: tool != nil, hint))
  func `of a real backup say what was taken, proven and copied, as promtool wants it`() throws {
    let node = try SandboxNode("--seed-objects", "10")
    defer { node.down() }
    try Files.makeDirectory(node.root + "/var/lib/metrics")
    _ = try node.configureOffsite("metrics: {textfile: /var/lib/metrics}\n")
    let state = node.bench.path + "/state"
    let before = wallClock()
    let backup = try node.kguard(["backup"], state: state)
    #expect(backup.exit == 0, "\(backup.errors)")

    let file = node.root + "/var/lib/metrics/kguard.prom"
    let text = try #require(try Files.textIfPresent(file))
    #expect(try Files.info(file)?.mode == 0o644)
    #expect(try Files.list(node.root + "/var/lib/metrics") == ["kguard.prom"])
    #expect(try node.kguard(["metrics"], state: state).output == text)
    let checked = try promtool(["check", "metrics"], input: text)
    #expect(checked.end.isSuccess && checked.text + checked.errorText == "", "\(checked.text)\(checked.errorText)")

    let values = samples(text)
    let bundle = try JSON(parsing: try node.kguard(["bundle", "show", "-o", "json"], state: state).output)
    #expect(values["kguard_bundle_revision"] == bundle.at("manifest", "snapshot", "revision")?.int.map { Double($0) })
    #expect(values["kguard_bundle_size_bytes"] == bundle.at("manifest", "snapshot", "fileSize")?.int.map { Double($0) })
    for (name, value) in ["verified": 1.0, "drilled": 1, "offsite_copies": 1] { #expect(values["kguard_bundle_\(name)"] == value) }
    #expect(values["kguard_run_state{playbook=\"backup\",state=\"succeeded\"}"] == 1)
    #expect(values["kguard_run_state{playbook=\"backup\",state=\"failed\"}"] == 0)
    #expect(values["kguard_step_state{playbook=\"backup\",step=\"copy\",state=\"succeeded\"}"] == 1)
    let start = Double(before.milliseconds) / 1000 - 1
    for name in [
      "kguard_run_last_success_timestamp_seconds{playbook=\"backup\"}", "kguard_bundle_timestamp_seconds", "kguard_drill_timestamp_seconds",
      "kguard_read_back_timestamp_seconds{target=\"file:///srv/offsite\"}",
    ] {
      #expect((start...(start + 120)).contains(values[name] ?? 0), "\(name) is \(values[name] ?? -1)")
    }
    #expect((values["kguard_drill_duration_seconds"] ?? 0) > 0)

    // Commands that are no runs keep them up to date too.
    try Files.removeOwn(file)
    #expect(try node.kguard(["bundle", "prune"], state: state).exit == 0)
    #expect(try Files.textIfPresent(file) == text)
  }

  @Test(.enabled(if: tool != nil, hint))
  func `of a playbook with any name are still well formed`() throws {
    let bench = Bench()
    let name = #"a "quoted" \back\slash, and ünïcode"#
    let file = try bench.write("p.yaml", "name: '\(name)'\nsteps:\n  - {id: a, run: [\"true\"]}\n")
    let run = try bench.kguard("playbook", "run", file)
    if run.exit == 0 {
      let checked = try promtool(["check", "metrics"], input: try bench.kguard("metrics").output)
      #expect(checked.end.isSuccess, "\(checked.text)\(checked.errorText)")
    } else {
      // Such a name is refused, which is as good.
      #expect(run.exit == 2, "\(run.errors)")
    }
  }

  @Test(arguments: ["missing", "a file", "read-only"])
  func `that cannot be written are a message, and nothing fails`(obstacle: String) throws {
    let bench = Bench()
    let directory = bench.path + "/metrics"
    if obstacle == "a file" { _ = try bench.write("metrics", "") }
    if obstacle == "read-only" { try Files.makeDirectory(directory) }
    // root may write anywhere, but not where a directory has the file's name.
    if obstacle == "read-only" { try Files.makeDirectory(directory + "/kguard.prom.part") }
    let config = try bench.write("config.yaml", "metrics: {textfile: '\(directory)'}\n")
    let file = try bench.write("p.yaml", "name: p\nsteps:\n  - {id: a, run: [\"true\"]}\n  - {id: b, run: [\"true\"]}\n")
    let outcome = try bench.kguard("playbook", "run", file, "--config", config)
    #expect(outcome.exit == 0)
    let warnings = outcome.errors.split(separator: "\n").filter { $0.contains("the metrics are not up to date") }
    #expect(warnings.count == 1, "\(outcome.errors)")
  }

  @Test func `are written while a run goes on`() throws {
    let bench = Bench()
    let directory = bench.path + "/metrics"
    try Files.makeDirectory(directory)
    let config = try bench.write("config.yaml", "metrics: {textfile: '\(directory)'}\n")
    let file = try bench.write("p.yaml", "name: p\nsteps:\n  - {id: a, shell: 'while ! test -e go; do sleep 0.02; done'}\n")
    let pid = try bench.start("playbook", "run", file, "--config", config)
    let running = "kguard_step_state{playbook=\"p\",step=\"a\",state=\"started\"}"
    try bench.wait("the step to be in the metrics") {
      samples(try Files.textIfPresent(directory + "/kguard.prom") ?? "")[running] == 1
    }
    _ = try bench.write("go", "")
    #expect(Spawn.wait(pid).isSuccess)
    #expect(samples(try Files.textIfPresent(directory + "/kguard.prom") ?? "")["kguard_run_state{playbook=\"p\",state=\"succeeded\"}"] == 1)
  }

  @Test(.enabled(if: tool != nil, hint))
  func `have alert rules that promtool accepts, and that fire when they should`() throws {
    let examples = Webhook.checkout + "/docs/examples"
    let checked = try promtool(["check", "rules", "--lint-fatal", examples + "/kguard-alerts.yaml"])
    #expect(checked.end.isSuccess, "\(checked.text)\(checked.errorText)")
    let tested = try promtool(["test", "rules", examples + "/kguard-alerts-test.yaml"])
    #expect(tested.end.isSuccess, "\(tested.text)\(tested.errorText)")
  }

  /// A rule on a metric that nobody writes would never fire.
  @Test func `that the alert rules name are all written`() throws {
    let rules = try #require(try Files.textIfPresent(Webhook.checkout + "/docs/examples/kguard-alerts.yaml"))
    let source = try #require(try Files.textIfPresent(Webhook.checkout + "/Sources/CLI/Metrics/Metrics.swift"))
    let lines = rules.split(separator: "\n").filter { $0.contains("expr:") }
    let names = Set(lines.flatMap { $0.split { !$0.isLetter && !$0.isNumber && $0 != "_" } }.filter { $0.hasPrefix("kguard_") })
    #expect(names.count >= 7)
    for name in names { #expect(source.contains("\"\(name)\""), "\(name)") }
  }
}
