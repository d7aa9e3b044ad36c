internal import Model

/// A manual page for man(1): plain `man` macros, ASCII only, so that groff and mandoc print the same everywhere.
struct RoffWriter {
  /// `2026-11-21`
  let date: String

  func text(of page: ManualPage) -> String {
    var out = ".\\\" Made by `kguard docs man`: change kguard's own texts, not this file.\n"
    out += ".TH \"\(escaped(page.name))\" \"\(page.section)\" \"\(escaped(date))\" \"kguard \(kguardVersion)\" \"kguard\"\n"
    // No hyphenation and a ragged right margin: words of a command line stay whole.
    out += ".nh\n.ad l\n"
    out += ".SH NAME\n\(escaped(page.name, isCode: true)) \\- \(inline(page.summary))\n"
    for section in page.sections { out += ".SH \(quoted(section.title.uppercased()))\n" + blocks(section.blocks) }
    return out
  }

  private func blocks(_ blocks: [ManualPage.Block]) -> String {
    var out = ""
    for (index, block) in blocks.enumerated() {
      switch block {
      case .text(let text):
        let paragraphs = text.split(separator: "\n").map(paragraph)
        let isFirst = index == 0 || isHeading(blocks[index - 1])
        out += (isFirst ? "" : ".PP\n") + paragraphs.joined(separator: "\n.PP\n") + "\n"
      case .heading(let title): out += ".SS \(quoted(title))\n"
      case .example(let text):
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line(escaped(String($0), isCode: true)) }
        out += (index == 0 || isHeading(blocks[index - 1]) ? "" : ".PP\n") + ".RS 4\n.nf\n" + lines.joined(separator: "\n") + "\n.fi\n.RE\n"
      case .terms(let terms):
        for term in terms { out += ".TP\n" + line("\\fB" + escaped(term.term, isCode: true) + "\\fR") + "\n" + within(term.blocks) }
      }
    }
    return out
  }

  /// What belongs to a term: its first text as it is, the rest indented.
  private func within(_ all: [ManualPage.Block]) -> String {
    guard case .text(let first)? = all.first else { return ".RS\n" + blocks(all) + ".RE\n" }
    let paragraphs = first.split(separator: "\n").map(paragraph)
    let rest = Array(all.dropFirst())
    return paragraphs.joined(separator: "\n.IP\n") + "\n" + (rest.isEmpty ? "" : ".RS\n" + blocks(rest) + ".RE\n")
  }

  private func isHeading(_ block: ManualPage.Block) -> Bool { if case .heading = block { true } else { false } }

  private func inline(_ text: String) -> String {
    codePieces(text).map { $0.isCode ? "\\fB" + escaped($0.text, isCode: true) + "\\fR" : escaped($0.text) }.joined()
  }

  private func quoted(_ text: String) -> String { "\"" + escaped(text) + "\"" }

  /// A line that begins like a request is none.
  private func line(_ text: String) -> String { text.hasPrefix(".") || text.hasPrefix("'") ? "\\&" + text : text }

  /// Prose in lines that fit a terminal.
  private func paragraph(_ text: some StringProtocol) -> String {
    Help.wrap(inline(String(text)), width: 78).split(separator: "\n").map { line(String($0)) }.joined(separator: "\n")
  }

  private func escaped(_ text: String, isCode: Bool = false) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": out += "\\e"
      case "-": out += isCode ? "\\-" : "-"
      case "'": out += isCode ? "\\(aq" : "'"
      case "\"": out += "\\(dq"
      case "`": out += "\\(ga"
      case "^": out += "\\(ha"
      case "~": out += "\\(ti"
      default: out += scalar.isASCII ? String(Character(scalar)) : "\\[u" + hex(scalar.value) + "]"
      }
    }
    return out
  }

  private func hex(_ value: UInt32) -> String {
    let digits = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}
