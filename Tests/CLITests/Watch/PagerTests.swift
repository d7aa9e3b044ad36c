import Glibc
import Host
import Model
import Testing

/// Long output on a real terminal, which `script` makes.
@Suite(.enabled(if: access("/usr/bin/script", X_OK) == 0, "`script` of bsdutils is not installed"))
struct `Pager` {
  let bench = Bench()

  init() throws {
    let file = try bench.write(
      "p.yaml", "name: p\nsteps:\n  - {id: a, shell: 'i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo line $i; done'}\n")
    for _ in 0..<3 { #expect(try bench.kguard("playbook", "run", file).exit == 0) }
  }

  /// What is seen on a terminal of so many rows, where the pager marks each line that it gets.
  func seen(_ arguments: String, rows: Int, environment: [String: String] = ["KGUARD_PAGER": "sed 's/^/paged: /'"]) throws -> String {
    let line = "stty rows \(rows) cols 100; exec '\(Bench.binary)' \(arguments) --state '\(bench.state)'"
    let result = try runCaptured(
      "/usr/bin/script",
      Command(
        ["script", "-qec", line, "/dev/null"],
        environment: bench.command([]).environment.merging(environment) { $1 }.merging(["TERM": "xterm"]) { $1 }))
    #expect(result.end.isSuccess, "\(result.text)")
    return result.text
  }

  @Test(arguments: ["history", "show", "logs"])
  func `is used where the output does not fit`(command: String) throws {
    let long = try seen(command, rows: 4)
    let lines = long.split(whereSeparator: \.isNewline)
    #expect(lines.count > 3 && lines.allSatisfy { $0.hasPrefix("paged: ") }, "\(long)")
    let short = try seen(command, rows: 200)
    #expect(!short.contains("paged:"))
    let unmarked = lines.map { $0.dropFirst("paged: ".count) }.filter { !$0.isEmpty }
    #expect(unmarked == short.split(whereSeparator: \.isNewline))
  }

  @Test func `is not used where it is not wanted, or where nobody looks`() throws {
    #expect(try !seen("logs --no-pager", rows: 4).contains("paged:"))
    #expect(try seen("logs", rows: 4, environment: ["KGUARD_PAGER": "cat", "PAGER": "false"]).contains("line 30"))
    #expect(try seen("logs", rows: 4, environment: ["PAGER": "sed 's/^/paged: /'"]).contains("paged: line 30"))
    #expect(try bench.kguard("logs", environment: ["KGUARD_PAGER": "sed s/^/paged:/"]).output.contains("\nline 30\n"))
  }

  @Test func `may be left before the end`() throws {
    #expect(try seen("logs", rows: 4, environment: ["KGUARD_PAGER": "head -n 2"]).contains("line 1"))
  }

  @Test func `variables stand for options, and what is neither yes nor no is refused`() throws {
    let wrong = try bench.kguard("history", environment: ["KGUARD_YES": "maybe"])
    #expect(wrong.exit == 2 && wrong.errors.contains("the variable KGUARD_YES is `maybe`: it is 1 or 0"), "\(wrong.errors)")
    let file = try bench.write("p.yaml", "name: p\nsteps:\n  - {id: a, run: [echo, heard]}\n")
    #expect(try bench.kguard("playbook", "run", file, environment: ["KGUARD_VERBOSE": "1"]).errors.contains("a| heard"))
    #expect(try !bench.kguard("playbook", "run", file, environment: ["KGUARD_VERBOSE": "0"]).errors.contains("a| heard"))
  }
}
