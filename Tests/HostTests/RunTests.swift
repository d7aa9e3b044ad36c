import Glibc
import Host
import Model
import Testing

@Suite struct `A short command` {
  private func sh(_ script: String) -> Command { Command(["sh", "-c", script]) }

  @Test func `is ended when its time is up, even where it has closed its streams and ignores SIGTERM`() throws {
    let began = monotonicNow()
    let result = try runCaptured(
      "/bin/sh", sh("trap '' TERM; exec >/dev/null 2>&1; while true; do sleep 0.1; done"), timeout: .milliseconds(300))
    #expect(result.timedOut)
    #expect(result.end == .signalled(SIGKILL))
    #expect(monotonicNow() - began < .seconds(20))
  }

  @Test func `that has ended is no matter of time, though a child of it keeps its output open`() throws {
    let result = try runCaptured("/bin/sh", sh("setsid sleep 3 & echo $!"), timeout: .milliseconds(500))
    #expect(result.end.isSuccess && !result.timedOut)
    if let pid = Int32(result.text.filter(\.isNumber)) { kill(pid, SIGKILL) }
  }

  @Test func `is stopped when somebody asks`() throws {
    let stop = StopSignal()
    stop.ask(.now, reason: "a test")
    let began = monotonicNow()
    #expect(try runCaptured("/bin/sh", sh("sleep 60"), stop: stop).end == .signalled(SIGTERM))
    #expect(monotonicNow() - began < .seconds(20))
  }

  @Test func `whose end somebody else has taken is an error, and no exit status`() throws {
    let pid = try Spawn.start("/bin/sh", sh("exit 0"), output: .null, error: .null)
    #expect(try Spawn.reap(pid) == .exited(0))
    #expect(throws: Failure.self) { try Spawn.reap(pid) }
    #expect(throws: Failure.self) { try Spawn.hasEnded(pid) }
  }
}
