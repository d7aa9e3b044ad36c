internal import Host
internal import Model

/// The progress of a command that is no run: one line on a terminal, drawn again at most ten times a second; nothing elsewhere.
final class ProgressLine {
  private let what: String
  private let isShown: Bool
  private var meter = ProgressMeter()
  private var last: Duration = .zero
  private var isDrawn = false

  init(_ what: String, isShown: Bool = Terminal.isTerminal(.errors) && environment("TERM") != "dumb") {
    self.what = what
    self.isShown = isShown
  }

  func update(_ progress: Progress) {
    let now = monotonicNow()
    meter.update(progress, at: now)
    guard isShown, now - last >= .milliseconds(100) else { return }
    last = now
    let width = (Terminal.size(.errors)?.columns ?? 80) - 1
    Terminal.write("\r\u{1b}[K" + fit("\(what): " + Words.progress(meter.reading(at: now)), width), to: .errors)
    isDrawn = true
  }

  func clear() {
    if isDrawn { Terminal.write("\r\u{1b}[K", to: .errors) }
    isDrawn = false
  }
}
