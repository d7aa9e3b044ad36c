internal import Engine
internal import Host
internal import Model

/// The part of the screen that is drawn again and again, and the lines that it leaves behind.
struct LiveBlock {
  struct Current {
    let step: String
    let action: String
    let attempt: Int
    let stopping: Stopping
    let since: Duration
    var reading: ProgressMeter.Reading?
    /// What the step does just now.
    var phase = ""
    /// What its command printed last.
    var line = ""
  }

  /// Whose Ctrl-C it is.
  enum Hand {
    /// Of the kguard that carries the run out.
    case runs(StopSignal)
    /// Of one that only looks on.
    case watches
  }

  private let style: Style
  private let hand: Hand
  private let stream: Terminal.Stream
  var current: Current?
  /// A failed step is tried again at that time.
  var nextAttempt: (step: String, number: Int, at: Duration)?
  /// How the run that is watched was asked to stop.
  var watchedStop = StopLevel.none
  /// Steps may have changed the cluster already.
  private var hasTouched = false
  /// Own steps of a playbook were begun: what they did nobody here knows.
  private var hasRunOwn = false
  private var waiting: [(id: String, action: String)] = []
  private var nameWidth = 0
  private var actionWidth = 0
  /// Lines that stay, not yet written.
  private var kept: [String] = []
  /// Widths of the lines that the block has on the screen now.
  private var drawn: [Int] = []
  private var isActive = false
  private var isRollback = false

  init(style: Style, hand: Hand, stream: Terminal.Stream) {
    self.style = style
    self.hand = hand
    self.stream = stream
  }

  /// `isRollback`: the run puts another one back.
  mutating func begin(_ steps: [(id: String, action: String)], isRollback: Bool) {
    self.isRollback = isRollback
    waiting = steps
    nameWidth = min(24, steps.map(\.id.count).max() ?? 0)
    actionWidth = min(24, steps.map(\.action.count).max() ?? 0)
    isActive = true
  }

  mutating func end() {
    isActive = false
    current = nil
    nextAttempt = nil
  }

  mutating func keep(_ line: String) { kept.append(line) }

  /// A message of a step, or of the run.
  mutating func say(_ step: String?, _ text: String) {
    let words = wrapped((step.map { "\($0): " } ?? "") + inOneLine(text), max(20, columns - 5))
    for (number, line) in words.enumerated() { keep(style.paint((number == 0 ? "  " : "    ") + line, .dim)) }
  }

  mutating func started(_ new: Current) {
    nextAttempt = nil
    current = new
    note(new.action)
  }

  private mutating func note(_ action: String) {
    if Self.changingActions.contains(action) { hasTouched = true }
    if Self.isOwn(action) { hasRunOwn = true }
  }

  private static func isOwn(_ action: String) -> Bool { !action.contains("/") }
  static func mayChange(_ action: String) -> Bool { isOwn(action) || changingActions.contains(action) }

  /// Steps that an earlier process has settled.
  mutating func passed(_ steps: [String: StepState]) {
    for (id, action) in waiting {
      if let state = steps[id], state != .skipped { note(action) }
    }
    waiting.removeAll { steps[$0.id] != nil }
  }

  mutating func ended(_ step: String, _ state: StepState, _ failure: Failure?, summary: String, took: Duration?) {
    let action = waiting.first { $0.id == step }?.action ?? ""
    if state != .skipped { note(action) }
    let head = columns(step, action, time: took?.forPeople ?? "")
    keep(
      hanging(
        "\(style.mark(of: state)) " + head.text, width: style.markWidth + 1 + head.width, inOneLine(failure?.description ?? summary),
        columns: columns
      ) { failure == nil ? $0 : style.paint($0, .red) })
    waiting.removeAll { $0.id == step }
    if current?.step == step { current = nil }
    nextAttempt = nil
  }

  private var columns: Int { Terminal.size(stream)?.columns ?? 80 }

  private func columns(_ step: String, _ action: String, time: String) -> (text: String, width: Int) {
    let (name, verb, when) = (padded(step, nameWidth), padded(action, actionWidth), padded(time, 12))
    return (name + "  " + style.paint(verb, .dim) + "  " + when, name.count + verb.count + when.count + 4)
  }

  /// Takes the old block off, writes what stays, draws the new block; one write, so that nothing flickers.
  mutating func draw() {
    let (width, height) = Terminal.size(stream).map { ($0.columns, $0.rows) } ?? (80, 24)
    let lines = isActive ? block(width: width - 1, height: height) : []
    if lines.isEmpty && drawn.isEmpty && kept.isEmpty { return }
    // A narrower window has wrapped the old lines: each covers as many rows as it needs now.
    let rows = drawn.reduce(0) { $0 + max(1, ($1 + width - 1) / width) }
    var out = rows > 0 ? "\u{1b}[\(rows)A\r\u{1b}[J" : "\r\u{1b}[J"
    for line in kept { out += line + "\n" }
    for line in lines { out += line.text + "\n" }
    kept = []
    drawn = lines.map(\.width)
    Terminal.write(style.inCharset(out), to: stream)
  }

