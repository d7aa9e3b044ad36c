internal import Host
internal import Journal
internal import Model

/// The same story for a ticket: short, and as Markdown that GitHub, GitLab and Jira understand.
struct MarkdownReport {
  let story: Story

  static let mark = "<!-- kguard report -->"
  private static let mostRows = 60

  var text: String {
    var out = "\(Self.mark)\n# \(words(story.title)): \(story.verdict)\n\n\(words(story.outcome))\n"
    if let error = story.run.error {
      out += "\n**Cause:** \(words(inOneLine(error.description)))\n"
      if !error.next.isEmpty, !story.run.state.isFinal { out += "\n**Next:** \(words(inOneLine(error.next)))\n" }
    }
    out += "\n" + story.head.map { "- \($0.0): \(words($0.1))\n" }.joined()
    if let availability = story.availabilityWords { out += "- API server: \(words(availability))\n" }
    for chapter in story.chapters { out += steps(chapter) }
    out += losses
    out += changes
    out += "\n## Where everything lies\n\n" + story.places.map { "- \(words($0.0)): \(code($0.1))\n" }.joined()
    if let undo = story.undoCommand { out += "- Undo the rollback: \(code(undo))\n" }
    return out
      + "\nkguard \(kguardVersion), \(localTime(story.now)). The page with timeline, evidence and logs: `kguard report \(story.run.id) -o report.html`\n"
  }

  private func steps(_ chapter: Story.Chapter) -> String {
    let shown = TimelinePicture.chosen(chapter.steps, most: Self.mostRows)
    var out = "\n## \(chapter.isRollback ? "Steps of the rollback, run \(chapter.run.id)" : "Steps")\n\n"
    out += "| | step | took | outcome |\n|---|---|---|---|\n"
    for step in chapter.steps where shown.contains(step.position) {
      let said = step.error.map { inOneLine($0.description) } ?? Words.summary(step.evidence)
      let tries = step.attempts.count > 1 ? " (\(step.attempts.count) attempts)" : ""
      let outcome = StepWords.state(step, story) + tries + (said.isEmpty ? "" : ": " + fit(said, 300))
      out += "| \(StepWords.sign(step.state)) | \(words(step.id)) | \(StepWords.time(step, story)) | \(words(outcome)) |\n"
    }
    let more = chapter.steps.count - shown.count
    return out + (more > 0 ? "\nand \(more) more steps without trouble.\n" : "")
  }

  private var losses: String {
    guard let losses = Losses(story), losses.count > 0 || losses.unknown != nil else { return "" }
    var out = "\n## What was lost\n\n"
    if let unknown = losses.unknown { return out + "Not known: \(words(unknown))\n" }
    out += losses.names.map { "- \(code($0))\n" }.joined()
    let more = losses.count - Int64(losses.names.count)
    if more > 0 { out += "- and \(more) more\n" }
    if let list = losses.list { out += "\nThe whole list: \(code(list))\n" }
    return out
  }

  private var changes: String {
    guard let compared = BeforeAfter(story), compared.isKnown else { return "" }
    let changed = compared.groups.flatMap { group in group.lines.filter(\.isChanged) }
    if changed.isEmpty { return "\n## Before and after\n\nNothing differs.\n" }
    let rows = changed.prefix(Self.mostRows).map { "| \(words($0.name)) | \(words($0.before)) | \(words($0.after ?? "")) |\n" }.joined()
    return "\n## Before and after\n\n| | before | after |\n|---|---|---|\n" + rows
  }

  /// Words that stay words: nothing in them is markup or a mention, and they stay on their line.
  private func words(_ text: String) -> String {
    var out = ""
    for scalar in presentable(text).unicodeScalars {
      switch scalar {
      case "\n": out += " "
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "&": out += "&amp;"
      case "|", "*", "_", "#", "[", "]", "\\", "~", "!": out += "\\" + String(scalar)
      case "@": out += "&#64;"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  /// Text in backticks, which its own backticks do not end.
  private func code(_ text: String) -> String {
    let plain = presentable(text).split(separator: "\n").joined(separator: " ")
    var longest = 0, run = 0
    for character in plain {
      run = character == "`" ? run + 1 : 0
      longest = max(longest, run)
    }
    let fence = String(repeating: "`", count: longest + 1)
    return longest == 0 ? fence + plain + fence : "\(fence) \(plain) \(fence)"
  }
}
