internal import Host
internal import Model

/// How text looks on one stream: with or without colours, in UTF-8 or plain ASCII.
struct Style: Sendable {
  let hasColor: Bool
  let hasUnicode: Bool

  init(color: Bool, unicode: Bool) {
    hasColor = color
    hasUnicode = unicode
  }

  /// What the terminal, `NO_COLOR`, `TERM` and the locale allow.
  init(_ stream: Terminal.Stream, noColor: Bool) {
    let forbidden = noColor || !(environment("NO_COLOR") ?? "").isEmpty || environment("TERM") == "dumb"
    hasColor = Terminal.isTerminal(stream) && !forbidden
    let locale = environment("LC_ALL").flatMap { $0.isEmpty ? nil : $0 } ?? environment("LC_CTYPE") ?? environment("LANG") ?? ""
    hasUnicode = locale.uppercased().contains("UTF-8") || locale.uppercased().contains("UTF8")
  }

  enum Ink: String { case bold = "1", dim = "2", red = "31", green = "32", yellow = "33", blue = "34" }

  func paint(_ text: String, _ ink: Ink) -> String { hasColor ? "\u{1b}[\(ink.rawValue)m\(text)\u{1b}[0m" : text }

  enum Mark { case done, failed, skipped, running, waiting, undone }

  func mark(_ mark: Mark) -> String {
    switch mark {
    case .done: paint(hasUnicode ? "✓" : "ok", .green)
    case .failed: paint(hasUnicode ? "✗" : "!!", .red)
    case .skipped: paint(hasUnicode ? "–" : "--", .dim)
    case .running: paint(hasUnicode ? "▸" : "->", .blue)
    case .waiting: paint(hasUnicode ? "·" : "..", .dim)
    case .undone: paint(hasUnicode ? "↶" : "<-", .yellow)
    }
  }

  var ellipsis: String { hasUnicode ? "…" : "..." }
  /// Stands before what to do about it.
  var arrow: String { hasUnicode ? "→" : "->" }
  /// Stands before a line that somebody else wrote.
  var quote: String { hasUnicode ? "│" : "|" }

  /// The text in letters that the terminal has.
  func inCharset(_ text: String) -> String {
    if hasUnicode || text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
    var out = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case _ where scalar.isASCII: out.unicodeScalars.append(scalar)
      case "→": out += arrow
      case "…": out += ellipsis
      case "✓": out += "ok"
      case "✗": out += "!!"
      case "│": out += quote
      case "·": out += "-"
      case "–", "—": out += "-"
      case "‘", "’": out += "'"
      case "“", "”": out += "\""
      default: out += "?"
      }
    }
    return out
  }

  var markWidth: Int { hasUnicode ? 1 : 2 }

  func mark(of state: StepState) -> String {
    switch state {
    case .pending: mark(.waiting)
    case .started: mark(.running)
    case .succeeded: mark(.done)
    case .failed: mark(.failed)
    case .skipped: mark(.skipped)
    case .undone: mark(.undone)
    }
  }

  func paint(_ state: RunState) -> String {
    switch state {
    case .succeeded: paint(state.rawValue, .green)
    case .failed, .needsOperator: paint(state.rawValue, .red)
    case .rolledBack, .interrupted, .rollingBack: paint(state.rawValue, .yellow)
    case .pending, .running: paint(state.rawValue, .blue)
    }
  }

  /// `error: what: why`, then `hint: next`, as the screen shows every failure.
  func failure(_ failure: Failure) -> String {
    let label = failure.exit == .interrupted ? paint("stopped:", .yellow) : paint("error:", .red)
    let hint = failure.next.isEmpty ? "" : "\n\(paint("hint:", .bold))\(listed(failure.next))"
    return "\(label) \(printableLines(failure.what)):\(listed(failure.why))\(hint)\n"
  }

  /// One line goes on where the text before it ends; of several each is a line of its own, set in.
  private func listed(_ text: String) -> String {
    let lines = printableLines(text).split(separator: "\n", omittingEmptySubsequences: false)
    return lines.count == 1 ? " \(lines[0])" : lines.map { "\n  \($0)" }.joined()
  }

  func bar(_ fraction: Double, width: Int) -> String {
    let filled = Int((min(max(fraction, 0), 1) * Double(width)).rounded(.down))
    let (full, empty) = hasUnicode ? ("━", "─") : ("#", ".")
    return paint(String(repeating: full, count: filled), .blue) + paint(String(repeating: empty, count: width - filled), .dim)
  }
}

/// A text that a command or a file gave, made safe for a terminal: no control characters, no escape sequences.
func printable(_ text: String) -> String {
  var out = String.UnicodeScalarView()
  var isEscape = false
  for scalar in text.unicodeScalars {
    if isEscape {
      // A control sequence ends with a letter; `[` and parameters stand before.
      if scalar.properties.isAlphabetic || scalar == "~" { isEscape = false }
    } else if scalar == "\u{1b}" {
      isEscape = true
    } else if scalar == "\t" {
      out.append(" ")
    } else if scalar.value >= 0x20 && scalar.value != 0x7f && !(0x80..<0xa0).contains(scalar.value) {
      out.append(scalar)
    }
  }
  return String(out)
}

