internal import Glibc
internal import Host
internal import Model

/// Who the supervisor is and whether it has a command, by its own word (`supervisor.json`).
struct SupervisorRecord {
  var process: ProcessIdentity
  /// The attempt whose command runs; nil: it is idle.
  var busy: String?
  /// The `CommandMark` of that command.
  var mark: String?

  static func read(_ state: StateDirectory) throws(Failure) -> SupervisorRecord? {
    guard let text = try Files.textIfPresent(state.supervisorFile), let json = try? JSON(parsing: text),
      let process = ProcessIdentity(json: json["process"])
    else { return nil }
    return SupervisorRecord(process: process, busy: json["busy"]?.string, mark: json["mark"]?.string)
  }

  func write(_ state: StateDirectory) throws(Failure) {
    let json: JSON = ["process": process.json, "busy": JSON(busy), "mark": JSON(mark)]
    try ChildFiles(directory: state.path).write(json, to: state.supervisorFile, durable: false)
  }
}

/// The right to start a command: one on the whole node, whatever has happened to the kguards before.
enum ChildLock {
  /// Nil while a command runs, with a supervisor or without. A supervisor that is idle but can't be asked to go (its kguard is stopped for good) loses the lock: it
  /// looks whether it still holds it after it has said that it is busy, and before it starts anything.
  static func take(_ state: StateDirectory) throws(Failure) -> FileLock? {
    if let lock = try FileLock.take(state.childLock) {
      // The kernel frees a dying process's locks a moment before the process counts as dead, and only then are its orphans looked for.
      if let record = try SupervisorRecord.read(state), record.busy != nil, record.process.isAlive { return nil }
      if try !orphans(state).isEmpty { return nil }
      return lock
    }
    guard let record = try SupervisorRecord.read(state), record.busy == nil else { return nil }
    try Files.removeOwn(state.childLock)
    guard let lock = try FileLock.take(state.childLock) else { return nil }
    // It may have begun in between.
    guard try SupervisorRecord.read(state)?.busy == nil else { return nil }
    return lock
  }

  /// What still runs of a command whose supervisor was killed. A command that had ended by then has no orphans: what it left behind are
  /// daemons.
  static func orphans(_ state: StateDirectory) throws(Failure) -> [ProcessIdentity] {
    guard let record = try SupervisorRecord.read(state), let attempt = record.busy, !record.process.isAlive,
      record.process.boot == ProcessIdentity.currentBoot()
    else { return [] }
    let files = ChildFiles(directory: attempt)
    if try files.childEnd() != nil { return [] }
    // The number of a session is nobody else's while one of its processes lives.
    let session = ProcessIdentity.of(record.process.pid) == nil ? record.process.pid : -1
    var orphans = CommandMark.processes(record.mark ?? "", session: session)
    if let child = try files.childProcess(), child.isAlive, !orphans.contains(child) { orphans.insert(child, at: 0) }
    return orphans
  }

  /// The process that keeps the lock from being taken, as far as anybody knows.
  static func holder(_ state: StateDirectory) throws(Failure) -> ProcessIdentity? {
    if let orphan = try orphans(state).first { return orphan }
    guard let record = try SupervisorRecord.read(state), let attempt = record.busy else { return nil }
    let child = try ChildFiles(directory: attempt).childProcess()
    return child?.isAlive == true ? child : record.process
  }
}
