internal import CPosix
internal import Glibc
public import Model

/// A program to start: argv, never a shell line.
public struct Command: Sendable, Equatable {
  public var argv: [String]
  /// Added to this process's own environment, where it gets that.
  public var environment: [String: String]
  public var directory: String?
  /// False: it starts with `environment` and nothing else. A supervised command always gets kguard's own.
  public var inheritsEnvironment = true

  public init(_ argv: [String], environment: [String: String] = [:], directory: String? = nil) {
    self.argv = argv
    self.environment = environment
    self.directory = directory
  }
}

/// How a process ended.
public enum ProcessEnd: Sendable, Equatable, CustomStringConvertible {
  case exited(Int32)
  case signalled(Int32)

  init(waitStatus: Int32) {
    let signal = waitStatus & 0x7f
    self = signal == 0 ? .exited((waitStatus >> 8) & 0xff) : .signalled(signal)
  }

  public var isSuccess: Bool { self == .exited(0) }

  public var description: String {
    switch self {
    case .exited(let code): "exit status \(code)"
    case .signalled(let number): "killed by signal \(number) (\(String(cString: strsignal(number))))"
    }
  }

  public var json: JSON {
    switch self {
    case .exited(let code): ["exit": .int(Int64(code))]
    case .signalled(let number): ["signal": .int(Int64(number))]
    }
  }

  public init?(json: JSON?) {
    if let code = json?["exit"]?.int { self = .exited(Int32(clamping: code)); return }
    guard let number = json?["signal"]?.int else { return nil }
    self = .signalled(Int32(clamping: number))
  }
}

public enum Spawn {
  /// Where a child's descriptor comes from.
  public enum Stream: Sendable, Equatable {
    case null
    case inherit
    /// One of this process's descriptors.
    case descriptor(Int32)
  }

  public enum Leadership: Sendable { case none, group, session }

  /// Starts a program; the corresponding C function is `posix_spawn`. Signals are as for a fresh process, and no
  /// descriptor is passed on but those named: `extra[n]` becomes 3 + n.
  public static func start(
    _ executable: String, _ command: Command, input: Stream = .null, output: Stream, error: Stream, extra: [Int32] = [],
    leads: Leadership = .none
  ) throws(Failure) -> Int32 {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (number, stream) in [(Int32(0), input), (1, output), (2, error)] {
      switch stream {
      case .null: posix_spawn_file_actions_addopen(&actions, number, "/dev/null", number == 0 ? O_RDONLY : O_WRONLY, 0)
      case .inherit: break
      case .descriptor(let from): posix_spawn_file_actions_adddup2(&actions, from, number)
      }
    }
    // Copies far up first, so that no source is overwritten before its turn.
    let copies = extra.map { fcntl($0, F_DUPFD_CLOEXEC, 64) }
    defer { for copy in copies { close(copy) } }
    for (offset, copy) in copies.enumerated() {
      posix_spawn_file_actions_adddup2(&actions, copy, Int32(3 + offset))
    }
    if let directory = command.directory { posix_spawn_file_actions_addchdir_np(&actions, directory) }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var flags = Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF)
    var none = sigset_t(), all = sigset_t()
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
    switch leads {
    case .none: break
    case .group:
      flags |= Int16(POSIX_SPAWN_SETPGROUP)
      posix_spawnattr_setpgroup(&attributes, 0)
    case .session: flags |= Int16(0x80)  // POSIX_SPAWN_SETSID, a GNU extension
    }
    posix_spawnattr_setflags(&attributes, flags)

    var pid: pid_t = 0
    let code = withCStrings(command.argv) { argv in
      withCStrings(environmentList(command)) { envp in
        posix_spawn(&pid, executable, &actions, &attributes, argv, envp)
      }
    }
    guard code == 0 else {
      throw Failure(
        what: "cannot start \(command.argv.first ?? executable)", why: "\(executable): \(errorText(code))",
        next: "check that the program is installed and can be executed")
    }
    return pid
  }

  /// Waits for a child of this process, and says how it ended.
  public static func reap(_ pid: Int32) throws(Failure) -> ProcessEnd {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 {
      let code = errno
      guard code == EINTR else { throw lost(pid, code) }
    }
    return ProcessEnd(waitStatus: status)
  }

  /// Whether a child has ended. It keeps its number until it is reaped, so that its group can be signalled safely.
  public static func hasEnded(_ pid: Int32) throws(Failure) -> Bool {
    var info = siginfo_t()
    while waitid(P_PID, id_t(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 {
      let code = errno
      guard code == EINTR else { throw lost(pid, code) }
    }
    return info.si_signo != 0
  }

  /// Waits for a child whose end matters to nobody; one that is no child of this process counts as ended with 255.
  @discardableResult
  public static func wait(_ pid: Int32) -> ProcessEnd {
    do throws(Failure) { return try reap(pid) } catch { return .exited(255) }
  }

  private static func lost(_ pid: Int32, _ code: Int32) -> Failure {
    systemFailure(
      code, "cannot tell how process \(pid) ended", next: "report this as a bug; look at what the command was to do before you go on")
  }

  private static func environmentList(_ command: Command) -> [String] {
    let extra = command.environment
    var list: [String] = []
    var next = environ
    while command.inheritsEnvironment, let entry = next.pointee {
      let text = String(cString: entry)
      let name = String(text.prefix { $0 != "=" })
      // What steers kguard's own tests is not for its children.
      if extra[name] == nil && !name.hasPrefix("KGUARD_FAIL") && !name.hasPrefix("KGUARD_TEST_") { list.append(text) }
      next += 1
    }
    return list + extra.map { "\($0.key)=\($0.value)" }.sorted()
  }

  private static func withCStrings<R>(_ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R) -> R {
    var pointers: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    return body(pointers)
  }
}
