internal import Glibc
internal import Host
internal import Model

/// The supervisor's side: the same binary, re-executed in a session of its own. It starts the commands that kguard asks for, one at
/// a time, and writes down how they end. If kguard dies, it sees its present command through to the end, and then ends too.
///
/// A command that ends by itself may leave a daemon behind. One that was told to end has ended when nothing of it is left.
///
/// Descriptor 3 is the channel to kguard, descriptor 4 the locked `child.lock`, which is free again when this process is gone.
public struct SupervisorProcess: ~Copyable {
  private let channel: LineChannel
  private let lock: FileLock
  private let state: StateDirectory
  private var own: SupervisorRecord
  private var commands = 0

  public static let argument = "--supervise"

  /// The process's whole life; returns its exit code. `state`: the state directory's path.
  public static func main(state path: String) -> Int32 {
    for number in [SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGPIPE] { signal(number, SIG_IGN) }
    for descriptor: Int32 in [3, 4] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    let state = StateDirectory(path)
    let lock = FileLock(adopting: 4, path: state.childLock)
    var supervisor = SupervisorProcess(
      channel: LineChannel(adopting: 3), lock: lock, state: state, own: SupervisorRecord(process: .current()))
    try? supervisor.own.write(state)
    supervisor.serve()
    _ = consume supervisor
    return 0
  }

  private mutating func serve() {
    while !channel.isClosed {
      guard let line = channel.receive(within: .seconds(3600)) else { continue }
      guard let json = try? JSON(parsing: line), let request = ChildRequest(json: json) else { continue }
      let reply: JSON
      do throws(Failure) {
        reply = try run(request).json
      } catch {
        reply = ["failure": error.json]
      }
      try? channel.send(reply.text())
    }
  }

  private mutating func run(_ request: ChildRequest) throws(Failure) -> ChildEnd {
    let files = ChildFiles(directory: request.attemptDirectory)
    commands += 1
    let mark = "\(own.process.pid)-\(own.process.start)-\(commands)"
    try requireLock()
    (own.busy, own.mark) = (request.attemptDirectory, mark)
    try own.write(state)
    defer {
      (own.busy, own.mark) = (nil, nil)
      // Where another took over, the record is its own.
      if (try? lock.isCurrent()) == true { try? own.write(state) }
    }
    // Whoever takes the lock of an idle supervisor looks once more whether it has begun; so does this one.
    try requireLock()
    // What an earlier command of the same attempt left says nothing about this one.
    for stale in [files.exit, files.child] { unlink(stale) }
    var command = request.command
    command.environment[CommandMark.variable] = mark
    let log = try OpenFile(files.log, O_WRONLY | O_CREAT | O_APPEND)
    try failpoint("child/spawn.before")
    let pid: Int32
    do throws(Failure) {
      pid = try Spawn.start(
        request.executable, command, output: .descriptor(log.descriptor), error: .descriptor(log.descriptor), leads: .group)
    } catch {
      try? record(ChildEnd(end: .exited(127)), files)
      throw error
    }
    try failpoint("child/spawn.after")
    let child = ProcessIdentity.of(pid) ?? ProcessIdentity(pid: pid, start: 0, boot: ProcessIdentity.currentBoot())
    try? files.write(
      ["child": child.json, "supervisor": ProcessIdentity.current().json, "argv": JSON(command.argv)], to: files.child, durable: false)
    let (timedOut, stopped) = attend(pid, mark, timeout: request.timeout, grace: request.grace)
    let end = ChildEnd(end: try Spawn.reap(pid), timedOut: timedOut, stopped: stopped)
    try failpoint("child/exit.before")
    try record(end, files)
    try failpoint("child/exit.after")
    return end
  }

  private func requireLock() throws(Failure) {
    if try lock.isCurrent() { return }
    throw Failure(.held, what: "this kguard stops", why: "another one took over the node", next: "follow it with `kguard status -w`")
  }

  /// While kguard is there, its journal keeps the outcome; without it, this file is all there is.
  private func record(_ end: ChildEnd, _ files: ChildFiles) throws(Failure) {
    do throws(Failure) {
      try files.write(end.json, to: files.exit, durable: channel.isClosed)
    } catch {
      if channel.isClosed { throw error }
    }
  }

  /// Waits until the child has ended, and ends its group where the time is up or kguard asks for it: TERM, grace, KILL.
  private func attend(_ pid: Int32, _ mark: String, timeout: Duration?, grace: Duration) -> (timedOut: Bool, stopped: Bool) {
    let start = monotonicNow()
    let watch = ChildWatch(pid)
    var timedOut = false, stopped = false
    var killAfter: Duration?
    while true {
      let elapsed = monotonicNow() - start
      if let after = killAfter, elapsed >= after {
        kill(-pid, SIGKILL)
        killAfter = elapsed + grace
      } else if killAfter == nil, let timeout, elapsed >= timeout {
        timedOut = true
        kill(-pid, SIGTERM)
        killAfter = elapsed + grace
      }
      let next = killAfter ?? timeout
      let wait = next.map { max(.milliseconds(1), $0 - elapsed) } ?? .seconds(3600)
      switch watch.wait(wait, channel) {
      case .ended:
        if let killAfter { endRest(of: pid, mark, at: start + killAfter) }
        return (timedOut, stopped)
      case .asked where killAfter == nil:
        stopped = true
        kill(-pid, SIGTERM)
        killAfter = monotonicNow() - start + grace
      case .asked, .nothing: break
      }
    }
  }

  /// The leader of a command that was told to end is gone, but not yet waited for. Those of its group have had their SIGTERM; the rest
  /// gets it now, and at the time `killing` all that is left gets SIGKILL.
  private func endRest(of pid: Int32, _ mark: String, at killing: Duration) {
    var told: [ProcessIdentity] = []
    while true {
      let left = CommandMark.processes(mark, session: own.process.pid)
      guard let first = left.first else { return }
      let isTime = monotonicNow() >= killing
      for process in left where isTime || !told.contains(process) {
        if isTime { process.signal(SIGKILL) } else if getpgid(process.pid) != pid { process.signal(SIGTERM) }
        told.append(process)
      }
      _ = first.waitForEnd(.milliseconds(50))
    }
  }
}

/// Waits for a child's end and for a word of kguard, whichever comes first.
private struct ChildWatch {
  private let pid: Int32
  private let handle: ProcessHandle

  enum Event { case ended, asked, nothing }

  init(_ pid: Int32) {
    self.pid = pid
    handle = ProcessHandle(pid)
  }

  func wait(_ time: Duration, _ channel: LineChannel) -> Event {
    var polls = [
      pollfd(fd: handle.descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: channel.isClosed ? -1 : channel.descriptor, events: Int16(POLLIN), revents: 0),
    ]
    // Without pidfds (an old kernel) the child is asked for now and then.
    let limit: Duration = handle.descriptor < 0 ? .milliseconds(20) : .seconds(3600)
    poll(&polls, 2, Int32(clamping: min(time, limit).milliseconds))
    var info = siginfo_t()
    if waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0, info.si_signo != 0 { return .ended }
    if polls[1].revents != 0, channel.receive(within: .zero) == "stop" { return .asked }
    return .nothing
  }
}