/// The same for a text of several lines.
func printableLines(_ text: String) -> String {
  text.split(separator: "\n", omittingEmptySubsequences: false).map { printable(String($0)) }.joined(separator: "\n")
}

/// A text of several lines, such as the failures of several checks, in one.
func inOneLine(_ text: String) -> String {
  text.split(whereSeparator: \.isNewline).map { printable(String($0)) }.filter { !$0.isEmpty }.joined(separator: "; ")
}

/// The text cut to a width, with an ellipsis where something is lost.
func fit(_ text: String, _ width: Int, ellipsis: String = "…") -> String {
  if text.count <= width { return text }
  return width <= ellipsis.count ? String(text.prefix(max(0, width))) : text.prefix(width - ellipsis.count) + ellipsis
}

/// The columns that a text takes: escape sequences take none.
func columns(_ text: some StringProtocol) -> Int { text.utf8.contains(0x1b) ? printable(String(text)).count : text.count }

/// As much of a text as so many columns take.
private func beginning(of text: Substring, _ width: Int) -> Substring {
  guard text.utf8.contains(0x1b) else { return text.prefix(width) }
  var end = text.startIndex
  while end < text.endIndex, columns(text[...end]) <= width { end = text.index(after: end) }
  return text[..<end]
}

/// The text in lines of at most a width, broken between words where that can be, and not within backticks: a command is copied whole.
func wrapped(_ text: String, _ width: Int) -> [String] {
  var lines: [String] = []
  for var word in words(text, width) {
    if let last = lines.last, columns(last) + 1 + columns(word) <= width {
      lines[lines.count - 1] += " " + word
      continue
    }
    while columns(word) > max(1, width) {
      let head = beginning(of: word, max(1, width))
      lines.append(String(head))
      word = word[head.endIndex...]
    }
    lines.append(String(word))
  }
  return lines
}

/// The words of a text. What stands between backticks is one, if it is not wider than `width`.
private func words(_ text: String, _ width: Int) -> [Substring] {
  var words: [Substring] = []
  var open: [Substring] = []
  for piece in text.split(separator: " ") {
    let isEdge = piece.count { $0 == "`" } % 2 == 1
    if open.isEmpty, !isEdge {
      words.append(piece)
      continue
    }
    open.append(piece)
    guard isEdge, open.count > 1 else { continue }
    let whole = open.joined(separator: " ")
    words += columns(whole) <= width ? [Substring(whole)] : open
    open = []
  }
  return words + open
}

/// A head, and a detail that goes on below its own beginning where it does not fit, or, where there is little room, below the head.
/// `width` is the head's on the screen; `columns` the terminal's, nil where there is none: then it is one line.
func hanging(_ head: String, width: Int, _ detail: String, columns: Int?, paint: (String) -> String = { $0 }) -> String {
  guard let columns else { return head + paint(detail) }
  let isNarrow = columns - 1 - width < min(24, detail.count)
  let lines = wrapped(detail, columns - 1 - (isNarrow ? 4 : width)).map(paint)
  let next = "\n" + String(repeating: " ", count: isNarrow ? 4 : width)
  return head + (isNarrow && !lines.isEmpty ? next : "") + lines.joined(separator: next)
}

/// A sentence, broken between words where the terminal would break it anywhere.
func prose(_ text: String, _ stream: Terminal.Stream) -> String {
  guard let width = Terminal.size(stream)?.columns, width >= 40 else { return text }
  return prose(text, within: width)
}

func prose(_ text: String, within width: Int) -> String {
  text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
    guard columns(line) >= width else { return String(line) }
    let indent = String(line.prefix { $0 == " " })
    // A command that has no room is left to the terminal, so that it is copied as one line.
    let commands = line.split(separator: "`", omittingEmptySubsequences: false).enumerated().filter { $0.offset % 2 == 1 }
    guard commands.allSatisfy({ columns($0.element) + 4 < width - indent.count }) else { return String(line) }
    return wrapped(String(line), width - 1 - indent.count).map { indent + $0 }.joined(separator: "\n")
  }.joined(separator: "\n")
}

func padded(_ text: String, _ width: Int) -> String {
  text.count >= width ? text : text + String(repeating: " ", count: width - text.count)
}

/// Rows in columns as wide as they need to be; the last column is as long as it is, or goes on below itself within the terminal's `columns`.
func table(_ rows: [[String]], gap: Int = 2, within terminal: Int? = nil) -> String {
  let columns = rows.map(\.count).max() ?? 0
  let widths = (0..<columns).map { column in rows.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0 }
  return rows.map { row in
    let head = row.dropLast().enumerated().map { padded($0.element, widths[$0.offset] + gap) }.joined()
    let last = row.last ?? ""
    guard let terminal, head.count >= terminal else { return hanging(head, width: head.count, last, columns: terminal) + "\n" }
    let margin = String(head.prefix { $0 == " " })
    return margin + wrapped(head + last, terminal - 5 - margin.count).joined(separator: "\n    " + margin) + "\n"
  }.joined()
}
