internal import Engine
internal import Host
internal import Model
internal import Playbooks
internal import Synchronization

/// `--output json`: one object a line on standard output.
final class JSONView: Observer {
  private let isVerbose: Bool

  init(isVerbose: Bool) { self.isVerbose = isVerbose }

  func notice(_ notice: Notice) {
    var line: JSON
    switch notice {
    case .runStarted(let run, let playbook, let inputs, let parent, let isResume):
      var values = JSON.Members()
      for (name, value) in inputs.sorted(by: { $0.key < $1.key }) { values[name] = .string(value) }
      line = [
        "type": "run", "run": .string(run.text), "state": "running", "playbook": .string(playbook.name), "inputs": .object(values),
        "parent": JSON(parent?.text), "resumed": .bool(isResume), "steps": JSON(playbook.steps.map(\.id)),
      ]
    case .settledBefore(let run, let steps, _):
      var states = JSON.Members()
      for (step, state) in steps.sorted(by: { $0.key < $1.key }) { states[step] = .string(state.rawValue) }
      line = ["type": "settled-before", "run": .string(run.text), "steps": .object(states)]
    case .stepStarted(let run, let step, let action, let attempt, _):
      line = [
        "type": "step", "run": .string(run.text), "step": .string(step), "state": "started", "action": .string(action),
        "attempt": JSON(attempt),
      ]
    case .stepEnded(let run, let step, let state, let failure, let evidence, let took):
      line = ["type": "step", "run": .string(run.text), "step": .string(step), "state": .string(state.rawValue)]
      if let took { line["milliseconds"] = .int(took.milliseconds) }
      if let evidence { line["evidence"] = evidence }
      if let failure { line["error"] = failure.json }
    case .retrying(let run, let step, let failure, let after, let attempt):
      line = [
        "type": "retry", "run": .string(run.text), "step": .string(step), "attempt": JSON(attempt), "after": .int(after.milliseconds),
        "error": failure.json,
      ]
    case .message(let run, let step, let text):
      line = ["type": "message", "run": .string(run.text), "step": JSON(step), "message": .string(text)]
    case .phase(let run, let step, let text):
      line = ["type": "phase", "run": .string(run.text), "step": .string(step), "phase": .string(text)]
    case .runEnded(let run, let state, let failure):
      line = ["type": "run", "run": .string(run.text), "state": .string(state.rawValue)]
      if let failure { line["error"] = failure.json }
    case .output(let run, let step, let text):
      guard isVerbose else { return }
      line = ["type": "output", "run": .string(run.text), "step": .string(step), "line": .string(text)]
    case .progress(let run, let step, let progress):
      guard isVerbose else { return }
      line = ["type": "progress", "run": .string(run.text), "step": .string(step), "done": .int(progress.done)]
      line["total"] = progress.total.map { .int($0) } ?? .null
    }
    line["at"] = .string(wallClock().description)
    Terminal.write(line.text() + "\n", to: .output)
  }

  static func result(_ result: RunResult) -> String {
    var line: JSON = [
      "type": "result", "run": .string(result.run.text), "state": .string(result.state.rawValue),
      "exit": .int(Int64(result.exit.rawValue)),
    ]
    if let failure = result.failure { line["error"] = failure.json }
    line["at"] = .string(wallClock().description)
    return line.text() + "\n"
  }
}
