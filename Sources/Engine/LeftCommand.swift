internal import Host
internal import Journal
internal import Model

/// A command that outlived its kguard, in words, and what a person may do about it.
struct LeftCommand {
  /// Nil: nobody knows which step it is of.
  private let step: StepRecord?
  private let argv: [String]?
  private let stopping: Stopping?

  init(_ runner: Runner, attempt directory: String) {
    let busy = (try? SupervisorRecord.read(runner.state))?.busy
    let place = busy ?? directory
    argv = try? ChildFiles(directory: place).childArguments()
    // `…/runs/RUN/STEP/ATTEMPT`
    let parts = place.split(separator: "/").suffix(3).map(String.init)
    guard parts.count == 3, let run = RunID(parts[0]) else {
      (step, stopping) = (nil, nil)
      return
    }
    step = try? runner.journal.steps(run).first { $0.id == parts[1] }
    stopping = step.map { runner.actions[$0.action]?.stopping ?? .cancels }
  }

  func words(_ process: ProcessIdentity?) -> String {
    let number = process.map { " (process \($0.pid))" } ?? ""
    return "waiting for \(name)\(number), which the earlier kguard began and which still runs\(advice(process))"
  }

  private var name: String {
    guard let step else { return "a command" }
    // What a playbook's own step runs may be a page long; its name says enough.
    guard !["run", "shell"].contains(step.action), let argv, !argv.isEmpty else { return "the command of the step \(step.id)" }
    let line = argv.joined(separator: " ").split(whereSeparator: \.isNewline).joined(separator: " ")
    return "`\(line.count > 100 ? line.prefix(99) + "…" : line)` of the step \(step.id)"
  }

  private func advice(_ process: ProcessIdentity?) -> String {
    switch stopping {
    case .cancels: (process.map { "; `kill \($0.pid)` ends it" } ?? "") + "; Ctrl-C stops waiting"
    case .waits: ". Let it end by itself: cut short, it could leave the cluster half way. Ctrl-C only stops waiting"
    case nil: "; Ctrl-C stops waiting"
    }
  }
}
