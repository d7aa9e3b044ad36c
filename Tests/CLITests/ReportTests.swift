import Cluster
import Engine
import Glibc
import Host
import Model
import Testing

@testable import CLI

/// What a page must be, whatever it tells.
func checkPage(_ page: String, _ comment: Comment? = nil) {
  #expect(page.hasPrefix("<!DOCTYPE html>"), comment)
  #expect(page.hasSuffix("</html>\n"), comment)
  // Self-contained, and not a program.
  for forbidden in ["<script", "<link", "<img", "<iframe", "src=", "href=", "url(http", "@import", "onload"] {
    #expect(!page.contains(forbidden), "\(forbidden)")
  }
  #expect(page.contains("default-src 'none'"), comment)
  // Every element that is opened is closed, in order.
  var open: [Substring] = []
  let single: Set<Substring> = ["meta", "rect", "line"]
  for part in page.drop(while: { $0 != "\n" }).split(separator: "<").dropFirst() where part.first?.isLetter == true || part.first == "/" {
    let name = part.drop { $0 == "/" }.prefix { $0.isLetter || $0.isNumber }
    let tag = part.prefix { $0 != ">" }
    if part.hasPrefix("/") {
      #expect(open.last == name, comment)
      open.removeLast(open.isEmpty ? 0 : 1)
    } else if !single.contains(name) && !tag.hasSuffix("/") {
      open.append(name)
    }
  }
  #expect(open.isEmpty, comment)
}

@Suite struct `The report` {
  let bench = Bench()

  func run(_ steps: String, _ name: String = "p", environment: [String: String] = [:]) throws -> Bench.Outcome {
    let file = try bench.write("\(name).yaml", "name: \(name)\nsteps:\n\(steps)")
    return try bench.kguard("playbook", "run", file, environment: environment)
  }

  func page(_ run: String? = nil) throws -> String {
    let result = try run.map { try bench.kguard("report", $0) } ?? bench.kguard("report")
    #expect(result.exit == 0, "\(result.errors)")
    checkPage(result.output)
    return result.output
  }

  func ticket() throws -> String { try bench.kguard("report", "--format", "markdown").output }

  static let fine = "  - {id: a, run: [\"echo\", \"hello\"]}\n  - {id: b, run: [\"true\"]}\n"

  @Test func `of a run that went well says so, and shows each step`() throws {
    #expect(try run(Self.fine).exit == 0)
    let page = try page()
    #expect(page.contains("<b>✓ succeeded</b><p>The run of the playbook p succeeded in "))
    #expect(page.contains("<svg class=\"timeline\" role=\"img\""))
    #expect(page.contains("<title>a (run): succeeded, "))
    #expect(page.contains("<pre>hello\n</pre>"))
    #expect(page.contains("<b>2 of 2</b>steps done"))
    let ticket = try ticket()
    #expect(ticket.hasPrefix("<!-- kguard report -->\n# p: succeeded\n"))
    #expect(ticket.contains("| ✓ | a | "))
  }

  @Test func `of a run that failed shows every attempt, what it printed, and what never began`() throws {
    let steps =
      "  - {id: a, run: [\"sh\", \"-c\", \"echo broken; exit 4\"], retries: {max: 2, backoff: 10ms}, changes: false}\n  - {id: b, run: [\"true\"]}\n"
    #expect(try run(steps).exit == 1)
    let page = try page()
    #expect(page.contains("<b>✗ failed, nothing changed</b>"))
    #expect(page.contains("at the step a, and nothing of the cluster was changed."))
    #expect(page.contains("failed (3 attempts)"))
    #expect(page.split(separator: "class=\"bar at bad\"").count == 4)
    #expect(page.contains("Not begun: b."))
    #expect(try ticket().contains("**Cause:** `sh` failed: exit status 4; its last line: broken"))
  }

