internal import Glibc
internal import Host
internal import Model

/// What became of the command of an attempt whose kguard died.
public enum PreviousChild: Sendable, Equatable {
  /// It was never started.
  case none
  case ended(ChildEnd)
  /// It was started, and nobody knows how it ended: ask the world.
  case unknown
}

extension PreviousChild {
  /// Waits until no command of an earlier kguard runs any more, then reads how this attempt's ended. `waiting` is called ten times a
  /// second with the process it waits for, and says whether to go on. Nil: it did not want to wait.
  static func settle(
    _ attemptDirectory: String, _ state: StateDirectory, waiting: (ProcessIdentity?) -> Bool
  ) throws(Failure) -> PreviousChild? {
    let files = ChildFiles(directory: attemptDirectory)
    while true {
      // The lock is free only when its supervisor is gone, and with it every command that it saw through.
      if let lock = try ChildLock.take(state) {
        let result = try settled(files, state, waiting: waiting)
        _ = consume lock
        return result
      }
      let process = try files.childProcess()
      guard waiting(process) else { return nil }
      _ = try SupervisorRecord.read(state)?.process.waitForEnd(.milliseconds(100)) ?? process?.waitForEnd(.milliseconds(100))
    }
  }

  private static func settled(
    _ files: ChildFiles, _ state: StateDirectory, waiting: (ProcessIdentity?) -> Bool
  ) throws(Failure) -> PreviousChild? {
    if let end = try files.childEnd() { return .ended(end) }
    // The supervisor was killed, not the command: it may still run, known by name or only by its session.
    var orphans = [try files.childProcess()].compactMap { $0 }.filter(\.isAlive)
    if let supervisor = try SupervisorRecord.read(state)?.process, supervisor.boot == ProcessIdentity.currentBoot() {
      orphans += ProcessStatus.inSession(supervisor.pid)
    }
    for orphan in orphans {
      while !orphan.waitForEnd(.milliseconds(100)) {
        guard waiting(orphan) else { return nil }
      }
    }
    let wasStarted = try files.childProcess() != nil || !orphans.isEmpty
    return wasStarted ? .unknown : PreviousChild.none
  }
}
