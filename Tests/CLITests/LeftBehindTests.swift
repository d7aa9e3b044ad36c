import Glibc
import Host
import Model
import Testing

/// Commands that outlive whoever started them: never are two at work at once, and nothing is put back beside one.
@Suite struct `A command left behind` {
  let bench = Bench()

  func isThere(_ name: String) -> Bool { (try? Files.exists(bench.path + "/" + name)) == true }
  func text(_ name: String) throws -> String { try Files.textIfPresent(bench.path + "/" + name) ?? "" }

  /// A run that waits for the file `go`, with a rollback.
  func start() throws -> Int32 {
    try Files.makeDirectory(bench.path + "/root/etc/kguard/playbooks")
    _ = try bench.write(
      "root/etc/kguard/playbooks/back.yaml",
      "name: back\nsteps:\n  - {id: back, shell: \"test -e ended && echo after >> back || echo beside >> back\"}\n")
    let file = try bench.write(
      "forth.yaml",
      """
      name: forth
      steps:
        - id: wait
          shell: |
            echo begun >> begun
            while ! test -e go; do sleep 0.02; done
            echo ended >> ended
            exit 3
          on-failure: rollback
      rollback: back

      """)
    let pid = try bench.start("playbook", "run", file, environment: root)
    try bench.wait("the step to begin") { isThere("begun") }
    return pid
  }

  @Test func `leaves a run that says what comes next, and a question that nobody hears`() throws {
    let pid = try start()
    _ = try bench.write("go", "")
    _ = Spawn.wait(pid)
    let file = try bench.write("good.yaml", "name: good\nsteps:\n  - {id: a, run: [\"true\"], on-failure: rollback}\nrollback: back\n")
    let good = try bench.kguard("playbook", "run", file, environment: root)
    let run = try #require(try bench.status()["run"]?.string)
    #expect(good.exit == 0 && good.errors.contains("`kguard rollback \(run)` takes it back"), "\(good.errors)")
    let asked = try bench.kguard("rollback", environment: root)
    #expect(asked.exit == 2 && asked.errors.contains(" UTC?\u{201d}: this is no terminal\n"), "\(asked.errors)")
    #expect(asked.errors.hasPrefix("error: nobody can be asked here \u{201c}Roll back run \(run) (good), begun "), "\(asked.errors)")
  }

  @Test func `is not passed over by a rollback that guesses`() throws {
    let pid = try start()
    _ = try bench.write("go", "")
    #expect(Spawn.wait(pid) == .exited(4))
    let good = try bench.write("good.yaml", "name: good\nsteps:\n  - {id: a, run: [\"true\"], on-failure: rollback}\nrollback: back\n")
    #expect(try bench.kguard("playbook", "run", good, environment: root).exit == 0)
    let run = try #require(try bench.status()["run"]?.string)
    // Refused before it did anything, as by a preflight.
    let refused = try bench.write(
      "bad.yaml",
      """
      name: bad
      steps:
        - {id: a, run: ["false"], changes: false}
        - {id: b, run: ["true"], on-failure: rollback}
      rollback: back

      """)
    #expect(try bench.kguard("playbook", "run", refused, environment: root).exit == 1)
    let backs = try text("back")
    let unclear = try bench.kguard("rollback", "--yes", environment: root)
    #expect(unclear.exit == 2 && unclear.errors.contains("(bad), ended before it changed anything"), "\(unclear.errors)")
    #expect(unclear.errors.contains("`kguard rollback \(run)` rolls back the one before it that did: good, begun "), "\(unclear.errors)")
    #expect(try text("back") == backs)
    #expect(try bench.kguard("rollback", run, "--yes", environment: root).exit == 0)
    #expect(try text("back") == backs + backs)
    // Now nothing stands, and the newest is meant.
    #expect(try bench.kguard("rollback", "--yes", environment: root).exit == 0)
    #expect(try bench.status()["state"] == "rolled-back")
  }

  var root: [String: String] { ["KGUARD_ROOT": bench.path + "/root"] }

