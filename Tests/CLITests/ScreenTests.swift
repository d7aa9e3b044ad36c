import Glibc
import Host
import Model
import Testing

@testable import CLI

/// What a person sees on a terminal of its own.
struct SeenScreen {
  let screens: [String]
  let last: String
  /// Letters that stood beyond the right edge.
  let wrapped: Int64
  /// How often something was drawn over.
  let erased: Int64
  let exit: Int64

  static let program = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/Tests/Servers/terminal.py"

  init(_ bench: Bench, _ arguments: [String], columns: Int, rows: Int = 24, environment: [String: String] = [:]) throws {
    let python = try LocalMachine().require(program: "python3")
    let command = bench.command(arguments, environment: environment)
    let argv = ["python3", Self.program, String(columns), String(rows), "--", Bench.binary] + command.argv.dropFirst()
    let result = try runCaptured(
      python,
      Command(argv, environment: command.environment.merging(["TERM": environment["TERM"] ?? "xterm"]) { $1 }, directory: bench.path),
      timeout: .seconds(60))
    let json = try JSON(parsing: result.text)
    screens = (json["screens"]?.array ?? []).compactMap(\.string)
    last = json["last"]?.string ?? ""
    wrapped = json["wrapped"]?.int ?? -1
    erased = json["erased"]?.int ?? -1
    exit = json["exit"]?.int ?? -1
  }
}

@Suite struct `The screen of a run` {
  let bench = Bench()

  /// Waits in its second step until the file `go` is there.
  func playbook() throws -> String {
    try bench.write(
      "p.yaml",
      """
      name: p
      steps:
        - {id: first, run: ["echo", "over"]}
        - {id: a-rather-long-name-of-a-step, shell: "echo 'a line of the command → that is longer than a narrow terminal, and goes on and on'; sleep 1.2"}
        - {id: last, run: ["true"]}
      """)
  }

  @Test(arguments: [60, 80, 120, 200])
  func `fits its width, shows the command's last line, what comes next and what Ctrl-C does, and leaves a clean log`(columns: Int) throws {
    let seen = try SeenScreen(bench, ["playbook", "run", try playbook()], columns: columns)
    #expect(seen.exit == 0)
    #expect(seen.wrapped == 0)
    let busy = try #require(seen.screens.first { $0.contains("│ a line of the command") }, "\(seen.screens)")
    #expect(busy.contains("✓ first"))
    #expect(busy.contains("▸ a-rather-long-name-of-a"))
    #expect(busy.contains("· last"))
    #expect(busy.contains("Ctrl-C stops here"))
    #expect(busy.split(separator: "\n").allSatisfy { $0.count <= columns })
    #expect(!seen.last.contains("Ctrl-C"))
    #expect(!seen.last.contains("│"))
    #expect(seen.last.hasSuffix("succeeded\n"))
  }

  @Test func `of a run that is resumed does not show as waiting what was done before, and claims nothing of own commands`() throws {
    let killed = try bench.kguard(
      "playbook", "run", try playbook(), environment: ["KGUARD_FAILPOINT": "a-rather-long-name-of-a-step/start.before=crash"])
    #expect(killed.wasKilled)
    let seen = try SeenScreen(bench, ["resume"], columns: 80)
    #expect(seen.exit == 0)
    #expect(seen.last.contains("1 of 3 steps were done before"))
    let busy = try #require(seen.screens.first { $0.contains("│ a line of the command") }, "\(seen.screens)")
    #expect(busy.contains("· last") && !busy.contains("· first"), "\(busy)")
    #expect(busy.contains("Ctrl-C stops here; `kguard resume` goes on") && !busy.contains("unchanged"), "\(busy)")
  }

  @Test func `is ASCII where the locale is, and the same`() throws {
    let seen = try SeenScreen(bench, ["playbook", "run", try playbook()], columns: 80, environment: ["LC_ALL": "C"])
    #expect(seen.screens.allSatisfy { $0.utf8.allSatisfy { $0 < 0x80 } })
    #expect(seen.screens.contains { $0.contains("-> a-rather-long-name-of") && $0.contains("| a line of the command -> that") })
    #expect(seen.last.contains("ok first"))
  }

  @Test(arguments: [(["--plain"], [:]), ([], ["TERM": "dumb"]), ([], ["KGUARD_PLAIN": "1"])] as [([String], [String: String])])
  func `draws nothing over for a screen reader or a dumb terminal`(options: [String], environment: [String: String]) throws {
    let seen = try SeenScreen(bench, ["playbook", "run", try playbook()] + options, columns: 80, environment: environment)
    #expect(seen.exit == 0)
    #expect(seen.last.contains("first: succeeded in"))
    #expect(!seen.last.contains("✓"))
    // Every screen is the one before and more.
    #expect(zip(seen.screens, seen.screens.dropFirst()).allSatisfy { $1.hasPrefix($0) })
  }

