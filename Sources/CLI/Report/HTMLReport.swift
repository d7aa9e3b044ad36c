internal import Cluster
internal import Host
internal import Journal
internal import Model

/// The page: one file, readable without a network and without a script.
struct HTMLReport {
  let story: Story

  /// By this a report is known again before it is written over.
  static let mark = "<meta name=\"generator\" content=\"kguard report\">"

  var text: String {
    var page: HTML = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      \(Self.generator)
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
      <meta name="robots" content="noindex">
      <title>kguard: \(story.title), \(story.verdict)</title>
      <style>
      \(Self.style)
      </style>
      </head>
      <body>
      <main>

      """
    page += head
    page += timeline
    page += availability
    page += losses
    page += beforeAfter
    page += StepSections(story).html
    page += places
    page += events
    page += """
      <footer>Written by kguard \(kguardVersion), \(localTime(story.now)). Secrets that kguard knows the look of are left out of this page; \
      names of objects, hosts and paths are in it. Times are in the time zone of the machine that wrote it.</footer>
      </main>
      </body>
      </html>

      """
    return page.source
  }

  // Both are constants of this program, and markup.
  private static let generator: HTML = "<meta name=\"generator\" content=\"kguard report\">"
  private static let style = HTML(stringLiteral: ReportStyle.css)

  private var kind: HTML {
    switch story.run.state {
    case .succeeded: "good"
    case .failed, .needsOperator: "bad"
    case .rolledBack, .rollingBack: "undone"
    case .interrupted, .pending, .running: "open"
    }
  }

  private var sign: String {
    switch story.run.state {
    case .succeeded: "✓"
    case .failed, .needsOperator: "✗"
    case .rolledBack, .rollingBack: "↶"
    case .interrupted, .pending, .running: "▸"
    }
  }

  private var head: HTML {
    var out: HTML = "<h1>\(story.title)</h1>\n"
    out += "<div class=\"verdict \(kind)\"><b>\(sign) \(story.verdict)</b><p>\(HTML.prose(story.outcome))</p>"
    if let error = story.run.error {
      out += "<p class=\"soft\">Cause: \(HTML.prose(inOneLine(error.description)))</p>"
      if !error.next.isEmpty, !story.run.state.isFinal { out += "<p class=\"soft\">Next: \(HTML.prose(inOneLine(error.next)))</p>" }
    }
    out += "</div>\n\(numbers)<dl class=\"facts\">"
    for (label, value) in story.head { out += "<dt>\(label)</dt><dd>\(value)</dd>" }
    out += "</dl>\n"
    if !story.run.state.isFinal {
      for step in story.next { out += "<p><code>\(step.command)</code> \(step.why)</p>\n" }
    }
    return out
  }

  private var numbers: HTML {
    var cells: [(String, String)] = []
    let end = story.run.ended ?? (story.facts.isWorkedOn ? story.now : nil)
    if let end { cells.append(((end - story.run.created).forPeople, "from begin to end")) }
    cells.append(
      ("\(story.main.steps.count(where: \.state.isDone)) of \(story.main.steps.count)", "steps done"))
    if let availability = story.availability {
      let isUnknown = availability.outage == .zero && !availability.outages.isEmpty
      cells.append((isUnknown ? "not known" : availability.outages.isEmpty ? "none" : availability.outage.forPeople, "API server away"))
    }
    if let bundle = story.bundle, let size = bundle.manifest["files"]?.array?.first?["size"]?.int {
      cells.append((sizeForPeople(size), "snapshot of etcd"))
    }
    if let losses = Losses(story) { cells.append((losses.unknown == nil ? "\(losses.count)" : "not known", "objects lost")) }
    return "<ul class=\"numbers\">\(cells.map { "<li><b>\($0.0)</b>\($0.1)</li>" as HTML }.joined())</ul>\n"
  }

  private var timeline: HTML {
    guard story.chapters.contains(where: { !story.spans(of: $0).isEmpty }) else { return "" }
    var out: HTML = "<section><h2>Timeline</h2>\n\(TimelinePicture(story).html)<ul class=\"legend\">"
    let states = Set(story.chapters.flatMap { $0.steps.map(\.state) })
    let attempts = story.chapters.flatMap { $0.steps.flatMap(\.attempts) }
    func entry(_ kind: HTML, _ words: String) -> HTML {
      "<li><svg aria-hidden=\"true\"><rect class=\"\(kind)\" x=\"1\" y=\"1\" width=\"20\" height=\"10\" rx=\"2\"/></svg>\(words)</li>"
    }
    if states.contains(.succeeded) { out += entry("bar good", "✓ done") }
    if attempts.contains(where: { $0.outcome == .failed }) { out += entry("bar bad", "✗ a failed attempt") }
    if states.contains(.undone) { out += entry("bar undone", "↶ undone") }
    if attempts.contains(where: { $0.outcome == nil || $0.outcome == .interrupted }) { out += entry("bar open", "▸ under way or cut off") }
    if story.availability?.outages.isEmpty == false { out += entry("away", "the API server was away") }
    out += "<li>times in \(localTime(story.run.created, "%Z"))</li></ul></section>\n"
    return out
  }

  private var availability: HTML {
    guard let words = story.availabilityWords else { return "" }
    var out: HTML = "<section><h2>Availability of the API server</h2>\n<p>\(words)</p>\n"
    if let record = story.availability {
      let picture = AvailabilityPicture(record)
      out += picture.html
      out += picture.table
      if record.leftOut > 0 { out += "<p class=\"soft\">The record has more outages than fit here.</p>" }
    }
    out += "</section>\n"
    return out
  }

  private var losses: HTML {
    guard let losses = Losses(story) else { return "" }
    var out: HTML = "<section><h2>What was lost</h2>\n"
    if let unknown = losses.unknown {
      out += "<p>What was written since the snapshot is not known: \(unknown)</p>"
    } else if losses.count == 0 {
      out += "<p>Nothing that anybody wrote since the snapshot.</p>"
    } else {
      out += "<p>Written after the snapshot was taken, and taken away with what the rollback replaced:</p><ul class=\"names\">"
      for name in losses.names { out += "<li><code>\(name)</code></li>" }
      out += "</ul>"
      let more = losses.count - Int64(losses.names.count)
      if more > 0 { out += "<p>and \(String(more)) more.</p>" }
    }
    if losses.restless > 0 {
      out +=
        "<p class=\"soft\">Besides, \(String(losses.restless)) that are written all the time and come again by themselves (events, leases, pods and the like).</p>"
    }
    if let list = losses.list { out += "<p>The whole list: <code>\(list)</code></p>" }
    if let undo = story.undoCommand { out += "<p>To have it again, and lose what was written since: <code>\(undo)</code></p>" }
    out += "</section>\n"
    return out
  }

  private var beforeAfter: HTML {
    guard let compared = BeforeAfter(story) else { return "" }
    var out: HTML = "<section><h2>Before and after</h2>\n<p class=\"soft\">\(HTML.prose(compared.source)).</p>\n"
    for group in compared.groups {
      out += "<h3>\(group.title)</h3><table class=\"wide\"><thead><tr><th></th><th>before</th><th>after</th></tr></thead><tbody>\n"
      for line in group.lines {
        let after: HTML = line.after.map { "\(line.isChanged ? "→ " : "")\($0)" } ?? "<span class=\"soft\">not looked at</span>"
        out += """
          <tr\(line.isChanged ? " class=\"changed\"" as HTML : "")><td>\(line.name)</td><td data-is="before">\(line.before)</td>\
          <td data-is="after">\(after)</td></tr>

          """
      }
      out += "</tbody></table>\n"
      if group.more > 0 { out += "<p class=\"soft\">and \(group.more) more that changed.</p>" }
      if group.same > 0 { out += "<p class=\"soft\">and \(group.same) more\(compared.isKnown ? " that are as they were" : "").</p>" }
    }
    out += "</section>\n"
    return out
  }

  private var places: HTML {
    var out: HTML = "<section><h2>Where everything lies</h2>\n<dl>"
    for (label, place) in story.places { out += "<dt>\(label)</dt><dd><code>\(place)</code></dd>" }
    if let undo = story.undoCommand { out += "<dt>Undo the rollback</dt><dd><code>\(undo)</code></dd>" }
    out += "</dl></section>\n"
    return out
  }

  private static let mostEvents = 200

  private var events: HTML {
    let all = story.chapters.flatMap(\.events).sorted { ($0.at, $0.sequence) < ($1.at, $1.sequence) }
    guard !all.isEmpty else { return "" }
    var out: HTML =
      "<section class=\"onscreen\"><h2>Events</h2>\n<details class=\"fold\"><summary>\(all.count) events of the journal</summary>\n"
    if all.count > Self.mostEvents {
      out += "<p class=\"soft\">The last \(Self.mostEvents); `kguard show \(story.run.id.text) -o json` has all of them.</p>"
    }
    out += "<table class=\"wide log\"><thead><tr><th>when</th><th>step</th><th>what</th><th></th></tr></thead><tbody>\n"
    for event in all.suffix(Self.mostEvents) {
      let data = event.data.withoutEmpty
      out += """
        <tr><td class="nowrap">\(localTime(event.at, "%H:%M:%S"))</td><td>\(event.step ?? "")</td><td>\(event.type)</td>\
        <td><code>\(data == [:] ? "" : fit(data.text(), 240))</code></td></tr>

        """
    }
    out += "</tbody></table></details></section>\n"
    return out
  }
}
