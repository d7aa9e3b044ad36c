internal import Host
internal import Model

/// The progress of a command that is no run: on a terminal one line, drawn again at most ten times a second; where nothing is drawn over,
/// and off a terminal, a line now and then.
final class ProgressLine {
  private let what: String
  private let style: Style
  private let isDrawnOver: Bool
  private var meter = ProgressMeter()
  private var last: Duration
  private var isDrawn = false

  convenience init(_ what: String, _ session: Session) {
    self.init(what, session.style, isDrawnOver: Terminal.isTerminal(.errors) && !session.isPlain, at: monotonicNow())
  }

  init(_ what: String, _ style: Style, isDrawnOver: Bool, at now: Duration) {
    self.what = what
    self.style = style
    self.isDrawnOver = isDrawnOver
    last = isDrawnOver ? .zero : now
  }

  func update(_ progress: Progress) {
    guard let text = text(progress, at: monotonicNow()) else { return }
    Terminal.write(style.inCharset(text), to: .errors)
    isDrawn = isDrawnOver
  }

  /// What is to be written now; nil where nothing is.
  func text(_ progress: Progress, at now: Duration) -> String? {
    meter.update(progress, at: now)
    guard now - last >= (isDrawnOver ? .milliseconds(100) : PlainView.heartbeat) else { return nil }
    last = now
    let line = "\(what): " + Words.progress(meter.reading(at: now))
    guard isDrawnOver else { return line + "\n" }
    return "\r\u{1b}[K" + fit(line, (Terminal.size(.errors)?.columns ?? 80) - 1, ellipsis: style.ellipsis)
  }

  func clear() {
    if isDrawn { Terminal.write("\r\u{1b}[K", to: .errors) }
    isDrawn = false
  }
}
