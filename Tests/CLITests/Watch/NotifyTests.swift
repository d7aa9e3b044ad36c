import Glibc
import Host
import Model
import Testing

private let good = "name: good\nsteps:\n  - {id: a, run: [\"true\"]}\n"
private let bad = "name: bad\nsteps:\n  - {id: a, run: [\"false\"], changes: false}\n"

/// Who is told of a run, by webhooks and commands that are really there, or are not.
@Suite struct `Notifications` {
  let bench = Bench()

  func run(_ playbook: String, _ notify: String, environment: [String: String] = [:]) throws -> Bench.Outcome {
    let config = try bench.write("config.yaml", notify)
    chmod(config, 0o600)
    return try bench.kguard("playbook", "run", try bench.write("p.yaml", playbook), "--config", config, environment: environment)
  }

  /// What the run has of notifications in its events.
  func lost() throws -> [JSON] {
    let shown = try JSON(parsing: try bench.kguard("show", "-o", "json").output)
    return (shown["events"]?.array ?? []).filter { $0["type"] == "notification-failed" }.compactMap { $0["data"] }
  }

  @Test func `a webhook is told of the beginning and the end, in JSON that chats show`() throws {
    let hook = try Webhook(bench, "200")
    #expect(try run(good, "notify: [{webhook: 'http://127.0.0.1:\(hook.port)/T0/secret'}]\n").exit == 0)
    #expect(try hook.events() == ["start running 200", "success succeeded 200"])
    let last = try #require(try hook.requests().last)
    let id = try #require(try bench.status()["run"]?.string)
    #expect(last["path"] == "/T0/secret" && last["type"] == "application/json")
    #expect(last.at("body", "id") == .string("\(id)/success/succeeded"))
    #expect(last.at("body", "text")?.string?.hasSuffix(": good (run \(id)) succeeded") == true)
    #expect(try lost() == [])
  }

  @Test func `a failure says what, why and what next, to those who want failures only`() throws {
    let hook = try Webhook(bench, "204")
    #expect(try run(bad, "notify: [{webhook: 'http://127.0.0.1:\(hook.port)/x', on: [failure, rollback]}]\n").exit == 1)
    #expect(try hook.events() == ["failure failed 204"])
    let body = try #require(try hook.requests().last?["body"])
    #expect(body.at("error", "what") == "`false` failed")
    #expect(body["text"]?.string?.contains("failed: `false` failed: exit status 1") == true)
  }

  @Test func `a webhook that errs is asked again, and one that refuses is not`() throws {
    let weak = try Webhook(bench, "500", "503", "200")
    #expect(try run(good, "notify: [{webhook: 'http://127.0.0.1:\(weak.port)/x', on: [success]}]\n").exit == 0)
    #expect(try weak.events() == ["success succeeded 500", "success succeeded 503", "success succeeded 200"])
    #expect(try Set(weak.requests().map { $0.at("body", "id")?.string }).count == 1)
    #expect(try lost() == [])

    let closed = try Webhook(bench, "404")
    let outcome = try run(good, "notify: [{webhook: 'http://127.0.0.1:\(closed.port)/T0/secret', on: [success]}]\n")
    #expect(outcome.exit == 0)
    #expect(outcome.errors.contains("warning: webhook 1 (127.0.0.1:\(closed.port)) was not told of success: it answers 404"))
    #expect(!outcome.errors.contains("secret"))
    #expect(try closed.requests().count == 1)
    #expect(try lost().map { $0["why"] } == ["it answers 404"])
  }

  @Test func `one that hangs or is not there neither fails the run nor holds it up for long, and no secret is shown`() throws {
    let hook = try Webhook(bench, "hang")
    let refused = try Webhook(bench, "200").port
    let start = monotonicNow()
    let outcome = try run(
      good, "notify:\n  - {webhook: 'http://127.0.0.1:\(hook.port)/T0/secret'}\n  - {webhook: 'http://127.0.0.1:\(refused)/T0/secret'}\n")
    #expect(outcome.exit == 0)
    #expect(monotonicNow() - start < .seconds(20))
    #expect(outcome.errors.contains("run ") && outcome.errors.contains("warning: webhook 2"))
    let shown = try bench.kguard("show", "-o", "json").output
    #expect(!outcome.errors.contains("secret") && !shown.contains("secret"))
    #expect(try lost().count == 4, "start and success, to both")
    // The run itself was done long before.
    let took = try #require(try JSON(parsing: shown)["steps"]?.array?.first)
    #expect(took["state"] == "succeeded")
  }

  @Test func `older news gives way: what cannot be told of the beginning does not keep the end from being tried`() throws {
    let refused = try Webhook(bench, "200").port
    #expect(try run(good, "notify: [{webhook: 'http://127.0.0.1:\(refused)/x'}]\n").exit == 0)
    let lost = try lost()
    #expect(lost.map { $0["event"] } == ["start", "success"])
    #expect(lost.first?["attempts"] == 1)
    #expect(lost.last?["attempts"]?.int ?? 0 >= 3, "\(lost)")
    #expect(lost.first?["why"]?.string?.hasSuffix("; newer news waited") == true, "\(lost)")
  }

  @Test func `an older delivery that hangs leaves time for the end of the run, whoever else hangs`() throws {
    let (hook, other) = (try Webhook(bench, "hang", "200"), try Webhook(bench, "hang", "204"))
    let start = monotonicNow()
    let notify = [hook, other].map { "{webhook: 'http://127.0.0.1:\($0.port)/x'}" }.joined(separator: ", ")
    #expect(try run(good, "notify: [\(notify)]\n").exit == 0)
    #expect(monotonicNow() - start < .seconds(9))
    #expect(try hook.events() == ["start running hang", "success succeeded 200"])
    #expect(try other.events() == ["start running hang", "success succeeded 204"])
    #expect(try lost().map { $0["event"] } == ["start", "start"])
  }

