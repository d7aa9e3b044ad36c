internal import Host
public import Journal
public import Model

/// This process's right to change the node: the OS lock, and a newer epoch in the journal than anybody's before.
public struct NodeClaim: ~Copyable {
  private let lock: FileLock

  /// Takes the node, or says who has it (exit 6). `takeOver`: the owner is stopped or hangs; it is ended where it can be found, and
  /// if it ever wakes, its epoch is old and it can write nothing.
  public static func take(_ state: StateDirectory, _ journal: RunJournal, takeOver: Bool, at now: Timestamp) throws(Failure) -> NodeClaim {
    var lock = try FileLock.take(state.nodeLock)
    if lock == nil {
      let owner = try journal.owner()
      guard takeOver else { throw held(owner, state, at: now) }
      // Fence first: from here on the old owner's checkpoints fail, whether or not it can be ended.
      try journal.takeOwnership(ProcessIdentity.current(), at: now)
      if let process = owner.process, process.isAlive {
        process.signal(9)
        _ = process.waitForEnd(.seconds(10))
      }
      lock = try FileLock.take(state.nodeLock)
      if lock == nil {
        // It cannot be found from here (another container) or does not die (a hanging disk): leave it the old lock file.
        try Files.removeOwn(state.nodeLock)
        lock = try FileLock.take(state.nodeLock)
      }
    }
    guard let lock else { throw held(try journal.owner(), state, at: now) }
    try journal.takeOwnership(ProcessIdentity.current(), at: now)
    return NodeClaim(lock: lock)
  }

  private init(lock: consuming FileLock) { self.lock = lock }

  private static func held(_ owner: OwnerRecord, _ state: StateDirectory, at now: Timestamp) -> Failure {
    var why = "another kguard holds it"
    if let process = owner.process {
      why += ": process \(process.pid)"
      if let run = owner.run { why += ", run \(run)" }
      if let since = owner.since { why += ", since \(localTime(since))" }
      if let status = ProcessStatus.of(process.pid), status.state == "T" { why += "; it is stopped (Ctrl-Z?)" }
    }
    return Failure(
      .held, what: "cannot take this node", why: why,
      next: "follow it with `kguard status -w`; if it hangs for good, run `kguard resume --take-over`")
  }
}
