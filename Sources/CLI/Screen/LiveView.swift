internal import Engine
internal import Host
internal import Model
internal import Playbooks
internal import Synchronization

/// A run on a terminal. Steps that have ended are lines that stay; below them a block is drawn again ten times a second: the step that
/// works now, those to come, and what Ctrl-C would do. When the run ends the block is gone, and a clean log is left.
final class LiveView: Observer {
  private let state: Mutex<LiveBlock>
  private let style: Style
  private let isVerbose: Bool

  init(style: Style, isVerbose: Bool, stop: StopSignal) {
    self.style = style
    self.isVerbose = isVerbose
    state = Mutex(LiveBlock(style: style, stop: stop))
    startThread("screen") { [weak self] in
      let never = StopSignal()
      while never.sleep(.milliseconds(100)), let self { self.redraw() }
    }
  }

  func notice(_ notice: Notice) {
    state.withLock { block in
      switch notice {
      case .runStarted(let run, let playbook, let inputs, let parent, let isResume):
        let title = Words.heading(playbook, inputs, parent: parent, isResume: isResume)
        block.begin(playbook)
        block.keep(style.paint("kguard", .bold) + " \(title)  " + style.paint("run \(run)", .dim))
      case .stepStarted(_, let step, let action, let attempt, let stopping):
        block.current = .init(step: step, action: action, attempt: attempt, stopping: stopping, since: monotonicNow())
      case .stepEnded(_, let step, let stepState, let failure, let evidence, let took):
        block.ended(step, stepState, failure, summary: Words.summary(evidence), took: took)
      case .retrying(_, let step, let failure, let after, let attempt):
        block.keep("\(style.mark(.failed)) \(step): \(failure); attempt \(attempt) in \(after.forPeople)")
        block.current = nil
      case .message(_, let step, let text):
        block.keep(style.paint("  \(step.map { "\($0): " } ?? "")\(printable(text))", .dim))
      case .phase(_, _, let text):
        block.current?.progress = nil
        block.current?.line = printable(text)
      case .output(_, _, let line):
        if isVerbose { block.keep(style.paint("  | ", .dim) + printable(line)) } else { block.current?.line = printable(line) }
      case .progress(_, _, let progress): block.current?.progress = progress
      case .runEnded(_, let runState, _):
        block.end()
        if runState == .rollingBack { block.keep("\(style.mark(.undone)) " + style.paint("rolling back", .yellow)) }
      }
      block.draw()
    }
  }

  func redraw() { state.withLock { $0.draw() } }

  /// Takes the block off the screen, so that something else can be printed.
  func clear() {
    state.withLock {
      $0.end()
      $0.draw()
    }
  }
}

/// The part of the screen that is drawn again and again.
private struct LiveBlock {
  struct Current {
    let step: String
    let action: String
    let attempt: Int
    let stopping: Stopping
    let since: Duration
    var progress: Progress?
    var line = ""
  }

  let style: Style
  let stop: StopSignal
  var current: Current?
  private var waiting: [(id: String, action: String)] = []
  private var nameWidth = 0
  private var actionWidth = 0
  /// Lines that stay, not yet written.
  private var kept: [String] = []
  /// Widths of the lines that the block has on the screen now.
  private var drawn: [Int] = []
  private var isActive = false

  init(style: Style, stop: StopSignal) {
    self.style = style
    self.stop = stop
  }

  mutating func begin(_ playbook: Playbook) {
    waiting = playbook.steps.map { ($0.id, $0.actionName) }
    nameWidth = min(24, waiting.map(\.id.count).max() ?? 0)
    actionWidth = min(20, waiting.map(\.action.count).max() ?? 0)
    isActive = true
  }

  mutating func end() {
    isActive = false
    current = nil
  }

  mutating func keep(_ line: String) { kept.append(line) }