  @Test func `is seen from a second terminal too, with the same step and line, until it ends`() throws {
    let file = try bench.write(
      "w.yaml",
      """
      name: w
      steps:
        - {id: first, run: ["true"]}
        - {id: long, shell: "echo the line that it printed; while [ ! -e \(bench.path)/go ]; do sleep 0.05; done"}
      """)
    let pid = try bench.start("playbook", "run", file)
    let live = { (try? Files.list(bench.state + "/runs"))?.first.map { bench.state + "/runs/\($0)/live.json" } }
    try bench.wait("the live record") { try live().flatMap { try Files.textIfPresent($0) }?.contains("the line that it printed") == true }
    // Somebody watches for a while; then the run ends, and so does the watch.
    startThread("ends the run") { [path = bench.path] in
      _ = StopSignal().sleep(.milliseconds(1500))
      try? Files.replace(path + "/go", with: [])
    }
    let seen = try SeenScreen(bench, ["status", "-w"], columns: 80)
    #expect(ProcessIdentity.of(pid)?.waitForEnd(.seconds(20)) ?? true)
    _ = Spawn.wait(pid)
    #expect(seen.exit == 0)
    let busy = try #require(seen.screens.first { $0.contains("│ the line that it printed") }, "\(seen.screens)")
    #expect(busy.contains("✓ first"))
    #expect(busy.contains("▸ long"))
    #expect(busy.contains("Watching: Ctrl-C leaves, the run goes on"))
    #expect(seen.last.contains("✓ long"))
    #expect(seen.last.contains("is succeeded, 2 of 2 steps done"))
    #expect(!seen.last.contains("Watching"))
    // The record of the moment goes with its writer.
    #expect(try !Files.exists(try #require(live())))
  }

  @Test func `of a kguard that was killed is not believed, and the watch says what to do`() throws {
    let file = try bench.write("k.yaml", "name: k\nsteps:\n  - {id: a, run: [\"true\"]}\n  - {id: b, run: [\"true\"]}\n")
    #expect(try bench.kguard("playbook", "run", file, environment: ["KGUARD_FAILPOINT": "b/effect.before=crash"]).wasKilled)
    let run = try #require(try bench.status()["run"]?.string)
    // As a writer that died would have left it, and as anybody could have written it.
    for text in [
      #"{"process":{"pid":1,"start":1,"boot":"x"},"run":"\#(run)","step":"b","line":"a lie","since":-5,"messages":[]}"#, "{", "", "[]",
      #"{"process":{"pid":99999999999,"start":-1,"boot":""},"run":7,"since":9223372036854775807}"#,
    ] {
      try Files.replace(bench.state + "/runs/\(run)/live.json", with: Array(text.utf8))
      let seen = try SeenScreen(bench, ["status", "-w"], columns: 120)
      #expect(seen.exit == 0)
      #expect(!seen.last.contains("a lie"))
      #expect(seen.last.contains("the kguard that worked on it is gone"))
      #expect(seen.last.contains("kguard resume"))
    }
  }
}

/// Commands that are no run, on a terminal and off it.
@Suite struct `What commands print on a terminal` {
  let bench = Bench()
  var root: String { bench.path + "/root" }

  /// A node of which not much is there, and two runs that failed with much to say.
  init() throws {
    try Files.makeDirectory(root + "/etc/kubernetes/manifests")
    _ = try bench.write("root/etc/kubernetes/kubelet.conf", "")
    _ = try bench.write("root/etc/kubernetes/manifests/kube-apiserver.yaml", "")
    let words = "words of a command that has a lot to say about what went wrong, where, and what it would have liked instead"
    let own = try bench.write(
      "own.yaml",
      """
      name: own
      inputs: {reason: {default: "a rather long reason for which somebody wanted this run on this very day"}}
      steps:
        - {id: first, run: ["true"], changes: false}
        - {id: a-long-name, shell: "echo '\(words)' >&2; exit 3", changes: false, retries: {max: 1, backoff: 1ms}}
      """)
    let set = "reason=another reason, which is at least as long as the first one was"
    #expect(try kguard("playbook", "run", own, "--set", set).exit == 1)
    let look = try bench.write("look.yaml", "name: look\nsteps:\n  - {id: look, action: node/preflight}\n")
    #expect(try kguard("playbook", "run", look).exit == 3)
  }

  @discardableResult
  func kguard(_ arguments: String..., locale: String = "C.UTF-8") throws -> Bench.Outcome {
    let command = bench.command(arguments, environment: ["KGUARD_ROOT": root, "LC_ALL": locale])
    let result = try runCaptured(Bench.binary, command)
    return Bench.Outcome(end: result.end, output: result.text, errors: result.errorText)
  }

  func see(_ line: String, columns: Int, environment: [String: String] = [:]) throws -> SeenScreen {
    let usual = ["KGUARD_ROOT": root, "KGUARD_PAGER": "cat", "PATH": "/usr/bin:/bin"]
    return try SeenScreen(
      bench, line.split(separator: " ").map(String.init), columns: columns, environment: usual.merging(environment) { $1 })
  }

