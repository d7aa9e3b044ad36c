internal import Engine
internal import Host
internal import Journal
internal import Model

/// Every step in a table, and below it the evidence, the attempts and the last output of each. All of it bounded.
struct StepSections {
  private let story: Story

  /// Steps with a row, and steps with a section, of each chapter.
  private static let mostRows = 300
  private static let mostSections = 80
  private static let mostEvidence = 4096

  init(_ story: Story) { self.story = story }

  var html: HTML {
    var out: HTML = ""
    // Logs take what room there is in order of what a reader looks for.
    var logs = LogExcerpts(story)
    for chapter in story.chapters {
      out += "<section><h2>\(chapter.isRollback ? "Steps of the rollback, run \(chapter.run.id)" : "Steps")</h2>\n"
      out += table(chapter)
      let shown = TimelinePicture.chosen(chapter.steps, most: Self.mostSections)
      let telling = chapter.steps.filter { shown.contains($0.position) && !$0.attempts.isEmpty }
      if !telling.isEmpty { out += "<h3>Evidence and logs</h3>\n" }
      for step in telling { out += section(step, chapter, &logs) }
      out += "</section>\n"
    }
    return out
  }

  private func table(_ chapter: Story.Chapter) -> HTML {
    let shown = TimelinePicture.chosen(chapter.steps, most: Self.mostRows)
    var out: HTML =
      "<table class=\"steps\"><thead><tr><th>Step</th><th class=\"act\">Action</th><th>Took</th><th>Outcome</th></tr></thead><tbody>\n"
    let idle = story.facts.isWorkedOn ? [] : chapter.steps.filter { $0.state == .pending }
    for step in chapter.steps where shown.contains(step.position) && !idle.contains(where: { $0.position == step.position }) {
      let kind = HTML.text(StepWords.kind(step.state))
      let said = step.error.map { inOneLine($0.description) } ?? Words.summary(step.evidence)
      let tries = step.attempts.count > 1 ? " (\(step.attempts.count) attempts)" : ""
      out += """
        <tr><td class="nowrap"><span class="ink \(kind)" aria-hidden="true">\(StepWords.sign(step.state))</span> \(step.id)</td>\
        <td class="act soft"><code>\(step.action)</code></td><td class="nowrap">\(StepWords.time(step, story))</td>\
        <td>\(HTML.prose(StepWords.state(step, story) + tries + (said.isEmpty ? "" : ": " + fit(said, 600))))</td></tr>

        """
    }
    out += "</tbody></table>\n"
    if !idle.isEmpty {
      let names = naming(idle.map(\.id), most: 20)
      out += "<p class=\"soft\">Not begun: \(names).</p>\n"
    }
    let more = chapter.steps.count - shown.union(idle.map(\.position)).count
    if more > 0 {
      out += "<p class=\"soft\">and \(more) more steps without trouble: <code>kguard show \(chapter.run.id.text)</code></p>\n"
    }
    return out
  }

  private func section(_ step: StepRecord, _ chapter: Story.Chapter, _ logs: inout LogExcerpts) -> HTML {
    let hasFailed = step.state == .failed || step.attempts.contains { $0.outcome == .failed }
    var out: HTML = "<details\(hasFailed ? " open" as HTML : "")><summary>\(StepWords.sign(step.state)) <b>\(step.id)</b> "
    out += "<span class=\"soft\">\(StepWords.state(step, story))</span></summary>\n"
    if let error = step.error {
      out += "<p>\(HTML.prose(inOneLine(error.description)))</p>"
      if !error.next.isEmpty { out += "<p class=\"soft\">Next: \(HTML.prose(inOneLine(error.next)))</p>" }
    }
    if step.attempts.count > 1 || hasFailed { out += attempts(step) }
    if let evidence = step.evidence { out += self.evidence(evidence) }
    for attempt in step.attempts.suffix(5) {
      guard let log = logs.take(chapter.run.id, step.id, attempt.number) else { continue }
      let isOpen = attempt.outcome == .failed
      out += "<details class=\"fold\"\(isOpen ? " open" as HTML : "")><summary>Output"
      if step.attempts.count > 1 { out += " of attempt \(attempt.number)" }
      out += " <span class=\"soft\">\(log.note)</span></summary><pre>\(log.text)</pre></details>\n"
    }
    out += "</details>\n"
    return out
  }