  mutating func ended(_ step: String, _ state: StepState, _ failure: Failure?, summary: String, took: Duration?) {
    let action = waiting.first { $0.id == step }?.action ?? ""
    let head = columns(step, action, time: took?.forPeople ?? "")
    let indent = style.markWidth + 1 + head.width
    let width = (Terminal.size(.errors)?.columns ?? 80) - 1
    // A detail that does not fit goes on below itself, or, where there is little room, below the step's name.
    let isNarrow = width - indent < 24
    let lines = wrapped(printable(failure?.description ?? summary), isNarrow ? width - 4 : width - indent)
    let detail = lines.map { failure == nil ? $0 : style.paint($0, .red) }
    let next = "\n" + String(repeating: " ", count: isNarrow ? 4 : indent)
    keep("\(style.mark(of: state)) " + head.text + (isNarrow && !detail.isEmpty ? next : "") + detail.joined(separator: next))
    waiting.removeAll { $0.id == step }
    if current?.step == step { current = nil }
  }

  private func columns(_ step: String, _ action: String, time: String) -> (text: String, width: Int) {
    let (name, verb, when) = (padded(step, nameWidth), padded(action, actionWidth), padded(time, 12))
    return (name + "  " + style.paint(verb, .dim) + "  " + when, name.count + verb.count + when.count + 4)
  }

  /// Takes the old block off, writes what stays, draws the new block; one write, so that nothing flickers.
  mutating func draw() {
    let (width, height) = Terminal.size(.errors).map { ($0.columns, $0.rows) } ?? (80, 24)
    let lines = isActive ? block(width: width - 1, height: height) : []
    if lines.isEmpty && drawn.isEmpty && kept.isEmpty { return }
    // A narrower window has wrapped the old lines: each covers as many rows as it needs now.
    let rows = drawn.reduce(0) { $0 + max(1, ($1 + width - 1) / width) }
    var out = rows > 0 ? "\u{1b}[\(rows)A\r\u{1b}[J" : "\r\u{1b}[J"
    for line in kept { out += line + "\n" }
    for line in lines { out += line.text + "\n" }
    kept = []
    drawn = lines.map(\.width)
    Terminal.write(out, to: .errors)
  }

  private func block(width: Int, height: Int) -> [(text: String, width: Int)] {
    var lines: [(String, Int)] = []
    func add(_ plain: String, _ paint: (String) -> String = { $0 }) {
      let text = fit(plain, width, ellipsis: style.hasUnicode ? "…" : "...")
      lines.append((paint(text), text.count))
    }
    let now = monotonicNow()
    if let current {
      let attempt = current.attempt > 1 ? "attempt \(current.attempt)  " : ""
      let time = (now - current.since).forPeople
      let head = padded(current.step, nameWidth) + "  " + padded(current.action, actionWidth) + "  " + padded(time, 11) + " " + attempt
      let tail = current.progress.map { Words.progress($0, since: current.since, now: now) } ?? current.line
      let mark = style.mark(.running)
      let text = fit(head + tail, width - 2)
      lines.append(("\(mark) \(text)", style.markWidth + 1 + text.count))
      if let progress = current.progress, let total = progress.total, total > 0 {
        let barWidth = max(10, min(60, width - 4))
        lines.append(("  " + style.bar(Double(progress.done) / Double(total), width: barWidth), barWidth + 2))
      }
    }
    let next = waiting.filter { $0.id != current?.step }
    let room = max(0, height - lines.count - 3)
    for step in next.prefix(room) {
      let text = fit(padded(step.id, nameWidth) + "  " + step.action, width - style.markWidth - 1)
      lines.append(("\(style.mark(.waiting)) \(style.paint(text, .dim))", style.markWidth + 1 + text.count))
    }
    if next.count > room { add("  and \(next.count - room) more") { style.paint($0, .dim) } }
    add("  " + advice) { style.paint($0, .dim) }
    return lines
  }

  private var advice: String {
    switch (stop.current, current?.stopping) {
    case (.none, .waits): "Ctrl-C stops after this step; cutting it now would not be safe"
    case (.none, _): "Ctrl-C stops here; `kguard resume` goes on"
    case (.atCheckpoint, .waits): "stopping after this step; Ctrl-C again leaves it running and returns"
    case (.atCheckpoint, _): "stopping"
    case (.now, _): "leaving; `kguard resume` goes on"
    }
  }
}
