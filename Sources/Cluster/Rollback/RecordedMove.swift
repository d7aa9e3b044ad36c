internal import Engine
internal import Host
internal import Journal
internal import Model

extension StepContext {
  /// Moves a file or directory within its filesystem: written down before, and after. Done again after a crash it goes on from where it
  /// was; nothing is ever overwritten. `label` names the failpoints.
  func move(_ kind: String, _ from: String, to: String, label: String, detail: JSON = [:]) throws(Failure) {
    let (source, target) = (try Files.info(from, followLinks: false), try Files.info(to, followLinks: false))
    switch (source, target) {
    case (nil, .some): return try artifact(kind, to, .present, detail: ["from": .string(from)])
    case (nil, nil):
      throw Failure(
        .needsOperator, what: "cannot move \(from) to \(to)", why: "neither is there",
        next: "find out who took it away: `kguard show \(run)` lists what was moved; then run `kguard resume`")
    case (.some, .some):
      throw Failure(
        .needsOperator, what: "cannot move \(from) to \(to)", why: "both are there",
        next: "look at the two, move the one that is not needed elsewhere, then run `kguard resume`")
    case (.some(let info), nil):
      var detail = detail
      detail["from"] = .string(from)
      detail["inode"] = .string(String(info.inode))
      try Files.makeDirectory(Files.directory(of: to), mode: 0o700)
      try artifact(kind, to, .planned, detail: detail)
      try failpoint("\(step)/\(label).before")
      try Files.move(from, to: to)
      try failpoint("\(step)/\(label).after")
      try artifact(kind, to, .present)
      try failpoint("\(step)/\(label).recorded")
    }
  }
}

extension StepContext {
  /// A crash may have come between a move and its record: what this step planned and the world shows is recorded now.
  func settleMoves() throws(Failure) {
    for artifact in try artifacts(of: run) where artifact.step == step && artifact.state == .planned {
      if try Files.exists(artifact.path) { try self.artifact(artifact.kind, artifact.path, .present) }
    }
  }
}

extension StepContext {
  /// What a rollback had moved is where it was, and is not its any more.
  func forget(_ record: ArtifactRecord) throws(Failure) {
    try journal.artifact(record.run, step: record.step, kind: record.kind, path: record.path, .removed, at: machine.now())
  }
}

extension ArtifactRecord {
  /// Where it was before.
  var origin: String? { detail["from"]?.string }
}
