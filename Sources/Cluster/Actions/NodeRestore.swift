internal import Bundles
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `node/restore`: certificates, kubeconfigs and kubelet's configuration back to the archive's where they differ. What they replace, and
/// what has come into their places, is moved aside.
struct NodeRestore: Action {
  static let signature = ActionSignature(
    "node/restore", summary: "put certificates, kubeconfigs and kubelet's configuration back to what they were before the run",
    inputs: [.undo])
  static let changesCluster = true
  static let stopping = Stopping.waits

  static let asideKind = "file-aside"
  static let restoredKind = "file-restored"

  private let undo: String?

  init(_ inputs: ActionInputs) throws(Failure) { undo = inputs.undo }

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    let target = try RollbackTarget(context, undo: undo)
    if undo != nil { return try toTakeBack(context, target).isEmpty }
    return try ArchivedNode.find(context, target)?.differing(context.machine).isEmpty ?? true
  }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let target = try RollbackTarget(outlook, undo: undo)
    if undo != nil {
      let changes = try toTakeBack(outlook, target)
      return Intentions(
        changes.isEmpty
          ? ["nothing: no file was put back"]
          : changes.map { change in change.former.map { "\($0) → \(change.path)" } ?? "\(change.path) moves aside" })
    }
    guard let archive = try ArchivedNode.find(outlook, target) else {
      return Intentions(["nothing: the run kept no archive of the node"])
    }
    var (back, added): ([String], [String]) = ([], [])
    // Where what gives way to them goes: nearly always one place.
    var places: [String] = []
    for difference in try archive.differing(outlook.machine) {
      if case .changed(let entry) = difference { back.append(entry.path) } else { added.append(difference.path) }
      let path = outlook.machine.locate(difference.path)
      guard try Files.exists(path) else { continue }
      let parts = try aside(path, asideName(outlook), outlook).split(separator: "/")
      let place = "/" + parts.prefix { $0 != asideName(outlook) }.joined(separator: "/") + "/" + asideName(outlook)
      if !places.contains(place) { places.append(place) }
    }
    var lines: [String] = []
    if !back.isEmpty { lines.append("puts back from \(target.bundleDirectory(outlook).archive): \(naming(back, most: 12))") }
    if !added.isEmpty { lines.append("moves aside what was not there before the run: \(naming(added, most: 12))") }
    if !places.isEmpty { lines.append("what gives way goes to \(naming(places))") }
    return Intentions(lines.isEmpty ? ["nothing: every file is as it was"] : lines)
  }

  func perform(_ context: StepContext) throws(Failure) {
    let target = try RollbackTarget(context, undo: undo)
    try ControlPlaneStop(context, target).ensure()
    if undo != nil {
      for change in try toTakeBack(context, target) { try takeBack(change, target, context) }
      return
    }
    try Outage.begin(.files, context)
    guard let archive = try ArchivedNode.find(context, target) else { return }
    // Where a link took a directory's place, what was below it is seen to be missing only when the directory is back.
    for _ in 0..<3 {
      let differences = try archive.differing(context.machine)
      if differences.isEmpty { return }
      for difference in differences { try restore(difference, archive, context) }
    }
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let target = try RollbackTarget(context, undo: undo)
    guard try isInEffect(context) else {
      throw Failure(what: "the node's files are not back", why: "some differ still", next: "run `kguard resume`")
    }
    try context.settleMoves()
    if undo != nil { return ["summary": "the node's files are again what they were before the rollback"] }
    try Outage.end(.files, context)
    let mine = try context.artifacts(of: context.run).filter { $0.kind == Self.restoredKind }
    let gone = mine.filter { $0.detail["added"]?.bool == true }.map(\.path)
    let back = mine.map(\.path).filter { !gone.contains($0) }
    let hasArchive = try ArchivedNode.find(context, target) != nil
    let also = gone.isEmpty ? "" : ", \(gone.count) that were not there before moved aside"
    return [
      "summary": .string(
        hasArchive ? "\(back.count) files put back\(also)" : "the run kept no archive of the node: its files were left as they are"),
      "files": JSON(Array(back.prefix(100))), "movedAside": JSON(Array(gone.prefix(100))), "archive": .bool(hasArchive),
    ]
  }

  private func restore(_ difference: ArchivedNode.Difference, _ archive: ArchivedNode, _ context: StepContext) throws(Failure) {
    let path = context.machine.locate(difference.path)
    let label = Files.name(of: path)
    let former = try Access.of(path)
    var detail: JSON = [:]
    switch difference {
    case .changed:
      try Files.makeDirectory(Files.directory(of: path))
      if former != nil { detail["replaces"] = true }
    case .added: detail["added"] = true
    }
    // The intent comes first: without a file that moved aside, a crash would leave no trace of what was made here.
    try context.artifact(Self.restoredKind, path, .planned, detail: detail)
    if former != nil {
      try context.move(
        Self.asideKind, path, to: try aside(path, asideName(context), context), label: "file-aside-\(label)")
    }
    if case .changed(let entry) = difference {
      try failpoint("\(context.step)/file-\(label).before")
      try archive.make(entry, at: path, label: former?.label)
      try failpoint("\(context.step)/file-\(label).after")
    }
    try context.artifact(Self.restoredKind, path, .present)
  }

  private func asideName(_ context: some StepSight) -> String { "kguard-aside-\(context.run)" }

  /// Below the same directory, so that it is a rename; `/etc/kubernetes` gets one place for all of its files.
  private func aside(_ path: String, _ name: String, _ context: some StepSight) throws(Failure) -> String {
    let root = context.machine.locate("/etc/kubernetes")
    let directory = Files.directory(of: path)
    if path.hasPrefix(root + "/"), try Files.info(directory)?.device == Files.info(root)?.device {
      return "\(root)/\(name)\(path.dropFirst(root.count))"
    }
    return "\(directory)/\(name)/\(Files.name(of: path))"
  }

  // MARK: - Undo

  private struct Change {
    let path: String
    /// What the rollback had moved aside; nil where it made the file.
    let former: String?
  }

  /// What the rollbacks changed and is not yet taken back, the last one first.
  private func toTakeBack(_ context: some StepSight, _ target: RollbackTarget) throws(Failure) -> [Change] {
    var seen: Set<String> = []
    var changes: [Change] = []
    let undone = Set(try context.artifacts(of: context.run).filter { $0.kind == Self.restoredKind && $0.state == .present }.map(\.path))
    for artifact in target.moved(Self.restoredKind) where !seen.contains(artifact.path) && !undone.contains(artifact.path) {
      let former = target.moved(Self.asideKind).first { $0.origin == artifact.path }?.path
      // Planned, and failed before anything gave way: the file is no rollback's.
      if former == nil, artifact.state == .planned, [artifact.detail["replaces"], artifact.detail["added"]].contains(true) { continue }
      seen.insert(artifact.path)
      changes.append(Change(path: artifact.path, former: former))
    }
    return changes.reversed()
  }

  private func takeBack(_ change: Change, _ target: RollbackTarget, _ context: StepContext) throws(Failure) {
    let label = Files.name(of: change.path)
    let away = try aside(change.path, "kguard-undone-\(context.run)", context)
    try context.artifact(Self.restoredKind, change.path, .planned)
    // Where what the rollback had moved aside is gone, what is there is better than nothing.
    let isThere = try change.former.map { (former) throws(Failure) in try Files.exists(former) } ?? true
    if isThere, try Files.exists(change.path), try !Files.exists(away) {
      try context.move(Self.asideKind, change.path, to: away, label: "file-aside-\(label)")
    }
    if let former = change.former, try Files.exists(former) {
      try context.move("file-back", former, to: change.path, label: "file-back-\(label)")
    }
    try context.artifact(Self.restoredKind, change.path, .present)
    try failpoint("\(context.step)/file-forget-\(label).before")
    for record in target.records where record.state != .removed {
      let place = record.kind == Self.restoredKind ? record.path : record.kind == Self.asideKind ? record.origin : nil
      if place == change.path { try context.forget(record) }
    }
  }
}
