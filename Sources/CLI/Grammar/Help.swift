internal import Model

/// `--help` of a command, from its description.
struct Help {
  let spec: CommandSpec
  let path: [String]

  var text: String {
    var out = "\(spec.summary.prefix(1).uppercased())\(spec.summary.dropFirst()).\n\nUsage: \(usage)\n"
    if !spec.details.isEmpty { out += "\n" + Self.wrap(spec.details, width: 78) + "\n" }
    if !spec.visible.isEmpty { out += "\nCommands:\n" + Self.columns(spec.visible.map { (name(of: $0), $0.summary) }) }
    if !spec.arguments.isEmpty { out += "\nArguments:\n" + Self.columns(spec.arguments.map { ($0.name, $0.summary) }) }
    if !spec.options.isEmpty { out += "\nOptions:\n" + Self.columns(spec.options.map(Self.entry)) }
    out += "\nEverywhere:\n" + Self.columns(OptionSpec.common.map(Self.entry))
    if !spec.examples.isEmpty { out += "\nExamples:\n" + Self.columns(spec.examples.map { ($0.line, $0.meaning) }) }
    out += "\nExit codes:\n" + Self.columns(ExitStatus.allCases.map { ("\($0.rawValue)", $0.meaning) })
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
    return ([command.name] + arguments + more).joined(separator: " ")
  }

  private static func entry(_ option: OptionSpec) -> (String, String) {
    let short = option.short.map { "\($0), " } ?? ""
    let value = option.value.map { " \($0)" } ?? ""
    return (short + option.name + value, option.summary + (option.variable.map { " [\($0)]" } ?? ""))
  }

  /// Two columns; a left side that is too long has a line of its own.
  static func columns(_ rows: [(String, String)]) -> String {
    let width = min(34, rows.map(\.0.count).max() ?? 0)
    return rows.map { left, right in
      let text = wrap(right, width: 78 - width - 4).split(separator: "\n").joined(
        separator: "\n" + String(repeating: " ", count: width + 4))
      if left.count > width { return "  \(left)\n" + String(repeating: " ", count: width + 4) + text + "\n" }
      return "  " + left + String(repeating: " ", count: width - left.count + 2) + text + "\n"
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
