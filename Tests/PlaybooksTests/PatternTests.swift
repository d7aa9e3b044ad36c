import Model
import Playbooks
import Testing

@Suite struct `Patterns` {
  @Test(arguments: [
    ("v\\d+\\.\\d+\\.\\d+", "v1.34.1", true), ("v\\d+\\.\\d+\\.\\d+", "v1.34.1-rc.0", false), ("v\\d+\\.\\d+\\.\\d+", "xv1.34.1", false),
    ("v\\d+\\.\\d+\\.\\d+", "v1.34.1\n", false), ("v\\d", "v٣", false), ("^a$", "a", true), ("", "", true), ("", "a", false),
    ("a|bc|", "bc", true), ("a|bc|", "", true), ("a|bc|", "b", false), ("(ab)*c", "ababc", true), ("(?:ab)+", "", false),
    ("[a-c_-]+", "a-_b", true), ("[^a-c]", "d", true), ("[^a-c]", "b", false), ("[]x]", "]", true), ("[\\d.]+", "1.2", true),
    ("\\w+\\s\\W", "ab_9 -", true), ("\\D\\S", "1x", false), ("a{2}", "aa", true), ("a{2}", "aaa", false), ("a{2,}", "aaaa", true),
    ("a{0,2}", "", true), ("a{1,2}b", "aaab", false), ("a?b", "b", true), (".", "é", true), (".", "\n", false), ("\\.", "x", false),
    ("\\x41", "A", true), ("(a|b(c|d))e", "bde", true), ("(){9999}a", "a", true),
    ("(a?){50}a{50}", String(repeating: "a", count: 50), true),
  ])
  func `the whole text matches or does not`(pattern: String, text: String, matches: Bool) throws {
    #expect(try Pattern(pattern).matches(text) == matches)
  }

  @Test(arguments: [
    "(", ")", "[", "[]", "a**", "*a", "a|*", "\\", "\\b", "\\1", "(?=a)", "a{2,1}", "a{", "a{x}", "{2}", "[z-a]", "[[:alpha:]]", "a^b",
    "a$b",
    "[\\D]", "\\x4", "a{9999}", "(((a{99}){99}){99}){99}", String(repeating: "a", count: 201),
  ])
  func `what is no pattern is refused`(pattern: String) {
    #expect(throws: Failure.self) { try Pattern(pattern) }
  }

  /// Backtracking takes longer than the universe has lasted for these.
  @Test(arguments: ["(a*)*b", "(a|a)*b", "(a|aa)+b", "((a?){60}){20}b", "(.*)(.*)(.*)(.*)(.*)b"])
  func `no text takes long`(pattern: String) throws {
    #expect(try !Pattern(pattern).matches(String(repeating: "a", count: 2000)))
  }

  @Test func `random patterns never crash it`() {
    var random = Seeded(42)
    let tokens = Array("ab01.\\dwx()[]{}|*+?^$-,:=é")
    for _ in 0..<20_000 {
      let source = String((0..<Int.random(in: 0...20, using: &random)).compactMap { _ in tokens.randomElement(using: &random) })
      if let pattern = try? Pattern(source) { _ = pattern.matches("ab01é") }
    }
  }
}
