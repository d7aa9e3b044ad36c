internal import Cluster
internal import Host
internal import Journal
internal import Model

/// The steps of a run and its rollbacks on one line of time, as SVG. Places along the line are parts of the whole width, so that the
/// picture is as wide as its page and letters keep their size; the page's style puts names beside the bars, or above them on a phone.
struct TimelinePicture {
  private enum Row {
    case heading(String)
    case step(StepRecord, Story.Chapter)
    case more(Int, Story.Chapter)
    case notBegun([String])
  }

  private let story: Story
  private let scale: TimeScale
  private let rows: [Row]

  /// A run of a thousand steps is shown by those that say most.
  static let mostSteps = 80

  init(_ story: Story) {
    self.story = story
    scale = TimeScale(story.chapters.flatMap { story.spans(of: $0) })
    var rows: [Row] = []
    for chapter in story.chapters {
      if chapter.isRollback { rows.append(.heading("Rollback, run \(chapter.run.id)")) }
      let shown = Self.chosen(chapter.steps)
      // What never began needs no line each, once it is over.
      let idle = story.facts.isWorkedOn ? [] : chapter.steps.filter { $0.state == .pending }
      rows += chapter.steps.filter { step in shown.contains(step.position) && !idle.contains { $0.position == step.position } }
        .map { .step($0, chapter) }
      if !idle.isEmpty { rows.append(.notBegun(idle.map(\.id))) }
      if shown.count < chapter.steps.count - idle.count { rows.append(.more(chapter.steps.count - idle.count - shown.count, chapter)) }
    }
    self.rows = rows
  }

  /// Positions of the steps to show: what did not go well, and what took longest.
  static func chosen(_ steps: [StepRecord], most: Int = mostSteps) -> Set<Int> {
    if steps.count <= most { return Set(steps.map(\.position)) }
    func weight(_ step: StepRecord) -> (Int, Int64) {
      let odd =
        step.state == .pending
        ? -1 : step.state == .failed || step.state == .started ? 2 : step.attempts.count > 1 || step.state == .undone ? 1 : 0
      return (odd, step.attempts.reduce(0) { $0 &+ ($1.duration?.milliseconds ?? 0) })
    }
    return Set(steps.sorted { weight($0) > weight($1) }.prefix(most).map(\.position))
  }

  var html: HTML {
    let count = story.chapters.reduce(0) { $0 + $1.steps.count }
    var out: HTML = """
      <svg class="timeline" role="img" aria-labelledby="tl-title tl-desc" style="--rows:\(rows.count)">
      <title id="tl-title">Timeline of the steps</title>
      <desc id="tl-desc">\(count) steps from \(localTime(scale.begin)) to \(localTime(scale.end)). The table below says the same in words.</desc>
      <defs><pattern id="away" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">\
      <rect class="awayfill" width="6" height="6"/><line class="awayline" x1="0" y1="0" x2="0" y2="6"/></pattern>\
      <pattern id="bad" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)">\
      <rect class="badfill" width="5" height="5"/><line class="badline" x1="0" y1="0" x2="0" y2="5"/></pattern></defs>
      \(background)

      """
    for (index, row) in rows.enumerated() { out += "<g class=\"row\" style=\"--i:\(index)\">\(drawn(row))</g>\n" }
    out += "</svg>\n"
    return out
  }

  /// Lines of the time, pauses, and the times at which the API server was away.
  private var background: HTML {
    var out: HTML = ""
    for tick in scale.ticks {
      out += "<rect class=\"gridline at\" \(Self.place(tick.at, tick.at)) y=\"18\"/>"
      if !tick.label.isEmpty {
        // At the edges a label stays within the picture.
        let anchor = tick.at < 0.04 ? "start" : tick.at > 0.96 ? "end" : "middle"
        out += "<text class=\"ticklabel\" \(Self.place(tick.at, tick.at)) y=\"12\" text-anchor=\"\(anchor)\">\(tick.label)</text>"
      }
    }
    for pause in scale.pauses {
      out += """
        <g><title>nothing was done for \(pause.length.forPeople)</title>\
        <rect class="pause at" \(Self.place(pause.from, pause.to)) y="18"/></g>
        """
    }
    for outage in Self.drawable(story.availability?.outages ?? [], scale) {
      out += """
        <g><title>the API server was away</title><rect class="away at" \(Self.place(outage.from, outage.to)) y="18"/></g>
        """
    }
    return out
  }

