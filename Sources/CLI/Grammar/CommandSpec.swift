internal import Model

/// A command as a value: what parses it, documents it and completes it is made from this one description.
struct CommandSpec: Sendable {
  var name: String
  var summary: String
  var arguments: [ArgumentSpec] = []
  var options: [OptionSpec] = []
  /// Paragraphs for `--help`.
  var details: String = ""
  var examples: [Example] = []
  var subcommands: [CommandSpec] = []
  /// It changes something; what it prints besides may get lost. Of the others the output is all that there is.
  var acts = false
  var run: (@Sendable (Invocation) throws(Failure) -> ExitStatus)?
  var isHidden = false
  /// The subcommands that help, manual and completion tell of.
  var visible: [CommandSpec] { subcommands.filter { !$0.isHidden } }

  /// The options that every command has, without those of which it has its own.
  var commonOptions: [OptionSpec] { OptionSpec.common.filter { common in !options.contains { $0.name == common.name } } }
  /// All that it understands.
  var allOptions: [OptionSpec] { options + commonOptions }

  /// True where the command has done nothing if nobody got what it printed.
  func isForItsOutput(_ invocation: Invocation) -> Bool { !acts || invocation.has(.dryRun) }

  struct Example: Sendable {
    let line: String
    let meaning: String
    init(_ line: String, _ meaning: String) {
      self.line = line
      self.meaning = meaning
    }
  }
}

struct ArgumentSpec: Sendable {
  let name: String
  let summary: String
  var isOptional = false
  let completes: Completes

  init(_ name: String, _ summary: String, isOptional: Bool = false, completes: Completes? = nil) {
    self.name = name
    self.summary = summary
    self.isOptional = isOptional
    self.completes = completes ?? Completes(placeholder: name)
  }
}

struct OptionSpec: Sendable {
  let name: String
  var short: String?
  /// What stands for its value; nil: it takes none.
  var value: String?
  let summary: String
  var isRepeated = false
  /// The environment variable that stands in for it.
  var variable: String?
  let completes: Completes

  init(
    _ name: String, short: String? = nil, value: String? = nil, _ summary: String, isRepeated: Bool = false, variable: String? = nil,
    completes: Completes? = nil
  ) {
    self.name = name
    self.short = short
    self.value = value
    self.summary = summary
    self.isRepeated = isRepeated
    self.variable = variable
    self.completes = completes ?? Completes(placeholder: value ?? "")
  }

  static let root = OptionSpec("--root", value: "DIR", "use DIR as the root of the host", variable: "KGUARD_ROOT")
  static let state = OptionSpec("--state", value: "DIR", "keep journal and logs in DIR (default /var/lib/kguard)", variable: "KGUARD_STATE")
  static let config = OptionSpec("--config", value: "FILE", "read FILE instead of /etc/kguard/config.yaml", variable: "KGUARD_CONFIG")
  static let output = OptionSpec("--output", short: "-o", value: "text|json", "how to print (default text)", variable: "KGUARD_OUTPUT")
  static let yes = OptionSpec("--yes", short: "-y", "do not ask", variable: "KGUARD_YES")
  static let noColor = OptionSpec("--no-color", "no colours (also: NO_COLOR)")
  static let plain = OptionSpec("--plain", "one line for each event, nothing drawn over (for screen readers)", variable: "KGUARD_PLAIN")
  static let verbose = OptionSpec("--verbose", short: "-v", "show the output of commands as it comes", variable: "KGUARD_VERBOSE")
  static let help = OptionSpec("--help", short: "-h", "show this help")

  /// Everywhere.
  static let common = [root, state, config, output, yes, noColor, plain, verbose, help]
  static let dryRun = OptionSpec("--dry-run", "say what would happen, and change nothing")
}

/// What a person typed, understood.
struct Invocation: Sendable {
  var command: [String]
  var arguments: [String: String] = [:]
  var options: [String: [String]] = [:]

  func has(_ option: OptionSpec) -> Bool { options[option.name] != nil }
  func value(_ option: OptionSpec) -> String? { options[option.name]?.last }
  func values(_ option: OptionSpec) -> [String] { options[option.name] ?? [] }
  /// A file that `report` writes to may be named anything; it refuses this word itself.
  var isJSON: Bool { value(.output) == "json" }
}
