internal import Host
public import Model
internal import Playbooks

/// A step that a playbook's author wrote: `run:` with an argv, or `shell:` with a script. It runs at least once; `check:` says whether
/// it is in effect already.
struct OwnStep {
  let argv: [String]
  let environment: [String: String]
  let check: [String]?
  let undoArgv: [String]?

  init(_ step: Step, _ scope: Scope) throws(Failure) {
    switch step.work {
    case .run(let templates): argv = try Self.resolve(templates, scope)
    case .shell(let script): argv = ["sh", "-euc", script]
    case .action: argv = []
    }
    var environment: [String: String] = [:]
    for (name, value) in step.environment { environment[name] = try value.resolved(scope) }
    self.environment = environment
    check = try step.check.map { (templates) throws(Failure) in try Self.resolve(templates, scope) }
    undoArgv = try step.undo.map { (templates) throws(Failure) in try Self.resolve(templates, scope) }
  }

  /// What it would run. Values of its environment are not told.
  static func intentions(_ step: Step, shown: (Template) -> String) -> [String] {
    func line(_ templates: [Template]) -> String {
      templates.map { shown($0) }.map { $0.isEmpty || $0.contains(where: \.isWhitespace) ? "'\($0)'" : $0 }.joined(separator: " ")
    }
    var lines: [String] = []
    if let check = step.check { lines.append("nothing, where `\(line(check))` ends with 0") }
    switch step.work {
    case .run(let templates): lines.append("runs `\(line(templates))`")
    case .shell(let script):
      let all = script.split(separator: "\n").filter { !$0.allSatisfy(\.isWhitespace) }
      lines.append(
        "runs a script with sh: `\(all.first ?? "")`" + (all.count > 1 ? " and \(all.count - 1) more line\(all.count == 2 ? "" : "s")" : "")
      )
    case .action: break
    }
    return lines
  }

  private static func resolve(_ templates: [Template], _ scope: Scope) throws(Failure) -> [String] {
    var argv: [String] = []
    for template in templates { argv.append(try template.resolved(scope)) }
    return argv
  }
}

extension OwnStep: StepWork {
  var hasUndo: Bool { undoArgv != nil }
  var isOneCommand: Bool { true }

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    if case .ended(let end) = context.previousChild, end.isSuccess { return true }
    guard let check else { return false }
    let executable = try context.machine.require(program: check.first ?? "")
    let environment = context.machine.childEnvironment.merging(self.environment) { $1 }
    let limit = context.deadline.map { max(.milliseconds(1), $0 - monotonicNow()) } ?? Self.checkTime
    context.stop.setCancellable(true)
    defer { context.stop.setCancellable(false) }
    let result = try runCaptured(executable, Command(check, environment: environment), timeout: limit, stop: context.stop)
    if context.stop.isNow { throw context.interrupted }
    return try answer(of: check, result, limit)
  }

  /// How long `check` may take where the step has no `timeout`.
  private static let checkTime = Duration.seconds(60)

  /// Only a program that ran to its end has said yes or no; a shell says 126 and 127 where it found none.
  private func answer(of check: [String], _ result: CommandResult, _ limit: Duration) throws(Failure) -> Bool {
    let why: String
    switch result.end {
    case _ where result.timedOut: why = "it took longer than \(limit.forPeople), and was ended"
    case .exited(0): return true
    case .exited(let code) where code != 126 && code != 127: return false
    case .exited, .signalled: why = "\(result.end): \(result.lastWords)"
    }
    throw Failure(
      what: "`check` cannot say whether the step is in effect", why: "`\(check.joined(separator: " "))`: \(why)",
      next: "run it by hand; where it needs more time, give the step a `timeout`")
  }

  func perform(_ context: StepContext) throws(Failure) {
    try judge(try context.supervise(argv, environment: environment), context)
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON { ["exit": 0] }

  func undo(_ context: StepContext) throws(Failure) {
    guard let undoArgv else { return }
    try judge(try context.supervise(undoArgv, environment: environment), context)
  }

  private func judge(_ end: ChildEnd, _ context: StepContext) throws(Failure) {
    if let failure = end.failure(of: argv.first ?? "", context) { throw failure }
  }
}

extension ChildEnd {
  /// Nil where the command ended well; otherwise what it said last, and where the rest is.
  public func failure(of program: String, _ context: StepContext) -> Failure? {
    if end.isSuccess && !timedOut { return nil }
    let why = timedOut ? "its time was up, and it was ended" : end.description
    let log = context.state.log(of: context.run, step: context.step, attempt: context.attempt)
    return Failure(
      what: "`\(program)` failed", why: why + lastWords(log),
      next: "read its output: `kguard logs \(context.run) \(context.step)`, or \(log)")
  }
}

/// The last line of a file that says something; only the end of the file is read.
private func lastWords(_ path: String) -> String {
  guard let size = try? Files.info(path)?.size, let tail = try? Files.read(path, from: max(0, size - 4096), upTo: 4096) else { return "" }
  let lines = String(decoding: tail, as: UTF8.self).split(whereSeparator: \.isNewline).filter { !$0.allSatisfy(\.isWhitespace) }
  guard let last = lines.last else { return "" }
  let telling = isOnlyKubeadmsFarewell(last) ? lines.last { !isOnlyKubeadmsFarewell($0) } ?? last : last
  return "; \(telling == last ? "its last line" : "it said"): \(telling.prefix(300))"
}

/// After the cause, which may end in a line of its own with the exit status of a program that it called.
private func isOnlyKubeadmsFarewell(_ line: Substring) -> Bool {
  line.hasPrefix("To see the stack trace of this error execute with --v=") || line.hasPrefix(", error: exit status ")
}
