internal import Model

/// JSON for reading: a line for what is short, an indented block for what has parts, a table where all parts are alike.
struct Outline {
  /// More than so many parts of one thing are for a program to read.
  private static let mostParts = 60
  private static let longestCell = 160
  private static let longestLine = 400

  private(set) var text = ""
  /// Of the terminal, where there is one.
  private let columns: Int?

  init(_ members: JSON.Members, indent: Int = 0, columns: Int? = nil) {
    self.columns = columns
    for (key, value) in members.pairs.prefix(Self.mostParts) { add(key, value, indent) }
    tellMore(members.count, indent)
  }

  private mutating func add(_ key: String, _ value: JSON, _ indent: Int) {
    let margin = String(repeating: " ", count: indent)
    if let short = Self.short(value) {
      let head = margin + printable("\(key): ")
      text += hanging(head, width: head.count, fit(short, Self.longestLine), columns: columns) + "\n"
      return
    }
    text += margin + printable(key) + ":\n"
    switch value {
    case .object(let members) where members.pairs.allSatisfy { Self.scalar($0.value) != nil }:
      add(members.pairs.map { [$0.key, Self.scalar($0.value) ?? ""] }, indent + 2)
    case .object(let members):
      text += Outline(members, indent: indent + 2, columns: columns).text
    case .array(let items):
      add(Self.rows(items), indent + 2)
    default: break
    }
  }

  private mutating func add(_ rows: [[String]], _ indent: Int) {
    let margin = String(repeating: " ", count: indent)
    // A column is as wide as its widest cell: only the last may be long.
    let cells = rows.map(\.count).max() ?? 0
    let shown = rows.prefix(Self.mostParts).map { row in
      row.enumerated().map { fit(printable($0.element), $0.offset == cells - 1 ? Self.longestLine : Self.longestCell) }
    }
    text += table(shown.map { [margin + ($0.first ?? "")] + $0.dropFirst() }, within: columns)
    tellMore(rows.count, indent)
  }

  private mutating func tellMore(_ count: Int, _ indent: Int) {
    guard count > Self.mostParts else { return }
    text += String(repeating: " ", count: indent) + "… and \(count - Self.mostParts) more: `-o json` has them all\n"
  }

  /// The objects' values below their keys, or each item on a line.
  private static func rows(_ items: [JSON]) -> [[String]] {
    var keys: [String] = []
    for item in items { for key in item.object?.keys ?? [] where !keys.contains(key) { keys.append(key) } }
    guard !keys.isEmpty, items.allSatisfy({ $0.object != nil }) else { return items.map { [short($0) ?? $0.text()] } }
    return [keys]
      + items.map { item in
        var cells = keys.map { key in item[key].map { short($0) ?? $0.text() } ?? "" }
        while cells.last?.isEmpty == true { cells.removeLast() }
        return cells
      }
  }

  private static func scalar(_ value: JSON) -> String? {
    switch value {
    case .null: "-"
    case .bool(let flag): flag ? "yes" : "no"
    case .string(let text): inOneLine(text)
    case .int, .double: value.text()
    case .array, .object: nil
    }
  }

  /// What fits into a line; nil for what has parts that do not.
  private static func short(_ value: JSON) -> String? {
    if let scalar = scalar(value) { return scalar }
    if value.array?.isEmpty == true || value.object?.count == 0 { return "none" }
    guard let items = value.array?.map(scalar) else { return nil }
    let words = items.compactMap { $0 }
    let line = words.joined(separator: ", ")
    return words.count == items.count && line.count <= 160 ? line : nil
  }
}
