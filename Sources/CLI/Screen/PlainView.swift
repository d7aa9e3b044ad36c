internal import Engine
internal import Host
internal import Model
internal import Synchronization

/// A run off a terminal: a line for each thing that happens, and a heartbeat while nothing does.
final class PlainView: Observer {
  private struct State {
    var step: String?
    var since: Duration = .zero
    var lastLine: Duration = .zero
    var meter: ProgressMeter?
  }
  private let state = Mutex(State())
  private let isVerbose: Bool
  private let style: Style
  static let heartbeat = Duration.seconds(30)

  init(style: Style, isVerbose: Bool) {
    self.style = style
    self.isVerbose = isVerbose
    startThread("heartbeat") { [weak self] in
      let never = StopSignal()
      while never.sleep(.seconds(1)), let self { self.beat() }
    }
  }

  func notice(_ notice: Notice) {
    switch notice {
    case .runStarted(let run, let playbook, let inputs, let parent, let isResume):
      let heading = Words.heading(playbook, inputs, parent: parent, isResume: isResume)
      say("run \(run): \(heading), on \(localTime(wallClock(), "%Y-%m-%d, times are %Z"))")
    case .settledBefore(let run, let steps, let count): say("run \(run): \(Words.settledBefore(steps.count, of: count))")
    case .stepStarted(_, let step, let action, let attempt, _):
      state.withLock {
        $0.step = step
        $0.since = monotonicNow()
        $0.meter = nil
      }
      say("\(step): started" + (action == step ? "" : " (\(action))") + (attempt > 1 ? ", attempt \(attempt)" : ""))
    case .stepEnded(_, let step, let stepState, let failure, let evidence, let took):
      state.withLock { $0.step = nil }
      let time = took.map { " in \($0.forPeople)" } ?? ""
      let summary = Words.summary(evidence)
      let detail = failure.map { ": \(inOneLine($0.description))" } ?? (summary.isEmpty ? "" : ": \(summary)")
      say("\(step): \(stepState.rawValue)\(time)\(detail)")
    case .retrying(_, let step, let failure, let after, let attempt):
      say("\(step): failed: \(inOneLine(failure.description)); attempt \(attempt) in \(after.forPeople)")
    case .message(_, let step, let text): say((step.map { "\($0): " } ?? "") + inOneLine(text))
    case .phase(_, let step, let text): say("\(step): \(inOneLine(text))")
    case .output(_, let step, let line): if isVerbose { say("\(step)| \(printable(line))") }
    case .progress(_, _, let progress):
      state.withLock {
        var meter = $0.meter ?? ProgressMeter()
        meter.update(progress, at: monotonicNow())
        $0.meter = meter
      }
    case .runEnded(let run, let runState, _): say("run \(run): \(runState.rawValue)")
    }
  }

  private func beat() {
    let now = monotonicNow()
    let line = state.withLock { state -> String? in
      guard let step = state.step, now - state.lastLine >= Self.heartbeat else { return nil }
      let progress = state.meter.map { ", " + Words.progress($0.reading(at: now)) } ?? ""
      return "\(step): still running, \((now - state.since).forPeople)\(progress)"
    }
    if let line { say(line) }
  }

  private func say(_ text: String) {
    state.withLock { $0.lastLine = monotonicNow() }
    Terminal.write(style.inCharset("\(localTime(wallClock(), "%H:%M:%S")) \(text)\n"), to: .errors)
  }
}