  private typealias Line = (text: String, width: Int)

  private func block(width: Int, height: Int) -> [Line] {
    var lines = work(width: width)
    let footer = wrapped(advice, width - 2)
    let next = waiting.filter { $0.id != current?.step && $0.id != nextAttempt?.step }
    let room = max(0, height - lines.count - footer.count - 2)
    let shown = next.count > room ? max(0, room - 1) : next.count
    for step in next.prefix(shown) {
      let text = fit(padded(step.id, nameWidth) + "  " + step.action, width - style.markWidth - 1, ellipsis: style.ellipsis)
      lines.append(("\(style.mark(.waiting)) \(style.paint(text, .dim))", style.markWidth + 1 + text.count))
    }
    if next.count > shown { lines.append(dimmed("  and \(next.count - shown) more", width)) }
    for line in footer { lines.append(dimmed("  " + line, width)) }
    return lines
  }

  /// What works now: the step, its progress, the last line of its command.
  private func work(width: Int) -> [Line] {
    let now = monotonicNow()
    if let nextAttempt {
      let left = max(.zero, nextAttempt.at - now)
      let text = padded(nextAttempt.step, nameWidth) + "  attempt \(nextAttempt.number) in \(left.forPeople)"
      return [("\(style.mark(.waiting)) \(fit(text, width - 2))", min(text.count, width - 2) + style.markWidth + 1)]
    }
    guard let current else { return [] }
    var lines: [Line] = []
    let time = (now - current.since).forPeople
    let head = padded(current.step, nameWidth) + "  " + padded(current.action, actionWidth) + "  " + padded(time, 12)
    let tail = (current.attempt > 1 ? "attempt \(current.attempt)  " : "") + current.phase
    let text = fit(head + tail, width - style.markWidth - 1, ellipsis: style.ellipsis)
    lines.append(("\(style.mark(.running)) \(text)", style.markWidth + 1 + text.count))
    if let reading = current.reading {
      let words = Words.progress(reading)
      if let fraction = reading.fraction {
        let bar = max(8, min(40, width - words.count - 5))
        let rest = fit(words, max(0, width - bar - 4), ellipsis: style.ellipsis)
        lines.append(("  " + style.bar(fraction, width: bar) + "  " + rest, bar + 4 + rest.count))
      } else {
        lines.append(dimmed("  " + words, width))
      }
    }
    if !current.line.isEmpty { lines.append(dimmed("  \(style.quote) " + narrow(current.line), width)) }
    return lines
  }

  private func dimmed(_ plain: String, _ width: Int) -> Line {
    let text = fit(plain, width, ellipsis: style.ellipsis)
    return (style.paint(text, .dim), text.count)
  }

  // MARK: - What may be done now

  private var advice: String {
    let waits = current?.stopping == .waits
    switch hand {
    case .watches:
      let safety =
        switch (watchedStop, waits) {
        case (.none, true): "a stop would wait for this step: cutting it is not safe"
        case (.none, false): hasTouched ? "it can be stopped here, and resumed" : "it can be stopped here; the cluster is unchanged"
        case (_, true): "it stops after this step"
        case (_, false): "it stops"
        }
      return "Watching: Ctrl-C leaves, the run goes on; \(safety)"
    case .runs(let stop):
      switch (stop.current, waits) {
      case (.none, true): return "Ctrl-C stops after this step; cutting it now would not be safe"
      case (.none, false) where isRollback: return "Ctrl-C stops here; `kguard resume` goes on with the rollback"
      case (.none, false) where hasTouched: return "Ctrl-C stops here; `kguard resume` goes on, `kguard rollback` puts things back"
      case (.none, false) where hasRunOwn: return "Ctrl-C stops here; `kguard resume` goes on"
      case (.none, false): return "Ctrl-C stops here, the cluster is unchanged; `kguard resume` goes on"
      case (.atCheckpoint, true): return "stopping after this step; Ctrl-C again leaves it running and returns"
      case (.atCheckpoint, false): return "stopping"
      case (.now, _): return "leaving; `kguard resume` goes on"
      }
    }
  }
}

/// A line of a command in which every letter is one column wide: what is wider would upset the drawing.
private func narrow(_ line: String) -> String {
  String(String.UnicodeScalarView(line.unicodeScalars.map { (0x1100..<0x2010).contains($0.value) || $0.value > 0x27bf ? "?" : $0 }))
}
