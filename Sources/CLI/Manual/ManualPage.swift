/// A manual page as a value. Its texts may hold `code` in backticks, as help texts do.
struct ManualPage: Sendable {
  let name: String
  let section: Int
  let summary: String
  var sections: [Section]

  struct Section: Sendable {
    let title: String
    var blocks: [Block]

    init(_ title: String, _ blocks: [Block]) {
      self.title = title
      self.blocks = blocks
    }
  }

  indirect enum Block: Sendable {
    case text(String)
    case heading(String)
    /// A command or a file, word for word.
    case example(String)
    /// Terms, and what there is to say of each.
    case terms([Term])
  }

  struct Term: Sendable {
    let term: String
    let blocks: [Block]

    init(_ term: String, _ text: String) {
      self.term = term
      blocks = [.text(text)]
    }

    init(_ term: String, _ blocks: [Block]) {
      self.term = term
      self.blocks = blocks
    }
  }

  /// `kguard.1`
  var file: String { "\(name).\(section)" }

  static let all = [CommandManual.page, PlaybookManual.page, ConfigurationManual.page]

  static let seeAlso: [(name: String, section: Int)] = [("kguard", 1), ("kguard-playbook", 5), ("kguard.yaml", 5)]

  /// The last section: the other pages, and programs that have to do with it.
  static func references(from page: String, _ others: [String]) -> Section {
    let own = seeAlso.filter { $0.name != page }.map { "`\($0.name)`(\($0.section))" }
    return Section("See also", [.text((own + others.map { "`\($0)`" }).joined(separator: ", "))])
  }
}

/// A text cut at its backticks: every second piece is code.
func codePieces(_ text: String) -> [(text: String, isCode: Bool)] {
  let pieces = text.split(separator: "`", omittingEmptySubsequences: false).map(String.init)
  // An odd backtick is one.
  guard pieces.count % 2 == 1 else { return [(text, false)] }
  return pieces.enumerated().filter { !$1.isEmpty }.map { ($1, $0 % 2 == 1) }
}
