/// A block of commands in a page: what stands between "```sh" and "```". The line before it may say that a test doesn't run it, and why.
struct ShellBlock {
  let page: String
  let line: Int
  let text: String
  let notRun: String?

  static func all(of page: String, _ text: String) -> [ShellBlock] {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    var blocks: [ShellBlock] = []
    var begin: Int?
    for (number, line) in lines.enumerated() {
      if line == "```sh" {
        begin = number
      } else if line == "```", let start = begin {
        let mark = "<!-- not run: "
        let before = lines[..<start].last { !$0.isEmpty } ?? ""
        let reason = before.hasPrefix(mark) && before.hasSuffix(" -->") ? String(before.dropFirst(mark.count).dropLast(4)) : nil
        blocks.append(
          ShellBlock(page: page, line: start + 2, text: lines[(start + 1)..<number].joined(separator: "\n") + "\n", notRun: reason))
        begin = nil
      }
    }
    return blocks
  }

  /// The arguments of each call of a program in it.
  func commands(of program: String) -> [[String]] {
    ShellWords.commands(text).compactMap { words in
      let words = words.drop { $0.contains("=") || ["sudo", "if", "do", "then", "until", "while", "!"].contains($0) }
      return words.first == program ? Array(words.dropFirst()) : nil
    }
  }

  /// What stands between backticks outside of blocks, with its line.
  static func spans(of text: String) -> [(line: Int, text: String)] {
    var isInBlock = false
    var found: [(line: Int, text: String)] = []
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line.hasPrefix("```") {
        isInBlock.toggle()
      } else if !isInBlock {
        for (place, part) in line.split(separator: "`", omittingEmptySubsequences: false).enumerated() where place % 2 == 1 {
          found.append((number + 1, String(part)))
        }
      }
    }
    return found
  }
}

/// As much of a shell's grammar as the docs use: quotes, comments, what separates commands. Redirections are left out.
enum ShellWords {
  static func commands(_ text: String) -> [[String]] {
    var commands: [[String]] = []
    var command: [String] = []
    var word: String?
    var quote: Character?
    var (isEscaped, isComment, isRedirected) = (false, false, false)

    func endWord() {
      if let word, !isRedirected { command.append(word) }
      if word != nil { isRedirected = false }
      word = nil
    }
    func endCommand() {
      endWord()
      if !command.isEmpty { commands.append(command) }
      command = []
    }
    for character in text {
      if isComment {
        isComment = character != "\n"
        if !isComment { endCommand() }
      } else if isEscaped {
        isEscaped = false
        if character != "\n" { word = (word ?? "") + String(character) }
      } else if let open = quote {
        if character == open { quote = nil } else { word = (word ?? "") + String(character) }
      } else {
        switch character {
        case "\\": isEscaped = true
        case "'", "\"":
          quote = character
          word = word ?? ""
        case "#" where word == nil: isComment = true
        case " ", "\t": endWord()
        case "\n", "|", ";", "&", "(", ")": endCommand()
        case ">", "<":
          endWord()
          isRedirected = true
        default: word = (word ?? "") + String(character)
        }
      }
    }
    endCommand()
    return commands
  }
}
