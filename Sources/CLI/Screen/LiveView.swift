internal import Cluster
internal import Engine
internal import Host
internal import Model
internal import Playbooks
internal import Synchronization

/// A run on a terminal. Steps that have ended are lines that stay; below them a block is drawn again ten times a second: the step that
/// works now, those to come, and what Ctrl-C would do. When the run ends the block is gone, and a clean log is left.
final class LiveView: Observer {
  private struct State {
    var block: LiveBlock
    var meter: ProgressMeter?
  }
  private let state: Mutex<State>
  private let style: Style
  private let isVerbose: Bool

  init(style: Style, isVerbose: Bool, hand: LiveBlock.Hand, stream: Terminal.Stream = .errors) {
    self.style = style
    self.isVerbose = isVerbose
    state = Mutex(State(block: LiveBlock(style: style, hand: hand, stream: stream)))
    startThread("screen") { [weak self] in
      let never = StopSignal()
      while never.sleep(.milliseconds(100)), let self { self.redraw() }
    }
  }

  func notice(_ notice: Notice) {
    state.withLock { state in
      switch notice {
      case .runStarted(let run, let playbook, let inputs, let parent, let isResume):
        let title = Words.heading(playbook, inputs, parent: parent, isResume: isResume)
        state.block.begin(playbook.steps.map { ($0.id, $0.actionName) }, isRollback: parent != nil)
        state.block.keep(heading(title, run))
      case .settledBefore(_, let steps, let count):
        state.block.passed(steps)
        state.block.say(nil, Words.settledBefore(steps.count, of: count))
      case .stepStarted(_, let step, let action, let attempt, let stopping):
        state.meter = nil
        state.block.started(.init(step: step, action: action, attempt: attempt, stopping: stopping, since: monotonicNow()))
      case .stepEnded(_, let step, let stepState, let failure, let evidence, let took):
        state.block.ended(step, stepState, failure, summary: Words.summary(evidence), took: took)
      case .retrying(_, let step, let failure, let after, let attempt):
        state.block.keep("\(style.mark(.failed)) \(step): \(failure); attempt \(attempt) in \(after.forPeople)")
        state.block.current = nil
        state.block.nextAttempt = (step, attempt, monotonicNow() + after)
      case .message(_, let step, let text): state.block.say(step, text)
      case .phase(_, _, let text):
        state.meter = nil
        state.block.current?.reading = nil
        state.block.current?.line = ""
        state.block.current?.phase = printable(text)
      case .output(_, _, let line):
        if isVerbose { state.block.keep(style.paint("  \(style.quote) ", .dim) + printable(line)) }
        state.block.current?.line = printable(line)
      case .progress(_, _, let progress):
        var meter = state.meter ?? ProgressMeter()
        meter.update(progress, at: monotonicNow())
        state.meter = meter
        state.block.current?.reading = meter.reading(at: monotonicNow())
        // It comes many times a second; the next drawing shows it.
        return
      case .runEnded(_, let runState, _):
        state.block.end()
        if runState == .rollingBack { state.block.keep("\(style.mark(.undone)) " + style.paint("rolling back", .yellow)) }
      }
      state.block.draw()
    }
  }

  func heading(_ title: String, _ run: RunID) -> String {
    style.paint("kguard", .bold) + " \(title)  " + style.paint("run \(run)", .dim)
  }

  /// Changes what is shown, and draws it.
  func show(_ change: (inout LiveBlock) -> Void) {
    state.withLock {
      change(&$0.block)
      $0.block.draw()
    }
  }

  func redraw() { state.withLock { $0.block.draw() } }

  /// Takes the block off the screen, so that something else can be printed.
  func clear() { show { $0.end() } }
}

extension LiveBlock {
  /// What Ctrl-C does, by the path of the action.
  static let stopping = Dictionary(BuiltIn.actions.map { ($0.signature.path, $0.stopping) }) { $1 }
  /// Paths of the actions after which the cluster is not what it was.
  static let changingActions = Set(BuiltIn.actions.filter { $0.changesCluster }.map { $0.signature.path })
}
