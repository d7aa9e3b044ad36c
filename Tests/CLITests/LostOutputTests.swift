import Glibc
import Host
import Model
import Testing

/// Standard output that takes nothing: /dev/full, as a full disk.
@Suite struct `Output that is lost` {
  let bench = Bench()

  init() throws {
    let file = try bench.write("p.yaml", "name: p\nsteps:\n  - {id: a, run: [\"echo\", \"hello\"]}\n")
    #expect(try bench.kguard("playbook", "run", file).exit == 0)
  }

  func shell(_ script: String, _ arguments: String) throws -> CommandResult {
    var command = bench.command([])
    let words = arguments.split(separator: " ").map(String.init)
    command.argv = ["bash", "-c", script, Bench.binary] + words + ["--state", bench.state]
    return try runCaptured("/bin/bash", command)
  }

  static let why = """
    error: cannot write all of the output: No space left on device
    hint: free space on that filesystem, then run the same command again

    """

  @Test(arguments: [
    "", "--help", "version", "version -o json", "completion bash", "history", "status", "status -o json", "show", "show -o json", "logs",
    "report",
    "report --format markdown", "metrics", "playbook schema", "playbook list", "config check", "playbook run p.yaml --dry-run",
  ])
  func `is told where the output is all that there is`(arguments: String) throws {
    let result = try shell("\"$0\" \"$@\" > /dev/full", arguments)
    #expect(result.end == .exited(1) && result.errorText.hasSuffix(Self.why), "\(result.end): \(result.errorText)")
  }

  @Test func `is told where there is no standard output at all`() throws {
    let closed = try shell("\"$0\" \"$@\" >&-", "version")
    #expect(closed.end == .exited(1) && closed.errorText.contains("hint: give it a standard output"), "\(closed.errorText)")
  }

  @Test func `does no harm to what is under way, on either stream`() throws {
    #expect(try shell("\"$0\" \"$@\" > /dev/full 2> /dev/full", "playbook run p.yaml -o json").end == .exited(0))
    #expect(try bench.status()["state"] == "succeeded")
    #expect(try shell("\"$0\" \"$@\" > /dev/full", "key new \(bench.path)/key.txt").end == .exited(0))
    #expect(try shell("\"$0\" \"$@\" 2> /dev/full", "bundle list").end == .exited(0))
  }

  @Test func `is nothing where the reader went away, and no other end is hidden by it`() throws {
    let gone = try shell("{ sleep 0.3; exec \"$0\" \"$@\"; } | true; exit ${PIPESTATUS[0]}", "report")
    #expect(gone.end == .exited(0) && gone.errorText == "", "\(gone.end): \(gone.errorText)")
    let wrong = try shell("\"$0\" \"$@\" > /dev/full", "show nosuch -o json")
    #expect(wrong.end == .exited(2) && wrong.errorText.hasPrefix("error: there is no run `nosuch`"), "\(wrong.errorText)")
  }
}