  @Test func `a command gets the event on standard input and in its environment`() throws {
    let script = try bench.write(
      "tell", "#!/bin/sh\necho \"$KGUARD_EVENT $KGUARD_RUN_STATE $KGUARD_RUN_PLAYBOOK $1\" >> told\ncat >> told.json\n")
    chmod(script, 0o755)
    #expect(try run(bad, "notify: [{command: ['\(script)', 'a b']}]\n").exit == 1)
    #expect(try Files.textIfPresent(bench.path + "/told") == "start running bad a b\nfailure failed bad a b\n")
    let lines = try #require(try Files.textIfPresent(bench.path + "/told.json")).split(separator: "\n")
    #expect(try lines.map { try JSON(parsing: String($0))["event"] } == ["start", "failure"])
  }

  @Test func `a command that fails is run again, and one that hangs is ended with its children`() throws {
    let script = try bench.write("flaky", "#!/bin/sh\necho x >> tries\n[ $(wc -l < tries) -ge 2 ]\n")
    let hang = try bench.write("hang", "#!/bin/sh\nsleep 3600 & echo $! > pid\nwait\n")
    for file in [script, hang] { chmod(file, 0o755) }
    let outcome = try run(good, "notify:\n  - {command: ['\(script)'], on: [success]}\n  - {command: ['\(hang)'], on: [success]}\n")
    #expect(outcome.exit == 0)
    #expect(try Files.textIfPresent(bench.path + "/tries") == "x\nx\n")
    let written = try Files.textIfPresent(bench.path + "/pid") ?? ""
    let pid = try #require(Int32(written.filter(\.isNumber)))
    try bench.wait("the hanging command's child to be gone") { ProcessIdentity.of(pid)?.isAlive != true }
    #expect(try lost().map { $0["to"] } == [JSON.string("command 2 (\(hang))")])
  }

  @Test func `over TLS the certificate is verified, and the token and the URL come from files`() throws {
    let (certificate, key) = (bench.path + "/hook.crt", bench.path + "/hook.key")
    let made = try runCaptured(
      "/usr/bin/openssl",
      Command([
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", certificate, "-keyout", key,
      ]))
    #expect(made.end.isSuccess, "\(made.errorText)")
    let hook = try Webhook(bench, "200", tls: (certificate, key))
    for (name, text) in [("url", "https://127.0.0.1:\(hook.port)/T0/secret\n"), ("token", "hunter2\n")] {
      chmod(try bench.write(name, text), 0o600)
    }
    let entry = "webhook-file: '\(bench.path)/url', token-file: '\(bench.path)/token', on: [success]"
    #expect(try run(good, "notify: [{\(entry), ca-file: '\(certificate)'}]\n").exit == 0)
    #expect(try hook.events() == ["success succeeded 200"])
    #expect(try hook.requests().first?["authorization"] == "Bearer hunter2")

    let doubted = try run(good, "notify: [{\(entry)}]\n")
    #expect(doubted.exit == 0)
    #expect(doubted.errors.contains("warning: webhook 1 was not told of success"), "\(doubted.errors)")
    #expect(try hook.requests().count == 1)
    let journal = try bench.kguard("show", "-o", "json").output
    for text in [doubted.errors, journal] { #expect(!text.contains("secret") && !text.contains("hunter2")) }
    for wrong in ["http://127.0.0.1.example/secret", "http://localhost@hooks.example/secret", "secret"] {
      chmod(try bench.write("url", wrong + "\n"), 0o600)
      let refused = try run(good, "notify: [{\(entry)}]\n")
      #expect(refused.exit == 0 && refused.errors.contains("/url holds no https:// URL"), "\(refused.errors)")
      #expect(!refused.errors.contains("secret"))
    }
    chmod(bench.path + "/token", 0o644)
    #expect(try run(good, "notify: [{\(entry)}]\n").exit == 2)
  }

  @Test func `of a run that is resumed the end is told, and not its beginning again`() throws {
    let hook = try Webhook(bench, "200")
    let config = "notify: [{webhook: 'http://127.0.0.1:\(hook.port)/x'}]\n"
    #expect(try run(good, config, environment: ["KGUARD_FAILPOINT": "a/effect.after=crash"]).wasKilled)
    #expect(try bench.kguard("resume", "--config", bench.path + "/config.yaml").exit == 0)
    #expect(try hook.events().last == "success succeeded 200")
    #expect(try hook.events().count { $0.hasPrefix("start") } <= 1)
  }

  @Test func `an interruption is told to nobody, and waits for nobody`() throws {
    let hook = try Webhook(bench, "hang")
    let config = try bench.write("config.yaml", "notify: [{webhook: 'http://127.0.0.1:\(hook.port)/x'}]\n")
    chmod(config, 0o600)
    let file = try bench.write(
      "p.yaml", "name: p\nsteps:\n  - {id: a, shell: 'echo > begun; while ! test -e go; do sleep 0.02; done; echo > ended'}\n")
    let pid = try bench.start("playbook", "run", file, "--config", config)
    try bench.wait("the start to be told") { try hook.requests().count == 1 }
    try bench.wait("the step to run") { try Files.exists(bench.path + "/begun") }
    kill(pid, SIGTERM)
    let start = monotonicNow()
    #expect(Spawn.wait(pid) == .exited(7))
    #expect(monotonicNow() - start < .seconds(8))
    #expect(try hook.events() == ["start running hang"])
    // The command went on by itself.
    _ = try bench.write("go", "")
    try bench.wait("the command to end") { try Files.exists(bench.path + "/ended") }
  }
}
