import Glibc
import Host
import Model
import Testing

/// What can happen to a run from outside, and that it loses nothing by it.
@Suite struct `Interruptions` {
  let bench = Bench()

  /// A step that runs until the file `go` is there, and counts how often it ran.
  func waiting(retries: String = "") throws -> String {
    try bench.write(
      "waiting.yaml",
      """
      name: waiting
      steps:
        - id: first
          run: ["true"]
        - id: wait
          shell: |
            echo begun >> begun
            while ! test -e go; do sleep 0.02; done
            echo ended >> ended
        - id: last
          run: ["touch", "last"]
      """)
  }

  func isThere(_ name: String) -> Bool { (try? Files.exists(bench.path + "/" + name)) == true }
  func lines(_ name: String) throws -> Int { (try Files.textIfPresent(bench.path + "/" + name) ?? "").split(separator: "\n").count }

  func startWaiting(_ environment: [String: String] = [:]) throws -> Int32 {
    let pid = try bench.start("playbook", "run", try waiting(), environment: environment)
    try bench.wait("the step to begin") { isThere("begun") }
    return pid
  }

  func expectSucceededOnce() throws {
    #expect(try bench.status()["state"] == "succeeded")
    #expect(try lines("begun") == 1)
    #expect(try lines("ended") == 1)
    #expect(isThere("last"))
  }

  @Test func `killed while a command runs, kguard waits for that command and reads its real end`() throws {
    let pid = try startWaiting()
    kill(pid, SIGKILL)
    _ = Spawn.wait(pid)
    let resumed = try bench.start("resume")
    // It is waiting, and must not have begun the step again.
    try bench.wait("resume to say that it waits") {
      (try Files.textIfPresent(bench.path + "/background.log") ?? "").contains("waiting for")
    }
    _ = try bench.write("go", "")
    #expect(Spawn.wait(resumed).isSuccess)
    try expectSucceededOnce()
  }

  @Test func `killed while a command runs that ends meanwhile, its end is not lost`() throws {
    let pid = try startWaiting()
    kill(pid, SIGKILL)
    _ = Spawn.wait(pid)
    _ = try bench.write("go", "")
    try bench.wait("the command to end") { isThere("ended") }
    #expect(try bench.kguard("resume").exit == 0)
    try expectSucceededOnce()
  }