  /// Where something begins and how wide it is, in parts of the room that the page's style gives it.
  private static func place(_ from: Double, _ to: Double) -> HTML {
    "style=\"--x:\(fixed6(min(from, 1)));--w:\(fixed6(max(0, to - from)))\""
  }

  private static func fixed6(_ fraction: Double) -> String {
    let digits = String(Int((min(max(fraction, 0), 1) * 1_000_000).rounded()))
    return digits == "1000000" ? "1" : "0." + String(repeating: "0", count: 6 - digits.count) + digits
  }

  /// Places of outages; those that a picture cannot tell apart are one.
  private static func drawable(_ outages: [AvailabilityRecord.Span], _ scale: TimeScale) -> [(from: Double, to: Double)] {
    var out: [(from: Double, to: Double)] = []
    for outage in outages {
      let from = scale.place(outage.from.milliseconds), to = scale.place(outage.to.milliseconds)
      if let last = out.last, from - last.to < 0.002 { out[out.count - 1].to = max(last.to, to) } else { out.append((from, to)) }
    }
    return out
  }

  private func drawn(_ row: Row) -> HTML {
    switch row {
    case .heading(let words): return "<text class=\"part\">\(words)</text>"
    case .more(let count, let chapter):
      return "<text class=\"rest\">and \(count) more steps, shorter and without trouble: kguard show \(chapter.run.id.text)</text>"
    case .notBegun(let ids):
      let names = ids.count > 8 ? "\(ids.count) steps" : ids.joined(separator: ", ")
      return "<text class=\"rest\">· not begun: \(names)</text>"
    case .step(let step, _): return drawn(step)
    }
  }

  private func drawn(_ step: StepRecord) -> HTML {
    let took = StepWords.time(step, story)
    var out: HTML = "<title>\(StepWords.sentence(step, story))</title>"
    out += "<text class=\"name \(StepWords.kind(step.state))\">\(StepWords.sign(step.state)) \(fit(step.id, 22))</text>"
    out += "<text class=\"took\" x=\"100%\">\(took)</text>"
    // Of very many attempts the last say enough.
    for attempt in step.attempts.suffix(20) {
      let span = story.span(of: attempt)
      let from = scale.place(span.lowerBound)
      let width = max(scale.place(span.upperBound) - from, 0.004)
      let start = min(from, 1 - width)
      let kind =
        attempt.outcome == .failed ? "bad" : attempt.outcome == .interrupted || attempt.outcome == nil ? "open" : StepWords.kind(step.state)
      out += "<rect class=\"bar at \(kind)\" \(Self.place(start, start + width)) height=\"14\" rx=\"2\"/>"
    }
    return out
  }
}

/// What the picture, the page and the ticket say of a step.
enum StepWords {
  static func sign(_ state: StepState) -> String {
    switch state {
    case .pending: "·"
    case .started: "▸"
    case .succeeded: "✓"
    case .failed: "✗"
    case .skipped: "–"
    case .undone: "↶"
    }
  }

  /// The class in the page's style.
  static func kind(_ state: StepState) -> String {
    switch state {
    case .pending, .skipped: "idle"
    case .started: "open"
    case .succeeded: "good"
    case .failed: "bad"
    case .undone: "undone"
    }
  }

  static func state(_ step: StepRecord, _ story: Story) -> String {
    switch step.state {
    case .pending: "not begun"
    case .started: story.facts.isWorkedOn ? "under way" : story.run.state == .interrupted ? "interrupted" : "cut off"
    default: step.state.rawValue
    }
  }

  static func time(_ step: StepRecord, _ story: Story) -> String {
    if let took = step.attempts.last?.duration { return took.forPeople }
    guard let attempt = step.attempts.last, attempt.ended != nil || step.state == .started else { return "" }
    let span = story.span(of: attempt)
    return Duration.milliseconds(span.upperBound - span.lowerBound).forPeople
  }

  static func sentence(_ step: StepRecord, _ story: Story) -> String {
    var words = "\(step.id) (\(step.action)): \(state(step, story))"
    let took = time(step, story)
    if !took.isEmpty { words += ", \(took)" }
    if step.attempts.count > 1 { words += ", \(step.attempts.count) attempts" }
    if let started = step.started { words += ", from \(localTime(started, "%H:%M:%S"))" }
    if let ended = step.ended, step.started != nil { words += " to \(localTime(ended, "%H:%M:%S"))" }
    return words
  }
}
