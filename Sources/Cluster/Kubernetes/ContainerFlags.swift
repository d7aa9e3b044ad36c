/// The flags of a container's command line, in order, unknown ones kept: `--flag=value`, `--flag value`, `--flag`; one dash too.
public struct ContainerFlags: Sendable, Equatable {
  public struct Flag: Sendable, Equatable {
    /// Without dashes.
    public let name: String
    /// Nil where the flag stands alone.
    public let value: String?
  }

  public let program: String
  public let flags: [Flag]
  /// Words that belong to no flag.
  public let others: [String]

  /// Flags that take no value in the next word. Any other flag takes the next word if that is not a flag itself.
  static let switches: Set<String> = [
    "client-cert-auth", "peer-client-cert-auth", "auto-tls", "peer-auto-tls", "force-new-cluster", "pre-vote", "strict-reconfig-check",
    "enable-v2", "enable-pprof", "enable-grpc-gateway", "debug", "unsafe-no-fsync", "experimental-initial-corrupt-check",
    "experimental-enable-lease-checkpoint", "allow-privileged", "enable-bootstrap-token-auth", "profiling", "anonymous-auth",
    "leader-elect", "allocate-node-cidrs", "use-service-account-credentials",
  ]

  public init(_ words: [String]) {
    program = words.first ?? ""
    var flags: [Flag] = []
    var others: [String] = []
    var rest = words.dropFirst()
    var isOver = false
    while let word = rest.popFirst() {
      guard !isOver, let body = Self.body(of: word) else {
        if word == "--" { isOver = true } else { others.append(word) }
        continue
      }
      if let equals = body.firstIndex(of: "=") {
        flags.append(Flag(name: String(body[..<equals]), value: String(body[body.index(after: equals)...])))
      } else if !Self.switches.contains(String(body)), let next = rest.first, !next.hasPrefix("-") {
        rest = rest.dropFirst()
        flags.append(Flag(name: String(body), value: next))
      } else {
        flags.append(Flag(name: String(body), value: nil))
      }
    }
    self.flags = flags
    self.others = others
  }

  private static func body(of word: String) -> Substring? {
    guard word.hasPrefix("-"), word != "-", word != "--" else { return nil }
    return word.dropFirst(word.hasPrefix("--") ? 2 : 1)
  }

  /// The value of a flag; where it comes twice, the last counts, as for Go's flags.
  public subscript(name: String) -> String? { flags.last { $0.name == name && $0.value != nil }?.value }

  public func has(_ name: String) -> Bool { flags.contains { $0.name == name } }

  /// True where a switch is on: alone, or with a value that Go reads as true.
  public func isOn(_ name: String) -> Bool {
    guard let flag = flags.last(where: { $0.name == name }) else { return false }
    return flag.value.map { ["1", "t", "T", "true", "TRUE", "True"].contains($0) } ?? true
  }

  /// A value that is a list with commas.
  public func list(_ name: String) -> [String] {
    (self[name] ?? "").split(separator: ",").map { $0.trimmed }.filter { !$0.isEmpty }
  }
}

extension Substring {
  var trimmed: String {
    var rest = self
    while rest.first?.isWhitespace == true { rest.removeFirst() }
    while rest.last?.isWhitespace == true { rest.removeLast() }
    return String(rest)
  }
}
