/// How a command ends; the raw value is the process's exit code.
public enum ExitStatus: Int32, Sendable, CaseIterable, Codable {
  case done = 0
  /// Failed; nothing of the cluster was changed.
  case failed = 1
  /// The command line, a playbook or the configuration is wrong.
  case usage = 2
  case preflightRefused = 3
  case rolledBack = 4
  case needsOperator = 5
  /// Another run holds this node, or an unfinished run comes first.
  case held = 6
  case interrupted = 7
  case verification = 8

  public var meaning: String {
    switch self {
    case .done: "done"
    case .failed: "failed; nothing of the cluster was changed"
    case .usage: "usage, playbook or configuration is wrong"
    case .preflightRefused: "preflight refused"
    case .rolledBack: "failed, and rolled back: the cluster is as it was"
    case .needsOperator: "needs an operator; the message says what to do next"
    case .held: "another run holds this node, or an unfinished run must be resumed or rolled back first"
    case .interrupted: "interrupted at a checkpoint; `kguard resume` goes on"
    case .verification: "verification failed (a bundle, a drill, a read-back)"
    }
  }
}

/// The one error type: what failed, why, and what to do next. It carries no secret.
public struct Failure: Error, Sendable, Equatable {
  public var exit: ExitStatus
  public var what: String
  public var why: String
  public var next: String
  /// True where trying again may help: a network that dropped, a server that was busy.
  public var isTransient: Bool

  public init(_ exit: ExitStatus = .failed, what: String, why: String, next: String, isTransient: Bool = false) {
    self.exit = exit
    self.what = what
    self.why = why
    self.next = next
    self.isTransient = isTransient
  }

  /// The same failure, seen from a level that knows better what was being done.
  public func within(_ what: String) -> Failure {
    var outer = self
    outer.what = what
    outer.why = self.what + ": " + why
    return outer
  }
}

extension Failure: CustomStringConvertible {
  public var description: String { "\(what): \(why)" }
}

extension Failure {
  public var json: JSON {
    ["what": .string(what), "why": .string(why), "next": .string(next), "exit": .int(Int64(exit.rawValue))]
  }

  public init?(json: JSON) {
    guard let what = json["what"]?.string, let why = json["why"]?.string, let next = json["next"]?.string,
      let code = json["exit"]?.int, let exit = ExitStatus(rawValue: Int32(clamping: code))
    else { return nil }
    self.init(exit, what: what, why: why, next: next)
  }
}
