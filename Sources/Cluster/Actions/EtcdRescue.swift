internal import Bundles
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `etcd/rescue`: saves the present state before it goes, and says which objects were written since the bundle's snapshot.
struct EtcdRescue: Action {
  static let signature = ActionSignature(
    "etcd/rescue", summary: "save etcd's present state, and list what was written since the bundle's snapshot")

  static let kind = "rescue"

  init(_ inputs: ActionInputs) throws(Failure) {}

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool { try Files.exists(record(context)) }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let target = try RollbackTarget(outlook)
    let directory = directory(outlook)
    let site = try ControlPlaneSite.look(outlook, target)
    let source: EtcdSource
    do throws(Failure) { source = try EtcdSource.find(outlook) } catch {
      let database = site.data.map { "\($0)/member/snap/db → \(directory)/db, where no process holds it" }
      return Intentions(["etcd gives no snapshot now: \(error)", database ?? "what the swap moves aside is the rescue"])
    }
    let manifest = try BundleManifest(reading: target.bundleDirectory(outlook))
    var lines = ["saves etcd's present state, from \(source.words)", "to \(directory)/snapshot.db"]
    let (before, now) = (manifest.revision, source.status.header.revision)
    lines.append(
      "revision \(before) in the bundle \(manifest.id), \(now) now"
        + (now > before ? ": \(now - before) revisions were written since" : ""))
    do throws(Failure) {
      lines.append(try LostPreview(since: manifest, outlook.machine, try outlook.settings).words)
    } catch {
      lines.append("what was written since cannot be told now: \(error.why)")
    }
    return Intentions(lines)
  }

  func perform(_ context: StepContext) throws(Failure) {
    let target = try RollbackTarget(context)
    let directory = directory(context)
    try Files.makeDirectory(directory, mode: 0o700)
    try context.artifact(Self.kind, directory, .planned)
    var evidence = try save(context, target, directory)
    try failpoint("\(context.step)/saved")
    if let path = evidence["path"]?.string {
      let list = directory + "/lost.jsonl"
      do throws(Failure) {
        let lost = try LostObjects.compare(
          bundle: target.bundleDirectory(context).snapshot, present: path, list: list, stop: context.stop)
        evidence["lost"] = lost.json(list: list)
        context.message(lost.words)
        for name in lost.named.dropFirst(5) { context.message("written since the snapshot: \(name)") }
        if lost.lost > lost.named.count { context.message("and \(lost.lost - lost.named.count) more: \(list)") }
      } catch {
        if error.exit == .interrupted { throw error }
        evidence["lost"] = ["unknown": .string(error.why)]
        context.message("cannot tell what was written since the snapshot: \(error.why)")
      }
    }
    try failpoint("\(context.step)/compared")
    try context.artifact(Self.kind, directory, .present)
    try Files.replace(record(context), with: Array((evidence.text(pretty: true) + "\n").utf8))
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    guard let text = try Files.textIfPresent(record(context)) else {
      throw Failure(what: "the present state was not saved", why: "\(record(context)) is missing", next: "run `kguard resume`")
    }
    var evidence = try JSON(parsing: text)
    let how = evidence["how"]?.string ?? ""
    let lost = evidence.at("lost", "objects")?.int
    let count = lost.map { "\($0) objects written since the snapshot" } ?? "what was written since is not known"
    evidence["summary"] = .string(
      how == "aside" ? "the present data is kept beside etcd's; \(count)" : "the present state is saved (\(how)); \(count)")
    return evidence
  }

  private func directory(_ context: some StepSight) -> String { context.state.path + "/rescue/\(context.run)" }
  private func record(_ context: StepContext) -> String { directory(context) + "/rescue.json" }

  /// A snapshot where etcd answers, else its database file; where neither can be had, the data that the swap moves aside is the rescue.
  private func save(_ context: StepContext, _ target: RollbackTarget, _ directory: String) throws(Failure) -> JSON {
    let path = directory + "/snapshot.db"
    var why: String
    do throws(Failure) {
      let cluster = try context.settings.etcdCluster(context.machine, stop: context.stop)
      try Files.removeOwn(path)
      let (taken, _) = try cluster.snapshot(to: path, machine: context.machine) { done, total in
        context.progress(Progress(done: done, total: total))
      }
      return [
        "how": "snapshot", "path": .string(path), "size": .int(taken.size), "sha256": .string("\(taken.sha256)"),
        "revisionAtLeast": .int(taken.revisionAtLeast),
      ]
    } catch {
      if error.exit == .interrupted || error.exit == .held { throw error }
      why = error.description
      context.message("etcd gives no snapshot (\(error.why)); saving its database file")
    }
    let site = try ControlPlaneSite.read(context, target)
    guard let database = site.data.map({ $0 + "/member/snap/db" }), let size = try Files.info(database)?.size else {
      return ["how": "aside", "why": .string(why + "; and there is no database file")]
    }
    let copy = directory + "/db"
    do throws(Failure) {
      guard try Files.freeSpace(directory) > size &+ 64 << 20 else {
        throw Failure(what: "", why: "the disk of \(directory) has no room for \(sizeForPeople(size))", next: "")
      }
      if try Files.copyUnlocked(database, to: copy) {
        return ["how": "db", "path": .string(copy), "size": .int(size), "why": .string(why)]
      }
      why += "; and it holds its database locked"
    } catch {
      if error.exit == .interrupted { throw error }
      why += "; and the database file cannot be copied: \(error.why)"
    }
    context.message("the present data is not copied: the swap keeps it beside etcd's data directory")
    return ["how": "aside", "why": .string(why)]
  }
}
