internal import Glibc
internal import Host
internal import Model

/// Who the supervisor is and whether it has a command, by its own word (`supervisor.json`).
struct SupervisorRecord {
  var process: ProcessIdentity
  /// The inode of the `child.lock` that it holds.
  var lock: UInt64
  /// The attempt whose command runs; nil: it is idle.
  var busy: String?

  static func read(_ state: StateDirectory) throws(Failure) -> SupervisorRecord? {
    guard let text = try Files.textIfPresent(state.supervisorFile), let json = try? JSON(parsing: text),
      let process = ProcessIdentity(json: json["process"]), let lock = json["lock"]?.string.flatMap({ UInt64($0) })
    else { return nil }
    return SupervisorRecord(process: process, lock: lock, busy: json["busy"]?.string)
  }

  func write(_ state: StateDirectory) throws(Failure) {
    let json: JSON = ["process": process.json, "lock": .string(String(lock)), "busy": JSON(busy)]
    try ChildFiles(directory: state.path).write(json, to: state.supervisorFile, durable: false)
  }
}

/// The right to start a command: one on the whole node, whatever has happened to the kguards before.
enum ChildLock {
  /// Nil while a command runs. A supervisor that is idle but can't be asked to go (its kguard is stopped for good) loses the lock: it
  /// looks whether it still holds it after it has said that it is busy, and before it starts anything.
  static func take(_ state: StateDirectory) throws(Failure) -> FileLock? {
    if let lock = try FileLock.take(state.childLock) {
      let inode = try lock.inode()
      if let record = try SupervisorRecord.read(state), record.busy != nil, record.lock != inode, record.process.isAlive { return nil }
      return lock
    }
    guard let record = try SupervisorRecord.read(state), record.busy == nil else { return nil }
    try Files.removeOwn(state.childLock)
    guard let lock = try FileLock.take(state.childLock) else { return nil }
    // It may have begun in between.
    guard try SupervisorRecord.read(state)?.busy == nil else { return nil }
    return lock
  }
}
