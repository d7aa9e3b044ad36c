internal import Host
internal import Model

/// Turns argv into an invocation, with every mistake explained.
struct Parser {
  let root: CommandSpec

  struct Parsed {
    var spec: CommandSpec
    var invocation: Invocation
    var wantsHelp: Bool
  }

  func parse(_ argv: [String]) throws(Failure) -> Parsed {
    var spec = root
    var path = [root.name]
    var words: [String] = []
    var options: [String: [String]] = [:]
    var rest = argv[...]
    var onlyWords = false

    while let word = rest.popFirst() {
      if !onlyWords, word == "--" {
        onlyWords = true
      } else if !onlyWords, word.hasPrefix("-"), word != "-" {
        for (option, value) in try read(word, &rest, spec, path) {
          if options[option.name] != nil, !option.isRepeated, option.value != nil {
            throw usage("`\(option.name)` is given twice", path)
          }
          options[option.name, default: []].append(value)
        }
      } else if word == "help", path.count == 1 {
        options[OptionSpec.help.name] = [""]
      } else if words.isEmpty, !spec.subcommands.isEmpty {
        guard let next = spec.subcommands.first(where: { $0.name == word }) else {
          throw usage("there is no command `\(word)`" + didYouMean(word, among: spec.visible.map(\.name)), path)
        }
        spec = next
        path.append(word)
      } else {
        words.append(word)
      }
    }

    // Options may stand before the command they belong to.
    let known = Set(spec.allOptions.map(\.name))
    if let stray = options.keys.filter({ !known.contains($0) }).min() { throw unknown(stray, spec, path) }
    for option in spec.allOptions where options[option.name] == nil {
      guard let variable = option.variable, let value = environment(variable), !value.isEmpty else { continue }
      if option.value != nil {
        options[option.name] = [value]
      } else if ["1", "true", "yes", "on"].contains(value.lowercased()) {
        options[option.name] = [""]
      } else if !["0", "false", "no", "off"].contains(value.lowercased()) {
        throw usage("the variable \(variable) is `\(value)`: it is 1 or 0", path)
      }
    }
    let wantsHelp = options[OptionSpec.help.name] != nil
    let arguments = wantsHelp ? [:] : try assign(words, spec, path)
    let hasOwnOutput = spec.options.contains { $0.name == OptionSpec.output.name }
    if !hasOwnOutput, let output = options[OptionSpec.output.name]?.last, !["text", "json"].contains(output) {
      throw usage("`--output \(output)`: it is `text` or `json`", path)
    }
    return Parsed(
      spec: spec, invocation: Invocation(command: path, arguments: arguments, options: options), wantsHelp: wantsHelp)
  }

  /// One word that begins with a dash: `--name`, `--name=value`, `--name value`, `-n`, `-n value`, `-nm`.
  private func read(
    _ word: String, _ rest: inout ArraySlice<String>, _ spec: CommandSpec, _ path: [String]
  ) throws(Failure) -> [(OptionSpec, String)] {
    let candidates = spec.allOptions + (spec.subcommands.isEmpty ? [] : allOptions(spec))
    if word.hasPrefix("--") {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let option = candidates.first(where: { $0.name == parts[0] }) else { throw unknown(String(parts[0]), spec, path) }
      guard let value = option.value else {
        if parts.count > 1 { throw usage("`\(option.name)` takes no value", path) }
        return [(option, "")]
      }
      return [(option, try self.value(of: option.name, value, parts.count > 1 ? String(parts[1]) : nil, &rest, candidates, path))]
    }
    var out: [(OptionSpec, String)] = []
    var letters = word.dropFirst()
    while let letter = letters.popFirst() {
      guard let option = candidates.first(where: { $0.short == "-\(letter)" }) else { throw unknown("-\(letter)", spec, path) }
      guard let value = option.value else {
        out.append((option, ""))
        continue
      }
      let attached = letters.isEmpty ? nil : String(letters)
      return out + [(option, try self.value(of: "-\(letter)", value, attached, &rest, candidates, path))]
    }
    return out
  }

  /// What is attached to an option or stands after it. Another option there means that the value was forgotten.
  private func value(
    of name: String, _ placeholder: String, _ attached: String?, _ rest: inout ArraySlice<String>, _ candidates: [OptionSpec],
    _ path: [String]
  ) throws(Failure) -> String {
    let isForgotten = rest.first.map { next in next == "--" || candidates.contains { $0.name == next || $0.short == next } } ?? true
    let value = attached ?? (isForgotten ? nil : rest.popFirst())
    guard let value, !value.isEmpty else { throw usage("`\(name)` needs a value: \(name) \(placeholder)", path) }
    return value
  }

  private func allOptions(_ spec: CommandSpec) -> [OptionSpec] { spec.subcommands.flatMap { $0.options + allOptions($0) } }

  private func assign(_ words: [String], _ spec: CommandSpec, _ path: [String]) throws(Failure) -> [String: String] {
    guard spec.run != nil else {
      throw usage("`\(path.joined(separator: " "))` needs a command: \(spec.visible.map(\.name).joined(separator: ", "))", path)
    }
    guard words.count <= spec.arguments.count else {
      let extra = words[spec.arguments.count]
      throw usage("`\(extra)` is one argument too many", path)
    }
    var arguments: [String: String] = [:]
    // What must be there comes first to its words: an optional argument may stand before it.
    var rest = words[...]
    var spare = words.count - spec.arguments.count { !$0.isOptional }
    for argument in spec.arguments {
      if argument.isOptional {
        if spare <= 0 { continue }
        spare -= 1
      }
      arguments[argument.name] = rest.popFirst()
    }
    if let missing = spec.arguments.first(where: { !$0.isOptional && arguments[$0.name] == nil }) {
      throw usage("\(missing.name) is missing: \(missing.summary)", path)
    }
    return arguments
  }

  private func unknown(_ name: String, _ spec: CommandSpec, _ path: [String]) -> Failure {
    let names = spec.allOptions.map(\.name)
    return usage("there is no option `\(name)`" + didYouMean(name, among: names), path)
  }

  private func usage(_ why: String, _ path: [String]) -> Failure {
    Failure(.usage, what: "cannot understand the command line", why: why, next: "see `\(path.joined(separator: " ")) --help`")
  }
}