  @Test func `quotes what kubeadm said before its farewell, and names the command that shows the rest`() throws {
    let script = try bench.write(
      "kubeadm.sh",
      """
      echo 'failed to pull image "r/kube-apiserver:v1.28.9": output: E0101 ... code = NotFound'
      echo 'level=fatal msg="pulling image: not found"'
      echo ', error: exit status 1'
      echo 'To see the stack trace of this error execute with --v=5 or higher'
      exit 1
      """)
    let run = try run("  - {id: pull, run: [\"sh\", \"\(script)\"], changes: false}\n")
    let id = try #require(bench.status()["run"]?.string)
    #expect(run.errors.contains("`sh` failed: exit status 1; it said: level=fatal msg=\"pulling image: not found\"\n"), "\(run.errors)")
    #expect(run.errors.contains("hint: read its output: `kguard logs \(id) pull`, or \(bench.state)/"), "\(run.errors)")
    #expect(
      try self.run("  - {id: a, run: [\"sh\", \"-c\", \"echo To see the stack trace; exit 1\"], changes: false}\n", "q").errors
        .contains("its last line: To see the stack trace\n"))
  }

  @Test func `of a run that was cut off, goes on, or was not begun says what it is`() throws {
    let crash = try run(Self.fine, environment: ["KGUARD_FAILPOINT": "b/effect.before=crash"])
    #expect(crash.wasKilled)
    #expect(try page().contains("was cut off in the step b: the kguard that worked on it is gone. <code>kguard resume</code> goes on."))
    #expect(try bench.kguard("resume").exit == 0)
    #expect(try page().contains("nobody saw its end") == false)
    let file = try bench.write(
      "w.yaml",
      "name: w\nsteps:\n  - {id: long, shell: \"while [ ! -e \(bench.path)/go ]; do sleep 0.05; done\"}\n  - {id: z, run: [\"true\"]}\n")
    let pid = try bench.start("playbook", "run", file)
    try bench.wait("the step") { try bench.status().at("steps")?[0]?["state"] == "started" && bench.status()["active"] == true }
    let running = try page()
    #expect(running.contains("is under way in the step long; 0 of 2 steps are done."))
    #expect(running.contains("▸ running"))
    _ = try bench.write("go", "")
    _ = Spawn.wait(pid)
    #expect(try page().contains("✓ succeeded"))
    // An end that was asked for.
    #expect(try run(Self.fine, "q", environment: ["KGUARD_FAILPOINT": "run/start.after=crash"]).wasKilled)
    #expect(try page().contains("was cut off"))
  }

  @Test func `shows what anybody printed as text, and no secret in it`() throws {
    let script = try bench.write(
      "evil.sh",
      """
      echo '<script>alert(1)</script> & "quoted" </pre></details>'
      printf '\\033[31mred\\033[0m \\342\\200\\256reversed\\n'
      echo 'kubeadm join --token abcdef.0123456789abcdef --certificate-key 00ff00ff'
      echo 'password=hunter2,more Authorization: Bearer eyJhbGci.x.y'
      echo 'Basic checks of the bearer: Bearer eyJhbGciOiJIUzI1NiJ9.e30'
      echo 'the token is kept, and a sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'
      echo '-----BEGIN RSA PRIVATE KEY-----'
      echo 'bm90IGEga2V5'
      echo '-----END RSA PRIVATE KEY-----'
      echo 'AGE-SECRET-KEY-1QQQQ'
      echo 'https://joe:geheim@example.org/x'
      exit 4
      """)
    #expect(try run("  - {id: \"a\", run: [\"sh\", \"\(script)\"], changes: false}\n").exit == 1)
    let page = try page()
    #expect(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quoted&quot; &lt;/pre&gt;&lt;/details&gt;"))
    #expect(page.contains("\nred reversed\n"))
    #expect(page.contains("Basic checks of the bearer: Bearer (hidden)\n"))
    #expect(page.contains("the token is kept, and a sha256:0123456789abcdef"))
    let all = try page + ticket()
    for secret in [
      "abcdef.0123456789abcdef", "00ff00ff", "hunter2", "more Auth", "eyJhbGci", "e30", "bm90IGEga2V5", "QQQQ", "geheim", "\u{1b}",
      "\u{202e}",
    ] {
      #expect(!all.contains(secret), "\(secret)")
    }
  }

  @Test func `of a thousand steps is bounded, and still names the one that failed`() throws {
    var steps = ""
    for number in 0..<1000 {
      steps += "  - {id: s\(number), run: [\"\(number == 700 ? "false" : "true")\"]\(number == 700 ? ", on-failure: continue" : "")}\n"
    }
    let file = try bench.write("many.yaml", "name: many\nsteps:\n" + steps)
    #expect(try bench.kguard("playbook", "run", file, timeout: .seconds(180)).exit == 0)
    let page = try page()
    #expect(page.utf8.count < 400_000)
    #expect(page.contains("✗ s700"))
    #expect(page.contains("and 920 more steps"))
    #expect(page.contains("though the step s700 failed, as the playbook allows"))
    #expect(try ticket().utf8.count < 20_000)
  }

  @Test func `quotes only the end of a long log`() throws {
    #expect(try run("  - {id: a, shell: \"seq 1 200000\"}\n").exit == 0)
    let page = try page()
    #expect(page.utf8.count < 60_000)
    #expect(page.contains("\n200000\n</pre>"))
    #expect(page.contains("the last 8.0"))
  }

  @Test func `is written whole, for its owner only, over an older report and over nothing else`() throws {
    #expect(try run(Self.fine).exit == 0)
    let path = bench.path + "/report.html"
    // Whatever the shell's mask is.
    let written = try runCaptured(
      "/bin/sh",
      Command(["sh", "-c", "umask 0; exec \"$0\" report -o \"$1\" --state \"$2\"", Bench.binary, path, bench.state]))
    #expect(written.end.isSuccess, "\(written.errorText)")
    #expect(try Files.info(path)?.mode == 0o600)
    checkPage(try #require(try Files.textIfPresent(path)))
    // Over itself, also by another format and through a link.
    #expect(symlink(path, bench.path + "/link") == 0)
    #expect(try bench.kguard("report", "--format", "markdown", "--output", bench.path + "/link").exit == 0)
    #expect(try Files.textIfPresent(path)?.hasPrefix("<!-- kguard report -->") == true)
    #expect(try Files.info(bench.path + "/link", followLinks: false)?.kind == .link)
    #expect(try bench.kguard("report", "-o", path).exit == 0)
    let other = try bench.write("notes.txt", "mine\n")
    let refused = try bench.kguard("report", "-o", other)
    #expect(refused.exit == 2)
    #expect(refused.errors.contains("nobody can be asked here \u{201c}\(other) is no report of kguard. Replace it?\u{201d}"))
    #expect(try Files.textIfPresent(other) == "mine\n")
    #expect(try bench.kguard("report", "-o", other, "--yes").exit == 0)
    #expect(try Files.textIfPresent(other)?.hasPrefix("<!DOCTYPE html>") == true)
    #expect(try bench.kguard("report", "-o", bench.path).errors.contains("it is a directory"))
    let nowhere = try bench.kguard("report", "-o", bench.path + "/none/r.html")
    #expect(nowhere.exit == 1)
    #expect(
      nowhere.errors == "error: cannot write the report to \(bench.path)/none/r.html: No such file or directory\nhint: check the path\n")
    // The name says the format, where nothing else does.
    #expect(try bench.kguard("report", "-o", bench.path + "/ticket.md").exit == 0)
    #expect(try Files.textIfPresent(bench.path + "/ticket.md")?.hasPrefix("<!-- kguard report -->") == true)
    #expect(try bench.kguard("report", "-o", bench.path + "/page.md", "--format", "html").exit == 0)
    #expect(try Files.textIfPresent(bench.path + "/page.md")?.hasPrefix("<!DOCTYPE html>") == true)
    #expect(try Files.list(bench.path).filter { $0.contains(".part") }.isEmpty)
  }

  @Test func `goes to standard output without a file, and says what is wrong with a line`() throws {
    #expect(try bench.kguard("report").exit == 2)
    #expect(try run(Self.fine).exit == 0)
    let dash = try bench.kguard("report", "-o", "-").output
    checkPage(dash)
    // Only the time at its foot differs.
    func body(_ page: String) -> Substring { page.split(separator: "<footer>")[0] }
    #expect(try body(dash) == body(page()))
    let json = try bench.kguard("report", "-o", "json")
    #expect(json.exit == 2)
    #expect(json.errors.contains("`kguard show -o json`"))
    #expect(try bench.kguard("report", "--format", "pdf").errors.contains("say html or markdown"))
    #expect(try bench.kguard("report", "nosuch").exit == 2)
    // Elsewhere the words stay what they were.
    #expect(try bench.kguard("show", "-o", "report.html").exit == 2)
  }
}