  private func attempts(_ step: StepRecord) -> HTML {
    var out: HTML = "<table><thead><tr><th>Attempt</th><th>begun</th><th>took</th><th>outcome</th></tr></thead><tbody>"
    for attempt in step.attempts.suffix(20) {
      let how = attempt.outcome?.rawValue ?? (story.facts.isWorkedOn ? "under way" : "nobody saw its end")
      out += """
        <tr><td>\(attempt.number)</td><td class="nowrap">\(localTime(attempt.started, "%H:%M:%S"))</td>\
        <td class="nowrap">\(attempt.duration?.forPeople ?? "")</td><td>\(HTML.prose(how + (attempt.error.map { ": " + fit(inOneLine($0.description), 600) } ?? "")))</td></tr>
        """
    }
    out += "</tbody></table>\n"
    return out
  }

  /// A line for each fact; what is large is folded.
  private func evidence(_ evidence: JSON) -> HTML {
    guard case .object(let members) = evidence else { return "" }
    var lines: HTML = "", large: HTML = ""
    var room = Self.mostEvidence * 3
    for (key, value) in members.pairs where key != "summary" && value.withoutEmpty != [:] && value != [] && value != .null {
      let short = value.string ?? value.text()
      if short.utf8.count <= 160 {
        lines += "<dt>\(key)</dt><dd><code>\(short)</code></dd>"
        continue
      }
      let text = value.string ?? value.text(pretty: true)
      let shown = min(Self.mostEvidence, room)
      room -= min(shown, text.utf8.count)
      large += "<details class=\"fold\"><summary>\(key) <span class=\"soft\">\(count(value))</span></summary><pre>"
      large += "\(text.utf8.count <= shown ? text : String(text.prefix(shown)) + "\n… the rest is in the journal")</pre></details>\n"
    }
    return (lines.source.isEmpty ? "" : "<dl>\(lines)</dl>\n") + large
  }

  private func count(_ value: JSON) -> String {
    if let entries = value.array { return entries.count == 1 ? "1 entry" : "\(entries.count) entries" }
    return value.object.map { $0.count == 1 ? "1 entry" : "\($0.count) entries" } ?? ""
  }
}

/// The last lines of what commands printed, as long as there is room: first of those that failed.
struct LogExcerpts {
  struct Excerpt {
    let text: String
    let note: String
  }

  private let story: Story
  private var room = Self.mostInAll
  private var reserved: Set<String> = []

  static let most = 8192
  static let mostOfFailed = 24 << 10
  static let mostInAll = 384 << 10

  init(_ story: Story) {
    self.story = story
    for chapter in story.chapters {
      for step in chapter.steps {
        for attempt in step.attempts where attempt.outcome != .succeeded && room >= Self.mostOfFailed {
          guard let size = try? Files.info(path(chapter.run.id, step.id, attempt.number))?.size, size > 0 else { continue }
          reserved.insert(path(chapter.run.id, step.id, attempt.number))
          room -= Int(min(size, Int64(Self.mostOfFailed)))
        }
      }
    }
  }

  private func path(_ run: RunID, _ step: String, _ attempt: Int) -> String { story.state.log(of: run, step: step, attempt: attempt) }

  /// Nil where nothing was printed, or nothing can be read.
  mutating func take(_ run: RunID, _ step: String, _ attempt: Int) -> Excerpt? {
    let path = path(run, step, attempt)
    guard let size = try? Files.info(path)?.size, size > 0 else { return nil }
    let isReserved = reserved.contains(path)
    let limit = min(isReserved ? Self.mostOfFailed : Self.most, isReserved ? .max : max(0, room))
    guard limit >= 512 || size <= limit else { return Excerpt(text: "", note: "\(sizeForPeople(size)) in \(path)") }
    let start = max(0, size - Int64(limit))
    guard let bytes = try? Files.read(path, from: start, upTo: limit) else { return nil }
    if !isReserved { room -= bytes.count }
    var text = String(decoding: bytes, as: UTF8.self)
    // A line that begins before the excerpt may hold the end of a secret only.
    if start > 0, let line = text.firstIndex(where: \.isNewline) { text = String(text[text.index(after: line)...]) }
    let note = start > 0 ? "the last \(sizeForPeople(Int64(text.utf8.count))) of \(sizeForPeople(size)) in \(path)" : sizeForPeople(size)
    return Excerpt(text: text, note: note)
  }
}

extension HTML {
  static func + (a: HTML, b: HTML) -> HTML {
    var sum = a
    sum += b
    return sum
  }
}
