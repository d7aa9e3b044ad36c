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
    while true {
      // The lock is free only when its supervisor is gone, and with it every command that it saw through.
      if let lock = try ChildLock.take(state) {
        let files = ChildFiles(directory: attemptDirectory)
        if let child = try files.childProcess(), child.isAlive, try files.childEnd() == nil {
          guard waiting(child) else { return nil }
          _ = child.waitForEnd(.milliseconds(100))
          continue
        }
        let result = try read(attemptDirectory)
        _ = consume lock
        return result
      }
      let process = try ChildLock.holder(state)
      guard waiting(process) else { return nil }
      // Not every holder is known, or known by its right name.
      if let process, process.isAlive { _ = process.waitForEnd(.milliseconds(100)) } else { _ = StopSignal().sleep(.milliseconds(100)) }
    }
  }

  /// What is known of an attempt's command once nothing of it runs.
  static func read(_ attemptDirectory: String) throws(Failure) -> PreviousChild {
    let files = ChildFiles(directory: attemptDirectory)
    if let end = try files.childEnd() { return .ended(end) }
    return try files.childProcess() != nil ? .unknown : PreviousChild.none
  }
}
