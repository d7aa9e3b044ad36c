/// What a word of the command line is, for a shell that completes it. Where a command does not say, the placeholder does: `RUN`, `FILE`.
enum Completes: Sendable, Equatable {
  case nothing
  case words([String])
  case run(Runs)
  case step
  case bundle(Bundles, orPath: Bool = false)
  case playbook
  case check
  /// A release of Kubernetes.
  case version
  /// An off-site store of the configuration.
  case target
  /// A resource of Kubernetes that the newest bundle holds.
  case resource
  case file
  case directory

  enum Runs: Sendable {
    case all
    /// Those that no other run rolls back.
    case parents
    case unfinished
  }

  enum Bundles: Sendable {
    case here
    /// Those too that are left off-site only.
    case anywhere
  }

  init(placeholder: String) {
    switch placeholder {
    case "RUN": self = .run(.all)
    case "STEP": self = .step
    case "BUNDLE": self = .bundle(.here)
    case "PLAYBOOK": self = .playbook
    case "VERSION": self = .version
    case "FILE": self = .file
    case "DIR": self = .directory
    default:
      let words = placeholder.split(separator: "|").map(String.init)
      let isChoice = words.count > 1 && words.allSatisfy { $0.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "-" } }
      self = isChoice ? .words(words) : .nothing
    }
  }
}