  static let lines = [
    "", "status", "show", "check v1.28.0", "history", "playbook list", "upgrade v1.28.0 --dry-run", "--help", "bundle --help",
    "upgrade --help", "bundle pull --help",
  ]

  @Test(arguments: lines, [60, 80, 120])
  func `fits its width, and its words are not cut`(line: String, columns: Int) throws {
    let seen = try see(line, columns: columns)
    #expect(seen.wrapped == 0 && !seen.last.isEmpty, "\(seen.last)")
    #expect(seen.last.split(separator: "\n").allSatisfy { $0.count < columns }, "\(seen.last)")
  }

  @Test func `goes on below itself, and off a terminal is one line as ever`() throws {
    let seen = try see("check v1.28.0", columns: 60)
    #expect(
      seen.last.contains(
        """
        FAIL  programs            missing: kubeadm, kubelet, crictl
                                  → install them (crictl comes with
                                    the package cri-tools)

        """), "\(seen.last)")
    let piped = try kguard("check", "v1.28.0").output
    #expect(piped.contains("→ install them (crictl comes with the package cri-tools)\n"), "\(piped)")
    let status = try kguard("status").output
    #expect(status.split(separator: "\n").contains { $0.count > 200 }, "\(status)")
    let help = try see("bundle --help", columns: 200)
    #expect(help.last.split(separator: "\n").allSatisfy { $0.count <= 78 })
  }

  @Test(arguments: lines + ["report --format markdown", "show nothing", "check --ignore-check typo"])
  func `is ASCII where the locale is`(line: String) throws {
    let seen = try see(line, columns: 80, environment: ["LC_ALL": "C"])
    #expect(seen.last.utf8.allSatisfy { $0 < 0x80 } && !seen.last.contains("?? "), "\(seen.last)")
  }

  @Test func `is left as it is where it is a file`() throws {
    #expect(try kguard("report", "--format", "markdown", locale: "C").output.contains("✗"))
    #expect(try kguard("check", locale: "C").output.contains("\n                          -> install them"))
  }

  @Test func `progress is drawn over, or said now and then`() {
    let style = Style(color: false, unicode: true)
    let drawn = ProgressLine("verifying", style, isDrawnOver: true, at: .seconds(100))
    let half = Progress(done: 1 << 20, total: 2 << 20)
    #expect(drawn.text(half, at: .seconds(100)) == "\r\u{1b}[Kverifying: 1.00 MiB of 2.00 MiB")
    let plain = ProgressLine("verifying", style, isDrawnOver: false, at: .seconds(100))
    #expect(plain.text(half, at: .seconds(129)) == nil)
    #expect(plain.text(half, at: .seconds(130)) == "verifying: 1.00 MiB of 2.00 MiB\n")
    #expect(plain.text(half, at: .seconds(131)) == nil)
  }
}

@Suite struct `Words in lines` {
  @Test func `a command is broken only where it has no room`() {
    #expect(wrapped("say `kguard key new FILE` now", 12) == ["say `kguard", "key new", "FILE` now"])
    #expect(wrapped("say `kguard key new` now", 18) == ["say", "`kguard key new`", "now"])
    #expect(wrapped("an ` open one", 8) == ["an `", "open one"])
  }

  @Test func `colours take no room`() {
    let plain = "the run succeeded, and the cluster is as it was before it began, or is upgraded and healthy"
    let painted = plain.replacing("succeeded", with: "\u{1b}[1;32msucceeded\u{1b}[0m")
    #expect(
      prose(painted, within: 40).split(separator: "\n").map { printable(String($0)) }
        == prose(plain, within: 40).split(separator: "\n").map(String.init))
    #expect(prose("\u{1b}[31merror:\u{1b}[0m " + String(repeating: "x", count: 32), within: 40).contains("\n") == false)
    #expect(wrapped("\u{1b}[31mabcdefgh\u{1b}[0m", 5).map { printable($0) } == ["abcde", "fgh"])
  }

  @Test func `a detail goes below its head where there is little room`() {
    #expect(hanging("head  ", width: 6, "one two three", columns: nil) == "head  one two three")
    #expect(hanging("head  ", width: 6, "one two three", columns: 40) == "head  one two three")
    #expect(
      hanging("head  ", width: 6, "a detail of more words than fit into it", columns: 40)
        == "head  a detail of more words than fit\n      into it")
    #expect(
      hanging("a long head  ", width: 13, "a detail of more words", columns: 25) == "a long head  \n    a detail of more\n    words")
  }

  @Test func `the last column of a table goes on below itself`() {
    #expect(
      table([["A", "WHAT"], ["b", "words and more words"]], within: 28) == """
        A  WHAT
        b  words and more words

        """)
    #expect(table([["  one cell that is long", "another"]], within: 20) == "  one cell that\n      is long\n      another\n")
  }
}