  @Test func `is waited for by the rollback, and its end is written down`() throws {
    let pid = try start()
    kill(pid, SIGTERM)
    #expect(Spawn.wait(pid) == .exited(7))
    let rollback = try bench.start("rollback", "--yes", environment: root)
    try bench.wait("the rollback to say that it waits") { try text("background.log").contains("waiting for") }
    #expect(!isThere("back"))
    // Of a step that may be cut it is said how.
    #expect(try text("background.log").contains("waiting for the command of the step wait (process "))
    #expect(try text("background.log").contains("; `kill "))
    // Who does not want to wait can come back later.
    kill(rollback, SIGTERM)
    #expect(Spawn.wait(rollback) == .exited(7))
    #expect(!isThere("back") && !isThere("ended"))
    #expect(try bench.status()["state"] == "interrupted")

    let again = try bench.start("rollback", "--yes", environment: root)
    _ = try bench.write("go", "")
    let ended = Spawn.wait(again)
    let log = try text("background.log")
    #expect(ended == .exited(0), "\(log)")
    #expect(try text("back") == "after\n")
    let status = try bench.status()
    #expect(status["state"] == "rolled-back")
    #expect(status["steps"]?[0]?["state"] == "failed")
    #expect(status["steps"]?[0]?.at("error", "why") == "its command ended with exit status 3")
  }

