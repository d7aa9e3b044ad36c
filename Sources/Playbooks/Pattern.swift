public import Model

/// A small regular expression: characters, `.`, `[…]`, `\d \w \s \D \W \S`, groups, `|`, `*`, `+`, `?`, `{m,n}`. It matches a whole text,
/// in time proportional to the text, with memory bounded by the pattern: no pattern and no text can exhaust the machine, which
/// glibc's regcomp does not promise (`((a{200}){200}){200}`).
public struct Pattern: Sendable, Equatable {
  public static let maximumLength = 200
  static let maximumSize = 4000

  public let source: String
  let program: [Instruction]

  enum Instruction: Sendable, Equatable {
    case one(CharacterSet)
    case jump(Int)
    case split(Int, Int)
    case match
  }

  /// What one character may be.
  struct CharacterSet: Sendable, Equatable {
    var ranges: [ClosedRange<UInt32>] = []
    var isNegated = false

    func contains(_ scalar: Unicode.Scalar) -> Bool { ranges.contains { $0.contains(scalar.value) } != isNegated }
  }

  public init(_ source: String) throws(Failure) { try self.init(source, maximumLength: Self.maximumLength) }

  init(_ source: String, maximumLength: Int) throws(Failure) {
    var parser = PatternParser(source, maximumLength: maximumLength)
    do throws(PatternParser.Wrong) {
      self.program = try parser.program()
    } catch {
      throw Failure(
        .usage, what: "cannot read the pattern `\(source.prefix(Self.maximumLength))`", why: error.why,
        next: "correct it; a pattern knows characters, [a-z], \\d \\w \\s, ( ), |, *, +, ? and {m,n}")
    }
    self.source = source
  }

  /// Whether the whole text matches.
  public func matches(_ text: String) -> Bool {
    var threads = Threads(count: program.count)
    add(0, &threads)
    for scalar in text.unicodeScalars {
      if threads.list.isEmpty { return false }
      var next = Threads(count: program.count)
      for at in threads.list {
        if case .one(let set) = program[at], set.contains(scalar) { add(at + 1, &next) }
      }
      threads = next
    }
    return threads.list.contains { program[$0] == .match }
  }

  private struct Threads {
    var list: [Int] = []
    var isThere: [Bool]
    init(count: Int) { isThere = Array(repeating: false, count: count) }
  }

  /// Follows jumps and splits from `start`; a list of its own instead of recursion, since patterns nest.
  private func add(_ start: Int, _ threads: inout Threads) {
    var open = [start]
    while let at = open.popLast() {
      guard !threads.isThere[at] else { continue }
      threads.isThere[at] = true
      switch program[at] {
      case .jump(let to): open.append(to)
      case .split(let a, let b):
        open.append(b)
        open.append(a)
      case .one, .match: threads.list.append(at)
      }
    }
  }
}
