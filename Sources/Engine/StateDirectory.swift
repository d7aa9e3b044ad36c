internal import Host
internal import Journal
public import Model

/// Where kguard keeps what it knows: `/var/lib/kguard`, or what `--state` names. The journal is in it, and a directory for each attempt.
public struct StateDirectory: Sendable {
  public let path: String
  public init(_ path: String) { self.path = path }

  /// Held by the kguard that owns the node.
  public var nodeLock: String { RunJournal.nodeLock(in: path) }
  /// Held by the supervisor as long as it may have a child: no second command starts while it is.
  public var childLock: String { path + "/child.lock" }
  /// Which process the supervisor is.
  var supervisorFile: String { path + "/supervisor.json" }
  /// Given up when the disk is full, so that what has happened can still be written down.
  var reserve: String { path + "/reserve" }

  /// Where a bundle lies.
  public func bundle(_ id: String) -> String { path + "/bundles/" + id }

  public func directory(of run: RunID) -> String { path + "/runs/\(run)" }

  public func directory(of run: RunID, step: String, attempt: Int) -> String {
    directory(of: run) + "/\(step)/\(attempt)"
  }

  public func log(of run: RunID, step: String, attempt: Int) -> String {
    directory(of: run, step: step, attempt: attempt) + "/output.log"
  }
}