  @Test func `is waited for though its supervisor is dead`() throws {
    let pid = try start()
    kill(pid, SIGKILL)
    _ = Spawn.wait(pid)
    let supervisor = try JSON(parsing: try #require(try Files.textIfPresent(bench.state + "/supervisor.json")))
    kill(Int32(try #require(supervisor.at("process", "pid")?.int)), SIGKILL)
    let rollback = try bench.start("rollback", "--yes", environment: root)
    try bench.wait("the rollback to say that it waits") { try text("background.log").contains("waiting for") }
    #expect(!isThere("back"))
    _ = try bench.write("go", "")
    let ended = Spawn.wait(rollback)
    let log = try text("background.log")
    #expect(ended == .exited(0), "\(log)")
    #expect(try text("back") == "after\n")
  }

  /// What a step leaves running when its time is up: it notes whether it ever meets another of its kind.
  static let survivors = [
    ("in its group", "sh -c"), ("in a session of its own", "setsid sh -c"), ("in a group of its own", "setsid -f sh -c"),
  ]

  @Test(arguments: survivors.map(\.1)) func `is gone as a whole before the next attempt begins`(start: String) throws {
    let file = try bench.write(
      "stubborn.yaml",
      """
      name: stubborn
      steps:
        - id: stubborn
          shell: |
            if test -e survivor && grep -q '^State:.[^ZX]' /proc/$(cat survivor)/status; then touch two; fi
            rm -f survivor
            \(start) 'trap "" TERM; echo $$ > survivor.part; mv survivor.part survivor; while true; do sleep 0.05; done' &
            while ! test -e survivor; do sleep 0.02; done
            sleep 100
          timeout: 1s
          retries: {max: 1, backoff: 1ms}
          changes: false

      """)
    // The grace period is ten seconds, twice.
    let outcome = try bench.kguard("playbook", "run", file)
    #expect(outcome.exit == 1, "\(outcome.errors)")
    #expect(outcome.errors.contains("attempt 2"), "\(outcome.errors)")
    #expect(!isThere("two"))
    let last = try #require(Int32(try text("survivor").filter(\.isNumber)))
    #expect(ProcessIdentity.of(last) == nil)
  }

  @Test func `by one that ended well is a daemon, and nobody waits for it or ends it`() throws {
    let file = try bench.write(
      "daemon.yaml",
      """
      name: daemon
      steps:
        - id: daemon
          shell: |
            sleep 300 >/dev/null 2>&1 & echo $! > daemon
        - id: slow
          run: ["sleep", "100"]
          timeout: 300ms
          on-failure: continue
        - id: last
          run: ["touch", "last"]

      """)
    let began = monotonicNow()
    let outcome = try bench.kguard("playbook", "run", file)
    let daemon = try #require(Int32(try text("daemon").filter(\.isNumber)))
    defer { kill(daemon, SIGKILL) }
    #expect(outcome.exit == 0, "\(outcome.errors)")
    #expect(monotonicNow() - began < .seconds(10))
    #expect(isThere("last"))
    #expect(ProcessIdentity.of(daemon) != nil)
  }

  @Test func `whose supervisor is lost again and again has ended before the step fails`() throws {
    let file = try bench.write(
      "lost.yaml",
      """
      name: lost
      steps:
        - id: lost
          shell: |
            test -e running && touch two
            touch running
            echo begun >> begun
            kill -9 $PPID
            sleep 0.5
            rm running

      """)
    let outcome = try bench.kguard("playbook", "run", file)
    #expect(outcome.exit == 5, "\(outcome.errors)")
    #expect(try text("begun") == "begun\nbegun\nbegun\nbegun\n")
    #expect(!isThere("two") && !isThere("running"))
  }
}

/// What an own step says about itself.
@Suite struct `An own step` {
  let bench = Bench()

  func run(_ steps: String) throws -> Bench.Outcome {
    try bench.kguard("playbook", "run", try bench.write("own.yaml", "name: own\nsteps:\n\(steps)\n"))
  }

  @Test func `that was begun may have changed the cluster, unless it says that it does not`() throws {
    let failed = try run("  - {id: change, run: [\"touch\", \"changed\"]}\n  - {id: fails, run: [\"false\"], changes: false}")
    #expect(failed.exit == 5, "\(failed.errors)")
    #expect(try bench.status()["state"] == "needs-operator")
    let other = `An own step`()
    let harmless = try other.run("  - {id: look, run: [\"true\"], changes: false}\n  - {id: fails, run: [\"false\"], changes: false}")
    #expect(harmless.exit == 1, "\(harmless.errors)")
    #expect(try other.bench.status()["state"] == "failed")
  }

  @Test func `with a check that hangs is given up in its time`() throws {
    let began = monotonicNow()
    let outcome = try run(
      """
        - id: asks
          run: ["touch", "acted"]
          check: ["sh", "-c", "trap '' TERM; exec >/dev/null 2>&1; while true; do sleep 0.1; done"]
          timeout: 1s
          changes: false
      """)
    #expect(outcome.exit == 1, "\(outcome.errors)")
    #expect(outcome.errors.contains("cannot say whether the step is in effect"), "\(outcome.errors)")
    #expect(outcome.errors.contains("took longer than"))
    #expect(monotonicNow() - began < .seconds(20))
    #expect(try !Files.exists(bench.path + "/acted"))
  }

  @Test(arguments: [#"["sh", "-c", "kill -9 $$"]"#, #"["sh", "-c", "no-such-program"]"#, #"["no-such-program"]"#])
  func `with a check that cannot answer does not act`(check: String) throws {
    let outcome = try run("  - id: asks\n    run: [\"touch\", \"acted\"]\n    check: \(check)\n    changes: false")
    #expect(outcome.exit == 1, "\(outcome.errors)")
    #expect(try !Files.exists(bench.path + "/acted"))
  }

  @Test func `is judged rightly where SIGCHLD was ignored by whoever started kguard`() throws {
    let file = try bench.write(
      "own.yaml", "name: own\nsteps:\n  - {id: asks, run: [\"touch\", \"acted\"], check: [\"true\"]}\n  - {id: acts, run: [\"true\"]}\n")
    let command = bench.command(["playbook", "run", file])
    let result = try runCaptured(
      "/usr/bin/env",
      Command(
        ["env", "--ignore-signal=CHLD", Bench.binary] + command.argv.dropFirst(), environment: command.environment, directory: bench.path))
    #expect(result.end.isSuccess, "\(result.errorText)")
    #expect(try !Files.exists(bench.path + "/acted"))
  }
}

@Suite struct `A new state directory` {
  @Test func `is made by one of several kguards that start at once`() throws {
    for _ in 0..<4 {
      let bench = Bench()
      let file = try bench.write("one.yaml", "name: one\nsteps:\n  - {id: one, run: [\"true\"]}\n")
      let pids = try (0..<4).map { _ in try bench.start("playbook", "run", file) }
      let ends = pids.map { Spawn.wait($0) }
      let log = try Files.textIfPresent(bench.path + "/background.log") ?? ""
      #expect(ends.contains(.exited(0)), "\(log)")
      #expect(ends.allSatisfy { [.exited(0), .exited(6)].contains($0) }, "\(ends) \(log)")
      #expect(!log.contains("already exists"))
    }
  }
}
