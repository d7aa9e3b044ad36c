internal import Bundles
public import Engine
public import Host
public import Journal
public import Model
public import Playbooks

/// The journal goes off-site after the bundle, so that losing the node does not lose the record.
public struct OffsiteJournal {
  /// Those that hold the whole bundle of the run.
  public let targets: [OffsiteTarget]
  private let offsite: Offsite
  private let bundle: String
  private let state: StateDirectory

  /// Nil where the run, or the run that it rolls back, has no bundle off-site.
  public init?(_ id: RunID, _ journal: RunJournal, _ machine: any Machine, _ state: StateDirectory) throws(Failure) {
    guard var run = try journal.run(id) else { return nil }
    if let parent = run.parent, let guarded = try journal.run(parent) { run = guarded }
    bundle = run.id.text
    self.state = state
    let there = try journal.copies(of: bundle).filter { $0.verified != nil && $0.removed == nil && $0.file == BundleDirectory.manifestName }
    if there.isEmpty { return nil }
    let offsite = try Offsite(try Configuration(recorded: run.config), machine, state)
    self.offsite = offsite
    // A plain journal does not go beside an encrypted bundle: the run's configuration may be older than the copy.
    targets = offsite.targets.filter { target in
      there.contains { $0.target == target.url && ($0.receipt["name"]?.string ?? "").hasSuffix(".age") == offsite.isEncrypted }
    }
  }

  /// Lets `body` send a copy of the journal as it is now.
  public func copying(_ journal: RunJournal, _ body: (_ file: String) -> Void) throws(Failure) {
    let file = state.path + "/journal-copy.db"
    // What an earlier kguard left when it was killed.
    try Files.removeOwn(file)
    // The run's own records need the room more.
    let size = (try Files.info(journal.path)?.size ?? 0) + (try Files.info(journal.path + "-wal")?.size ?? 0)
    guard try Files.freeSpace(state.path) / 2 > size + (16 << 20) else {
      throw Failure(what: "cannot copy the journal", why: "the filesystem of \(state.path) is almost full", next: "free space there")
    }
    defer { try? Files.removeOwn(file) }
    try journal.copy(to: file)
    body(file)
  }

  public func send(_ file: String, to target: OffsiteTarget, stop: StopSignal) throws(Failure) {
    _ = try offsite.warnOfOwnDisk(target)
    // A checkpoint later it is tried again.
    let store = try offsite.open(target, retry: RetryPolicy(attempts: 2))
    try JournalCopy.send(file, beside: bundle, to: store, recipients: offsite.recipients, stop: stop)
  }
}
