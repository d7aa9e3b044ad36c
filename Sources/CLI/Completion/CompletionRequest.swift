internal import Host
internal import Model

/// A command line that is being typed, understood as far as it goes. It forgives everything: a shell asks, no person.
struct CompletionRequest: Sendable {
  /// What can stand at the cursor.
  enum Wanted: Sendable {
    case commands([CommandSpec])
    case options([OptionSpec])
    case value(Completes)
  }

  private(set) var wanted: Wanted
  /// The words and options before the cursor.
  private(set) var invocation: Invocation

  /// `words`: what stands after `kguard`; the last one is at the cursor, and may be empty.
  init(_ words: [String], root: CommandSpec) {
    var line = Line(spec: root, path: [root.name])
    for word in words.dropLast() { line.take(word) }
    wanted = line.wanted(at: words.last ?? "")
    invocation = Invocation(command: line.path, arguments: [:], options: line.options)
    for (argument, word) in zip(line.spec.arguments, line.words) { invocation.arguments[argument.name] = word }
    for option in OptionSpec.common where invocation.options[option.name] == nil {
      if let variable = option.variable, let value = environment(variable), !value.isEmpty { invocation.options[option.name] = [value] }
    }
  }

  private struct Line {
    var spec: CommandSpec
    var path: [String]
    var words: [String] = []
    var options: [String: [String]] = [:]
    /// The option whose value comes next.
    var open: OptionSpec?
    var onlyWords = false

    var known: [OptionSpec] { OptionSpec.common + spec.options }

    mutating func take(_ word: String) {
      if let option = open {
        options[option.name, default: []].append(word)
        open = nil
      } else if !onlyWords, word == "--" {
        onlyWords = true
      } else if !onlyWords, word.hasPrefix("--") {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let option = known.first(where: { $0.name == parts[0] }) else { return }
        if option.value != nil, parts.count == 1 { open = option } else { options[option.name, default: []].append(parts.last ?? "") }
      } else if !onlyWords, word.hasPrefix("-"), word != "-" {
        takeLetters(word.dropFirst())
      } else if words.isEmpty, let next = spec.subcommands.first(where: { $0.name == word }) {
        spec = next
        path.append(word)
      } else {
        words.append(word)
      }
    }

    private mutating func takeLetters(_ letters: Substring) {
      var letters = letters
      while let letter = letters.popFirst() {
        guard let option = known.first(where: { $0.short == "-\(letter)" }) else { return }
        guard option.value != nil else {
          options[option.name, default: []].append("")
          continue
        }
        if letters.isEmpty { open = option } else { options[option.name, default: []].append(String(letters)) }
        return
      }
    }

    func wanted(at cursor: String) -> Wanted {
      if let open { return .value(open.completes) }
      if !onlyWords, cursor.hasPrefix("--"), let equals = cursor.firstIndex(of: "=") {
        let option = known.first { $0.name == cursor[..<equals] }
        return .value(option?.value == nil ? .nothing : option?.completes ?? .nothing)
      }
      if !onlyWords, cursor.hasPrefix("-") { return .options(known.filter { $0.isRepeated || options[$0.name] == nil }) }
      if !spec.subcommands.isEmpty, words.isEmpty { return .commands(spec.subcommands.filter { !$0.isHidden }) }
      return .value(spec.arguments.indices.contains(words.count) ? spec.arguments[words.count].completes : .nothing)
    }
  }
}
