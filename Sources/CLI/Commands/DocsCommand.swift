internal import Host
internal import Model

/// `kguard docs …`, for whoever builds packages and pages; help does not tell of it.
enum DocsCommand {
  private static let directory = ArgumentSpec("DIR", "where to write them")

  static let spec = CommandSpec(
    name: "docs", summary: "write the manual pages", examples: [.init("kguard docs man DIR", "for man(1)")],
    subcommands: [
      CommandSpec(
        name: "man", summary: "write the manual pages for man(1)", arguments: [directory],
        details: "`SOURCE_DATE_EPOCH` in the environment is the date that they bear (default: today).",
        examples: [.init("kguard docs man DIR", "kguard.1 and the others")],
        run: { (invocation) throws(Failure) in
          let session = try Session(invocation)
          let writer = RoffWriter(date: day(session))
          return try write(session) {
            writer.text(of: $0)
          } name: {
            $0.file
          }
        }),
      CommandSpec(
        name: "markdown", summary: "write the manual pages as Markdown", arguments: [directory],
        examples: [.init("kguard docs markdown docs/manual", "for a browser")],
        run: { (invocation) throws(Failure) in
          try write(try Session(invocation)) {
            MarkdownWriter().text(of: $0)
          } name: {
            $0.file + ".md"
          }
        }),
    ], isHidden: true)

  private static func write(_ session: Session, text: (ManualPage) -> String, name: (ManualPage) -> String) throws(Failure) -> ExitStatus {
    let directory = try Files.absolute(session.invocation.arguments[directory.name] ?? "")
    for page in ManualPage.all { try Files.replace(directory + "/" + name(page), with: Array(text(page).utf8), mode: 0o644) }
    return .done
  }

  /// In UTC, so that two builds of one source are the same.
  private static func day(_ session: Session) -> String {
    let now = environment("SOURCE_DATE_EPOCH").flatMap { Int64($0) }.map { Timestamp(milliseconds: min(max($0, 0), 1 << 38) * 1000) }
    return String((now ?? session.machine.now()).description.prefix(10))
  }
}
