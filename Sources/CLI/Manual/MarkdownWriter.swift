/// A manual page for a browser.
struct MarkdownWriter {
  func text(of page: ManualPage) -> String {
    var out = "<!-- Made by `kguard docs markdown`: change kguard's own texts, not this file. -->\n\n"
    out += "# \(page.name)(\(page.section))\n\n\(page.name): \(prose(page.summary))\n"
    for section in page.sections { out += "\n## \(section.title)\n" + blocks(section.blocks, indent: "") }
    return out
  }

  private func blocks(_ blocks: [ManualPage.Block], indent: String) -> String {
    var out = ""
    for block in blocks {
      switch block {
      case .text(let text): for paragraph in text.split(separator: "\n") { out += "\n\(indent)\(prose(String(paragraph)))\n" }
      case .heading(let title): out += "\n### \(title)\n"
      case .example(let text):
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.isEmpty ? "\n" : "\(indent)\($0)\n" }
        out += "\n\(indent)```\n" + lines.joined() + "\(indent)```\n"
      case .terms(let terms):
        out += "\n"
        for term in terms { out += "\(indent)- `\(term.term)`" + rest(term.blocks, indent: indent) }
      }
    }
    return out
  }

  private func rest(_ all: [ManualPage.Block], indent: String) -> String {
    guard case .text(let first)? = all.first else { return "\n" + blocks(all, indent: indent + "  ") }
    let paragraphs = first.split(separator: "\n").map { prose(String($0)) }
    let text = paragraphs.isEmpty ? "" : ": " + paragraphs.joined(separator: "\n\n\(indent)  ")
    return text + "\n" + blocks(Array(all.dropFirst()), indent: indent + "  ")
  }

  /// Outside of code, nothing is Markdown by accident.
  private func prose(_ text: String) -> String {
    codePieces(text).map { piece in
      if piece.isCode { return "`\(piece.text)`" }
      return piece.text.map { "*_<>[]".contains($0) ? "\\\($0)" : String($0) }.joined()
    }.joined()
  }
}
