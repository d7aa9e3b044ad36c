public import Bundles
public import Engine
internal import Host
public import Journal
public import Model

/// What runs that have ended left where their bundles lie, and what nobody will use: snapshots that never became a bundle, and sealed files
/// that were never sent.
public struct EndedBundles {
  /// Without a `bundle.json`.
  public let unmade: [BundleDirectory]
  /// Bundles with a sealed file beside them; the next copy seals anew.
  public let unsent: [BundleDirectory]

  /// Only directories that bear the name of a run of this journal.
  public init(_ journal: RunJournal, _ state: StateDirectory) throws(Failure) {
    // What the catalogue has here is a bundle, whatever became of its files: the retention judges it.
    let here = Set(try journal.bundles().filter { $0.removed == nil }.map(\.id))
    let parent = Files.directory(of: state.bundle("-"))
    var (unmade, unsent): ([BundleDirectory], [BundleDirectory]) = ([], [])
    for name in try Files.exists(parent) ? try Files.list(parent) : [] {
      let directory = BundleDirectory(state.bundle(name))
      guard let run = RunID(name), run.text == name, try Files.info(directory.path, followLinks: false)?.kind == .directory,
        try journal.hasEnded(run)
      else { continue }
      let isBundle = try Files.exists(directory.manifest)
      if !isBundle && !here.contains(name) {
        unmade.append(directory)
      } else if try !SealedAhead.paths(directory).isEmpty {
        unsent.append(directory)
      }
    }
    (self.unmade, self.unsent) = (unmade, unsent)
  }

  public var paths: [String] { (unmade + unsent).map(\.path).sorted() }

  /// What would go, and why, in words.
  public var rows: [(path: String, why: String)] {
    unmade.map { ($0.path, "a snapshot that never became a bundle") } + unsent.map { ($0.path, "its sealed file, which was never sent") }
  }

  /// What cannot be removed is told and left; nothing depends on it.
  public func discard(tell: (String) -> Void) throws(Failure) {
    for directory in unmade {
      try Self.attempt(directory, tell) { () throws(Failure) in
        try directory.remove()
        tell("removed \(directory.path): its run ended before it was a bundle")
      }
    }
    for directory in unsent {
      try Self.attempt(directory, tell) { () throws(Failure) in
        try SealedAhead.discard(directory)
        tell("removed what was sealed of bundle \(directory.id) and never sent")
      }
    }
  }

  private static func attempt(_ directory: BundleDirectory, _ tell: (String) -> Void, _ body: () throws(Failure) -> Void) throws(Failure) {
    do throws(Failure) { try body() } catch {
      if error.exit == .held || error.exit == .interrupted { throw error }
      tell("warning: \(directory.path) stays: \(error)")
    }
  }
}

extension RunJournal {
  /// A rollback has not ended while the run that it rolls back has not.
  func hasEnded(_ id: RunID) throws(Failure) -> Bool {
    guard let run = try run(id), run.state.isFinal else { return false }
    guard let parent = run.parent else { return true }
    return try self.run(parent)?.state.isFinal ?? true
  }
}