@Suite struct `The availability in words` {
  @Test(arguments: [
    ("1000 up\n", "The API server was asked once, and answered."),
    ("1000 down\n", "The API server was asked once, and did not answer."),
    ("1000 up\n2000 up\n", "The API server answered all the time. It was asked 2 times, once a second."),
    (
      "1000 up\n2000 up\n40000 up\n",
      "The API server answered whenever it was asked. It was asked 3 times, once a second; nobody asked it for 38 s."
    ),
    (
      "1000 up\n2000 down\n",
      "The API server did not answer once, for how long is not known. It was asked 2 times, once a second."
    ),
    ("1000 up\n2000 down\n4000 up\n", "The API server was away for 2.0 s. It was asked 3 times, once a second."),
    (
      "1000 down\n2000 up\n3000 down\n4000 down\n",
      "The API server was away for 2.0 s in 2 outages, the longest 1.0 s. It was away when it was asked last. "
        + "It was asked 4 times, once a second."
    ),
  ])
  func `is plain`(samples: String, words: String) throws {
    let bench = Bench()
    let run = try #require(RunID("06fbw9m9r"))
    let state = StateDirectory(bench.path)
    try Files.makeDirectory(state.directory(of: run))
    try Files.replace(state.directory(of: run) + "/availability", with: Array("boot a\nwall 0 50000\n\(samples)".utf8))
    #expect(Story.words(try #require(AvailabilityRecord.read(state, run))) == words)
  }
}
