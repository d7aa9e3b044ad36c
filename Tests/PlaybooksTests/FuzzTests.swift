import Model
import Playbooks
import Testing
import YAML

@Suite struct `Random texts` {
  static let tokens = [
    "name", "steps", "id", "action", "run", "shell", "with", "when", "inputs", "config", "retries", "check", "undo", "env", "offsite",
    "etcd",
    "encryption", "values", "${", "}", "${inputs.version}", "${steps.a.b}", "${config.offsite.0.url}", "$${", "!", "==", "and", "not", ": ",
    "- ",
    "\n", "\n  ", "\n    ", "{", "}", "[", "]", ",", "\"", "'", "|", ">", "~", "true", "5", "-1", "99999999999999999999", "30s", "\t", "#",
    "\0",
    "é", "\u{2028}", "\u{feff}", "v\\d{9}", "on-failure: rollback", "kubeadm/apply", "s3://a:b@c/d", "\r",
  ]

  /// Takes, doubles, swaps and puts in pieces, so that what comes out is nearly right.
  static func mutated(_ text: String, _ random: inout Seeded) -> String {
    var scalars = Array(text.unicodeScalars)
    for _ in 0..<Int.random(in: 1...6, using: &random) {
      let from = Int.random(in: 0...scalars.count, using: &random)
      let to = min(scalars.count, from + Int.random(in: 0...12, using: &random))
      switch Int.random(in: 0...4, using: &random) {
      case 0: scalars.removeSubrange(from..<to)
      case 1: scalars.insert(contentsOf: scalars[from..<to], at: from)
      case 2: scalars.insert(contentsOf: (tokens.randomElement(using: &random) ?? "").unicodeScalars, at: from)
      case 3: scalars.replaceSubrange(from..<to, with: (tokens.randomElement(using: &random) ?? "").unicodeScalars)
      default: scalars[from..<to].reverse()
      }
    }
    return String(String.UnicodeScalarView(scalars))
  }

  @Test func `no playbook crashes the loader, and what is loaded loads again`() throws {
    var random = Seeded(2026)
    var good = 0
    for _ in 0..<10_000 {
      let text = Self.mutated(upgrade, &random)
      do throws(PlaybookProblems) {
        let playbook = try Playbook.load(text: text, file: "f", catalogue: catalogue)
        good += 1
        #expect(try playbook == Playbook.load(text: playbook.text, file: "f", catalogue: catalogue))
        _ = Graph.mermaid(playbook) + Graph.dot(playbook)
        for step in playbook.steps { _ = try? step.when?.holds(scope) }
      } catch {
        #expect(!error.mistakes.isEmpty)
        let positions = error.mistakes.map(\.position)
        #expect(positions == positions.sorted() && positions.allSatisfy { $0.line > 0 && $0.column > 0 })
      }
    }
    #expect(good > 100, "the mutations leave nothing that is right")
  }

  @Test func `no configuration crashes the loader`() {
    var random = Seeded(34)
    for _ in 0..<5_000 {
      do throws(PlaybookProblems) {
        _ = try Configuration.load(text: Self.mutated(wholeConfiguration, &random), file: "f").json.text()
      } catch {
        #expect(!error.mistakes.isEmpty)
      }
    }
  }

  @Test func `noise crashes nothing`() {
    var random = Seeded(9)
    for _ in 0..<5_000 {
      let text = (0..<Int.random(in: 0...40, using: &random)).map { _ in Self.tokens.randomElement(using: &random) ?? "" }.joined()
      _ = try? Playbook.load(text: text, file: "f", catalogue: catalogue)
      _ = try? Configuration.load(text: text, file: "f")
      _ = try? Condition(parsing: text)
      _ = try? Template(parsing: text)
    }
  }
}
