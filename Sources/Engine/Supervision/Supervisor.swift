internal import Glibc
internal import Host
public import Model

/// kguard's side of its supervisor, which is started with the first command and ends with this value or with kguard.
public final class Supervisor {
  private let state: StateDirectory
  private let executable: String
  private var channel: LineChannel?
  /// It was asked for a command, and has not said how that ended.
  private var hasCommand = false

  /// `executable`: the kguard binary; by default this very process's.
  public init(state: StateDirectory, executable: String = "/proc/self/exe") {
    self.state = state
    self.executable = executable
  }

  public enum Outcome: Sendable, Equatable {
    case ended(ChildEnd)
    /// It goes on by itself; `kguard resume` finds it again.
    case leftRunning
    /// The supervisor was killed; how the command ended will never be known.
    case unknown
  }

  /// It is there and has no command: nobody else on this node can have one either.
  var isIdle: Bool { channel?.isClosed == false && !hasCommand }

  /// Runs a command to its end. `tick` is called ten times a second and says whether to go on, to end it, or to leave it running.
  public func run(_ request: ChildRequest, tick: () -> Wish) throws(Failure) -> Outcome {
    let channel = try running()
    try failpoint("child/request.before")
    hasCommand = true
    // Where it cannot be talked to it is gone, and whether it has begun is not known.
    guard (try? channel.send(request.json.text())) != nil else { return lost() }
    try failpoint("child/request.after")
    var asked = false
    while !channel.isClosed {
      if let line = channel.receive(within: .milliseconds(100)) {
        hasCommand = false
        return try read(line)
      }
      switch tick() {
      case .goOn: break
      case .leave: return .leftRunning
      case .end where !asked:
        asked = true
        guard (try? channel.send("stop")) != nil else { return lost() }
      case .end: break
      }
    }
    return lost()
  }

  private func lost() -> Outcome {
    channel = nil
    hasCommand = false
    return .unknown
  }

  public enum Wish: Sendable { case goOn, end, leave }

  private func read(_ line: String) throws(Failure) -> Outcome {
    let json = try JSON(parsing: line)
    if let failure = json["failure"].flatMap({ Failure(json: $0) }) { throw failure }
    guard let end = ChildEnd(json: json) else { return .unknown }
    return .ended(end)
  }

  private func running() throws(Failure) -> LineChannel {
    if let channel, !channel.isClosed { return channel }
    // Whoever holds this lock may have a command running: never two at once.
    guard let lock = try ChildLock.take(state) else {
      throw Failure(
        .held, what: "cannot start a command",
        why: "a command of an earlier kguard still runs" + ((try? ChildLock.holder(state))?.map { " (process \($0.pid))" } ?? ""),
        next: "run `kguard resume`, which waits for it")
    }
    let (ours, theirs) = try LineChannel.pair()
    // Failpoints reach into the supervisor, too: it is part of kguard.
    var environment: [String: String] = [:]
    for name in ["KGUARD_FAILPOINT", "KGUARD_FAILPOINT_LOG", "KGUARD_FAILPOINT_ONCE", "KGUARD_TEST_BOOT_ID"] where hasFailpoints {
      if let value = Host.environment(name) { environment[name] = value }
    }
    let command = Command(["kguard-supervisor", SupervisorProcess.argument, state.path], environment: environment)
    _ = try Spawn.start(
      executable, command, output: .null, error: .null, extra: [theirs.descriptor, lock.descriptor], leads: .session)
    // The supervisor has its own copies of both now.
    withExtendedLifetime(theirs) {}
    _ = consume lock
    channel = ours
    return ours
  }
}
