internal import Glibc
public import Model

#if FAILPOINTS
  internal import Synchronization
#endif

/// A named place where a test can crash, fail or hang the program. Nothing of it is in a release build.
///
/// `KGUARD_FAILPOINT=name=crash`, `name=fail`, `name=hang`; `name=crash@3` acts at the third passing; several with commas.
/// `KGUARD_FAILPOINT_ONCE=file`: only as long as the file is not there; it is made before acting, so that a child does not act again.
/// `KGUARD_FAILPOINT_LOG=file` appends the name of every failpoint that is passed.
@inline(__always)
public func failpoint(_ name: @autoclosure () -> String) throws(Failure) {
  #if FAILPOINTS
    try Failpoints.shared.pass(name())
  #endif
}

/// True in builds that tests may crash on purpose.
public var hasFailpoints: Bool {
  #if FAILPOINTS
    true
  #else
    false
  #endif
}

#if FAILPOINTS
  final class Failpoints: Sendable {
    static let shared = Failpoints()

    enum Effect: String { case crash, fail, hang }
    private struct Armed { var name: String, effect: Effect, passings: Int }
    private let armed: Mutex<[Armed]>
    private let log: String?

    init() {
      log = environment("KGUARD_FAILPOINT_LOG")
      armed = Mutex(Self.parse(environment("KGUARD_FAILPOINT") ?? ""))
    }

    private static func parse(_ text: String) -> [Armed] {
      text.split(separator: ",").compactMap { entry in
        let parts = entry.split(separator: "=")
        guard parts.count == 2 else { return nil }
        let how = parts[1].split(separator: "@")
        guard let effect = Effect(rawValue: String(how[0])) else { return nil }
        return Armed(name: String(parts[0]), effect: effect, passings: how.count > 1 ? Int(how[1]) ?? 1 : 1)
      }
    }

    func pass(_ name: String) throws(Failure) {
      let effect = armed.withLock { list -> Effect? in
        // Under the lock, so that no other thread writes a line after that of the point where the process ends.
        if let log { append(name + "\n", to: log) }
        guard let at = list.firstIndex(where: { $0.name == name }) else { return nil }
        list[at].passings -= 1
        guard list[at].passings == 0, mayAct() else { return nil }
        if list[at].effect == .crash { kill(getpid(), SIGKILL) }
        return list[at].effect
      }
      switch effect {
      case nil, .crash: return
      case .hang: while true { pause() }
      case .fail:
        throw Failure(what: "failpoint \(name)", why: "a test asked for this failure", next: "unset KGUARD_FAILPOINT")
      }
    }

    private func mayAct() -> Bool {
      guard let once = environment("KGUARD_FAILPOINT_ONCE") else { return true }
      let fd = open(once, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      if fd >= 0 { close(fd) }
      return fd >= 0
    }

    private func append(_ line: String, to path: String) {
      let fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
      guard fd >= 0 else { return }
      _ = line.withCString { write(fd, $0, strlen($0)) }
      close(fd)
    }
  }
#endif

/// An environment variable of this process.
public func environment(_ name: String) -> String? {
  getenv(name).map { String(cString: $0) }
}