  @Test func `killed together with its supervisor, kguard still waits for the command`() throws {
    let pid = try startWaiting()
    kill(pid, SIGKILL)
    _ = Spawn.wait(pid)
    let supervisor = try JSON(parsing: try #require(try Files.textIfPresent(bench.state + "/supervisor.json")))
    kill(Int32(try #require(supervisor.at("process", "pid")?.int)), SIGKILL)
    let resumed = try bench.start("resume")
    try bench.wait("resume to say that it waits") {
      (try Files.textIfPresent(bench.path + "/background.log") ?? "").contains("waiting for")
    }
    #expect(try lines("begun") == 1)
    _ = try bench.write("go", "")
    #expect(Spawn.wait(resumed).isSuccess)
    // How it ended nobody saw: a step without `check` runs again.
    #expect(try bench.status()["state"] == "succeeded")
    #expect(try lines("begun") == 2)
  }

  @Test func `after a reboot nothing is waited for, and the step runs again`() throws {
    let pid = try startWaiting()
    kill(pid, SIGKILL)
    _ = Spawn.wait(pid)
    // The power cut: everything of the session is gone, and no exit was written.
    let supervisor = try JSON(parsing: try #require(try Files.textIfPresent(bench.state + "/supervisor.json")))
    let session = Int32(try #require(supervisor.at("process", "pid")?.int))
    kill(session, SIGKILL)
    for pid in try Files.list("/proc").compactMap({ Int32($0) }) where ProcessStatus.of(pid)?.session == session { kill(pid, SIGKILL) }
    _ = try bench.write("go", "")
    let resumed = try bench.kguard("resume", environment: ["KGUARD_TEST_BOOT_ID": "00000000-another-boot"])
    #expect(resumed.exit == 0, "\(resumed.errors)")
    #expect(try lines("begun") == 2)
    #expect(try lines("ended") == 1)
  }

  @Test func `SIGHUP changes nothing`() throws {
    let pid = try startWaiting()
    kill(pid, SIGHUP)
    _ = try bench.write("go", "")
    #expect(Spawn.wait(pid).isSuccess)
    try expectSucceededOnce()
  }

  @Test func `SIGTERM leaves a run that can be resumed, and the command running`() throws {
    let pid = try startWaiting()
    kill(pid, SIGTERM)
    #expect(Spawn.wait(pid) == .exited(7))
    #expect(try bench.status()["state"] == "interrupted")
    _ = try bench.write("go", "")
    #expect(try bench.kguard("resume").exit == 0)
    try expectSucceededOnce()
  }

  @Test func `one Ctrl-C cancels a safe step, and resume does it again`() throws {
    let pid = try startWaiting()
    kill(pid, SIGINT)
    #expect(Spawn.wait(pid) == .exited(7))
    #expect(try bench.status()["state"] == "interrupted")
    _ = try bench.write("go", "")
    #expect(try bench.kguard("resume").exit == 0)
    #expect(try lines("begun") == 2)
    #expect(try lines("ended") == 1)
  }

  @Test func `a second kguard is told who has the node`() throws {
    let pid = try startWaiting()
    let second = try bench.kguard("playbook", "run", try waiting())
    #expect(second.exit == 6)
    #expect(second.errors.contains("process \(pid), run "))
    let resume = try bench.kguard("resume")
    #expect(resume.exit == 6)
    _ = try bench.write("go", "")
    #expect(Spawn.wait(pid).isSuccess)
    try expectSucceededOnce()
  }

  @Test func `an unfinished run comes before a new one`() throws {
    let pid = try startWaiting()
    kill(pid, SIGTERM)
    _ = Spawn.wait(pid)
    let new = try bench.kguard("playbook", "run", try waiting())
    #expect(new.exit == 6)
    #expect(new.errors.contains("kguard resume"))
    _ = try bench.write("go", "")
    #expect(try bench.kguard("resume").exit == 0)
  }

  @Test func `a stopped kguard can be taken over`() throws {
    let pid = try startWaiting()
    kill(pid, SIGSTOP)
    let held = try bench.kguard("resume")
    #expect(held.exit == 6)
    #expect(held.errors.contains("it is stopped"))
    _ = try bench.write("go", "")
    #expect(try bench.kguard("resume", "--take-over").exit == 0)
    #expect(Spawn.wait(pid) == .signalled(SIGKILL))
    try expectSucceededOnce()
  }

  @Test func `a stopped kguard that nobody can end notices when it wakes, and writes nothing`() throws {
    let pid = try startWaiting()
    kill(pid, SIGSTOP)
    try bench.wait("it to be stopped") { ProcessStatus.of(pid)?.state == "T" }
    _ = try bench.write("go", "")
    try bench.wait("the command to end") { isThere("ended") }
    // As from another container: the owner is not seen among the processes, and its lock is left behind.
    let taken = try bench.kguard("resume", "--take-over", environment: ["KGUARD_TEST_BOOT_ID": "seen-from-elsewhere"])
    #expect(taken.exit == 0, "\(taken.errors)")
    let before = try bench.kguard("show", "-o", "json").output
    kill(pid, SIGCONT)
    #expect(Spawn.wait(pid) == .exited(6))
    #expect((try Files.textIfPresent(bench.path + "/background.log") ?? "").contains("took over"))
    #expect(try bench.kguard("show", "-o", "json").output == before)
  }

  @Test(arguments: ["86400", "-86400"]) func `a clock that jumps between two processes upsets nothing`(offset: String) throws {
    let pid = try startWaiting()
    kill(pid, SIGTERM)
    _ = Spawn.wait(pid)
    _ = try bench.write("go", "")
    #expect(try bench.kguard("resume", environment: ["KGUARD_TEST_CLOCK_OFFSET": offset]).exit == 0)
    let next = try bench.kguard("playbook", "run", try waiting(), environment: ["KGUARD_TEST_CLOCK_OFFSET": offset])
    #expect(next.exit == 0)
    // The newest run is still the newest.
    let history = try bench.kguard("history", "-o", "json").output.split(separator: "\n")
    let newest = try JSON(parsing: String(history[0]))
    #expect(newest["run"] == (try bench.status()["run"]))
    #expect(history.count == 2)
  }

  @Test func `a command whose time is up is ended, by force where it must be`() throws {
    let file = try bench.write(
      "slow.yaml",
      """
      name: slow
      steps:
        - id: stubborn
          shell: trap '' TERM; echo $$ > pid; while true; do sleep 0.05; done
          timeout: 300ms
          changes: false
      """)
    // The grace period is ten seconds: this test takes as long.
    let outcome = try bench.kguard("playbook", "run", file)
    #expect(outcome.exit == 1)
    #expect(outcome.errors.contains("its time was up"))
    let pid = Int32((try Files.textIfPresent(bench.path + "/pid") ?? "").filter(\.isNumber)) ?? 0
    #expect(ProcessIdentity.of(pid) == nil)
  }

  @Test func `a command that prints 200 MB costs no memory`() throws {
    let file = try bench.write(
      "loud.yaml", "name: loud\nsteps:\n  - id: loud\n    shell: yes 0123456789012345678901234567890123456789 | head -c 200000000\n")
    var before = rusage()
    getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &before)
    let outcome = try runCaptured(
      "/usr/bin/env",
      Command(
        ["env", "bash", "-c", "ulimit -v 400000; exec \"$0\" \"$@\"", Bench.binary, "playbook", "run", file, "-v", "--state", bench.state],
        directory: bench.path),
      limit: 1 << 20)
    #expect(outcome.end.isSuccess, "\(outcome.errorText.suffix(300))")
    let run = try bench.status()["run"]?.string ?? ""
    #expect(try Files.info(bench.state + "/runs/\(run)/loud/1/output.log")?.size == 200_000_000)
  }
}

/// A full disk, for real: the state directory on a small tmpfs.
@Suite(.serialized) struct `A full disk` {
  let bench = Bench()

  static let mayMount = getuid() == 0

  @Test(.enabled(if: mayMount, "mounting a tmpfs needs root"), arguments: [0, 1, 2, 3, 4, 5, 6, 8, 12])
  func `fails a step before its effect, loses no outcome, and resumes`(freePages: Int) throws {
    mkdir(bench.state, 0o700)
    _ = try runCaptured("/bin/mount", Command(["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", bench.state]))
    defer { _ = try? runCaptured("/bin/umount", Command(["umount", "-l", bench.state])) }
    let file = try bench.write(
      "fill.yaml",
      """
      name: fill
      steps:
        - id: one
          shell: echo one >> effects
        - id: fill
          # Leaves a few pages free: the next write that needs more meets a full disk.
          shell: |
            dd if=/dev/zero of=state/ballast bs=4096 count=100000 2>/dev/null || true
            truncate -s -\(freePages * 4096) state/ballast
            echo fill >> effects
        - id: three
          shell: echo three >> effects
        - id: four
          shell: echo four >> effects
      """)
    let first = try bench.kguard("playbook", "run", file)
    let effects = try Files.textIfPresent(bench.path + "/effects") ?? ""
    #expect(first.exit != 0 || effects == "one\nfill\nthree\nfour\n")
    unlink(bench.state + "/ballast")
    if first.exit != 0 {
      #expect(first.errors.contains("disk is full") || first.errors.contains("No space left"), "\(first.errors)")
      let state = try bench.status()["state"]?.string ?? ""
      if state != "failed" { #expect(try bench.kguard("resume").exit == 0) }
    }
    // Whatever was done was done once; the step that could not be recorded was not begun.
    let after = (try Files.textIfPresent(bench.path + "/effects") ?? "").split(separator: "\n")
    #expect(after.filter { $0 == "one" }.count == 1)
    #expect(after.filter { $0 == "three" }.count <= 1)
    #expect(try bench.kguard("history").exit == 0)
  }

  /// Not even the reserve is left. With a little room the rollback is carried out; without any the exit says that it must be.
  @Test(.enabled(if: mayMount, "mounting a tmpfs needs root"), arguments: [0, 4, 400])
  func `without a reserve does not keep a rollback from being begun`(freePages: Int) throws {
    mkdir(bench.state, 0o700)
    _ = try runCaptured("/bin/mount", Command(["mount", "-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs", bench.state]))
    defer { _ = try? runCaptured("/bin/umount", Command(["umount", "-l", bench.state])) }
    try Files.makeDirectory(bench.path + "/root/etc/kguard/playbooks")
    _ = try bench.write("root/etc/kguard/playbooks/back.yaml", "name: back\nsteps:\n  - {id: back, run: [\"touch\", \"back\"]}\n")
    let file = try bench.write(
      "fill.yaml",
      """
      name: fill
      steps:
        - id: fill
          shell: |
            test -e filled && exit 3
            touch filled
            rm state/reserve
            dd if=/dev/zero of=state/ballast bs=4096 count=100000 2>/dev/null || true
            truncate -s -\(freePages * 4096) state/ballast
            exit 3
          on-failure: rollback
      rollback: back

      """)
    let root = ["KGUARD_ROOT": bench.path + "/root"]
    let first = try bench.kguard("playbook", "run", file, "-o", "json", environment: root)
    let last = try JSON(parsing: String(try #require(first.output.split(separator: "\n").last)))
    #expect(last["type"] == "result" && last["exit"] == .int(Int64(first.exit)), "\(last.text())")
    #expect([4, 5].contains(first.exit), "\(first.errors)")
    if freePages == 400 { #expect(first.exit == 4, "\(first.errors)") }
    if first.exit == 5 {
      unlink(bench.state + "/ballast")
      let resumed = try bench.kguard("resume", environment: root)
      #expect(resumed.exit == 4, "\(resumed.errors)")
    }
    #expect(try Files.exists(bench.path + "/back"))
    #expect(try bench.status()["state"] == "rolled-back")
  }
}
