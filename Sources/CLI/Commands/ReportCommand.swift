internal import Engine
internal import Host
internal import Journal
internal import Model

/// `kguard report [RUN] [-o FILE]`: the story of a run as a page, or as Markdown for a ticket.
enum ReportCommand {
  static let file = OptionSpec("--output", short: "-o", value: "FILE", "write it to FILE instead of standard output (also `-`)")
  static let format = OptionSpec(
    "--format", value: "html|markdown", "a page, or Markdown for a ticket (default: Markdown where FILE ends in .md, else a page)")

  static let spec = CommandSpec(
    name: "report", summary: "write the story of a run as one page, or as Markdown for a ticket",
    arguments: [ArgumentSpec("RUN", "the run, or the end of its id (default: the newest)", isOptional: true)],
    options: [file, format],
    details: """
      The page needs no network and no script: the outcome in a sentence, a timeline, the API server's availability, before and after, \
      the evidence of each step, what was lost, where everything lies, logs and events. FILE gets mode 0600; a report that is there is \
      replaced, anything else only with your word or --yes. A rollback is told with the run that it rolls back.
      """,
    examples: [
      .init("kguard report -o report.html", "the newest run, as a page"), .init("kguard report k7 --format markdown", "for a ticket"),
    ],
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      let isMarkdown = try isMarkdown(invocation)
      let target = try target(invocation)
      guard let journal = try session.readJournal() else { throw StatusCommand.noRuns(session) }
      var run = try session.findRun(invocation.arguments["RUN"], in: journal)
      if let parent = run.parent, let whole = try journal.run(parent) { run = whole }
      let story = try Story(run, journal, session.state, now: session.machine.now())
      let text = isMarkdown ? MarkdownReport(story: story).text : HTMLReport(story: story).text
      guard let target else {
        session.print(text)
        return .done
      }
      if try target.holdsSomethingElse(), try !session.confirm("\(target.path) is no report of kguard. Replace it?") {
        throw Failure(what: "no report was written", why: "the answer was no", next: "name another file")
      }
      try target.write(text)
      session.say("Wrote the report of run \(run.id) to \(target.path).\n")
      return .done
    })

  private static func isMarkdown(_ invocation: Invocation) throws(Failure) -> Bool {
    switch invocation.value(format) ?? "" {
    case "": return invocation.value(file)?.lowercased().hasSuffix(".md") == true
    case "html": return false
    case "markdown", "md": return true
    case let other:
      throw Failure(.usage, what: "cannot write a report as `\(other)`", why: "there is no such format", next: "say html or markdown")
    }
  }

  private static func target(_ invocation: Invocation) throws(Failure) -> ReportFile? {
    guard let name = invocation.value(file), name != "-" else { return nil }
    guard !["json", "text"].contains(name) else {
      throw Failure(
        .usage, what: "cannot write a report as \(name)", why: "here -o names a file",
        next: "`kguard show -o json` prints everything about a run as JSON; for a file of that name say `-o ./\(name)`")
    }
    return try ReportFile(name)
  }
}
