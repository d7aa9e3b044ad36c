internal import Model

/// `--help` of a command, from its description.
struct Help {
  let spec: CommandSpec
  let path: [String]
  var width = 78

  var text: String {
    let summary = "\(spec.summary.prefix(1).uppercased())\(spec.summary.dropFirst())."
    var out = Self.wrap(summary, width: width) + "\n\n" + hanging("Usage: ", width: 7, usage, columns: width + 1) + "\n"
    if !spec.details.isEmpty { out += "\n" + Self.wrap(spec.details, width: width) + "\n" }
    if !spec.visible.isEmpty { out += "\nCommands:\n" + columns(spec.visible.map { (name(of: $0), $0.summary) }) }
    if !spec.arguments.isEmpty { out += "\nArguments:\n" + columns(spec.arguments.map { ($0.name, $0.summary) }) }
    if !spec.options.isEmpty { out += "\nOptions:\n" + columns(spec.options.map(entry)) }
    out += "\nEverywhere:\n" + columns(spec.commonOptions.map(entry))
    if !spec.examples.isEmpty { out += "\nExamples:\n" + columns(spec.examples.map { ($0.line, $0.meaning) }) }
    out += "\nExit codes:\n" + columns(ExitStatus.allCases.map { ("\($0.rawValue)", $0.meaning) })
    return out
  }

  private var usage: String {
    var words = path
    if !spec.subcommands.isEmpty { words.append(spec.run == nil ? "COMMAND" : "[COMMAND]") }
    for argument in spec.arguments { words.append(argument.isOptional ? "[\(argument.name)]" : argument.name) }
    return words.joined(separator: " ") + " [options]"
  }

  private func name(of command: CommandSpec) -> String {
    let arguments = command.arguments.map { $0.isOptional ? "[\($0.name)]" : $0.name }
    let more = command.subcommands.isEmpty ? [] : [command.visible.map(\.name).joined(separator: "|")]
    let name = ([command.name] + arguments + more).joined(separator: " ")
    return name.count <= width - 4 ? name : name.split(separator: "|").joined(separator: "| ")
  }

  private func entry(_ option: OptionSpec) -> (String, String) {
    let short = option.short.map { "\($0), " } ?? ""
    let value = option.value.map { " \($0)" } ?? ""
    return (short + option.name + value, option.summary + (option.variable.map { " [\($0)]" } ?? ""))
  }

  /// Two columns; a left side that is too long has a line of its own.
  private func columns(_ rows: [(String, String)]) -> String {
    let left = min(34, width / 2 - 4, rows.map(\.0.count).max() ?? 0)
    let margin = String(repeating: " ", count: left + 4)
    return rows.map { name, right in
      let text = Self.wrap(right, width: width - left - 4).split(separator: "\n").joined(separator: "\n" + margin)
      if name.count <= left { return "  " + padded(name, left + 2) + text + "\n" }
      return "  " + wrapped(name, width - 4).joined(separator: "\n    ") + "\n" + margin + text + "\n"
    }.joined()
  }

  static func wrap(_ text: String, width: Int) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).map { paragraph in
      var lines: [String] = [""]
      for word in paragraph.split(separator: " ") {
        if !lines[lines.count - 1].isEmpty, lines[lines.count - 1].count + 1 + word.count > width { lines.append("") }
        lines[lines.count - 1] += (lines[lines.count - 1].isEmpty ? "" : " ") + word
      }
      return lines.joined(separator: "\n")
    }.joined(separator: "\n")
  }
}
