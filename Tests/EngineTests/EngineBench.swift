import Engine
import Glibc
import Host
import Journal
import Model
import Playbooks
import Testing

/// A runner on a state directory of a test's own, with actions that do what the files beside it say.
final class EngineBench {
  let path: String
  let state: StateDirectory
  let stop: StopSignal
  /// Playbooks that can be found by name; a test may change them while a run is under way.
  var library: [String: String] = [:]

  init(in path: String? = nil, library: [String: String] = [:]) throws {
    if let path {
      self.path = path
    } else {
      var template = Array("/tmp/kguard-engine-XXXXXX".utf8CString)
      self.path = String(cString: try #require(mkdtemp(&template)))
    }
    isOwner = path == nil
    state = StateDirectory(self.path + "/state")
    stop = StopSignal()
    self.library = library
  }

  private let isOwner: Bool
  deinit { if isOwner { _ = try? runCaptured("/bin/rm", Command(["rm", "-rf", path])) } }

  /// The next kguard on the same node: nobody has asked it to stop yet.
  func next() throws -> EngineBench { try EngineBench(in: path, library: library) }

  static let actions = Actions([Touch.self, Look.self, Halt.self, Spoil.self])

  func playbook(_ text: String, file: String = "test.yaml") throws(Failure) -> Playbook {
    do throws(PlaybookProblems) {
      return try Playbook.load(text: text, file: file, catalogue: Self.actions.catalogue)
    } catch {
      throw error.failure
    }
  }

  func journal(_ access: RunJournal.Access = .write) throws -> RunJournal {
    let journal = try #require(try RunJournal.open(in: state.path, access))
    if access == .write { try journal.takeOwnership(ProcessIdentity.current(), at: wallClock()) }
    return journal
  }

  func runner(_ journal: RunJournal) throws -> Runner {
    Runner(
      journal: journal, machine: try LocalMachine(root: "/"), actions: Self.actions, state: state,
      supervisor: Supervisor(state: state, executable: "/bin/false"), observer: nil, stop: stop, version: "test",
      findPlaybook: { [self] (name) throws(Failure) in
        guard let text = library[name] else { throw Failure(.usage, what: "no playbook \(name)", why: "a test says so", next: "") }
        return try playbook(text, file: name + ".yaml")
      })
  }

  /// Writes a run down and carries it out.
  func run(_ text: String) throws -> RunResult {
    let runner = try runner(try journal())
    return try runner.execute(try runner.create(try playbook(text), inputs: [:], config: ["here": .string(path)]))
  }

  func resume(_ run: RunID) throws -> RunResult { try runner(try journal()).execute(run) }
  func rollBack(_ run: RunID, _ inputs: [String: String] = [:]) throws -> RunResult {
    try runner(try journal()).rollBack(run, inputs: inputs)
  }

  func record(_ run: RunID) throws -> RunRecord { try #require(try journal(.read).run(run)) }
  func states(_ run: RunID) throws -> [String] { try journal(.read).steps(run).map { "\($0.id) \($0.state.rawValue)" } }
  func rollbacks(_ run: RunID) throws -> [RunID] { try journal(.read).rollbacks(of: run) }

  func write(_ name: String) throws { try Files.replace(path + "/" + name, with: []) }
  func remove(_ name: String) { unlink(path + "/" + name) }
  /// How often `test/touch` acted, by its name.
  func touched(_ name: String) throws -> Int { (try Files.textIfPresent(path + "/" + name) ?? "").count }

  func sqlite(_ sql: String) throws {
    let result = try runCaptured("/usr/bin/sqlite3", Command(["sqlite3", "-bail", state.path + "/kguard.db", sql]))
    guard result.end.isSuccess else { throw Failure(what: "sqlite3", why: result.lastWords, next: "") }
  }
}

private func file(_ context: StepContext, _ name: String) -> String { (context.configuration["here"]?.string ?? "") + "/" + name }

/// Changes "the cluster": adds a letter to the file `name`. Fails where `name.refused` is there.
private struct Touch: Action {
  static let signature = ActionSignature(
    "test/touch", summary: "touch", inputs: [ActionInput("name", isRequired: true, description: "name")])
  static let changesCluster = true
  let name: String
  init(_ inputs: ActionInputs) throws(Failure) { name = try inputs.require("name") }

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool { try Files.exists(file(context, name)) }
  func perform(_ context: StepContext) throws(Failure) {
    if try Files.exists(file(context, name + ".refused")) { throw Failure(what: "refused", why: "a test says so", next: "mend it") }
    let before = try Files.textIfPresent(file(context, name)) ?? ""
    try Files.replace(file(context, name), with: Array((before + "x").utf8))
  }
  func verify(_ context: StepContext) throws(Failure) -> JSON {
    // The outcome of this step, and nothing else, cannot be written down.
    if try Files.exists(file(context, name + ".unrecorded")) {
      _ = try runCaptured(
        "/usr/bin/sqlite3",
        Command([
          "sqlite3", context.state.path + "/kguard.db",
          "CREATE TRIGGER refuses BEFORE UPDATE ON attempts BEGIN SELECT raise(ABORT, 'a test says so'); END",
        ]))
    }
    return ["name": .string(name)]
  }
}

/// Changes nothing; its evidence has a list.
private struct Look: Action {
  static let signature = ActionSignature("test/look", summary: "look", inputs: [ActionInput("mode", description: "mode")])
  let mode: String
  init(_ inputs: ActionInputs) throws(Failure) { mode = inputs["mode"] ?? "" }
  func perform(_ context: StepContext) throws(Failure) {}
  func verify(_ context: StepContext) throws(Failure) -> JSON { ["mode": .string(mode), "list": ["a", "b"]] }
}

/// Is interrupted as by SIGTERM, until the file `go` is there.
private struct Halt: Action {
  static let signature = ActionSignature("test/halt", summary: "halt", inputs: [])
  init(_ inputs: ActionInputs) throws(Failure) {}
  func perform(_ context: StepContext) throws(Failure) {
    if try Files.exists(file(context, "go")) { return }
    context.stop.ask(.now, reason: "a test")
    try context.checkpoint()
  }
  func verify(_ context: StepContext) throws(Failure) -> JSON { [:] }
}

/// Takes the reserve away, so that none can be made.
private struct Spoil: Action {
  static let signature = ActionSignature("test/spoil", summary: "spoil", inputs: [])
  init(_ inputs: ActionInputs) throws(Failure) {}
  func perform(_ context: StepContext) throws(Failure) {
    let reserve = context.state.path + "/reserve"
    try Files.removeOwn(reserve)
    try Files.makeDirectory(reserve)
  }
  func verify(_ context: StepContext) throws(Failure) -> JSON { [:] }
}
