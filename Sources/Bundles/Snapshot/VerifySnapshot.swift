public import Host
public import Model

/// What the live cluster said, which a snapshot of it may not fall short of.
public struct SnapshotExpectations: Sendable {
  public var minimumRevision: Int64?
  /// By resource, named as `SnapshotReport.objects` names them.
  public var minimumObjects: [String: Int] = [:]
  /// True for a file that came from `Maintenance.Snapshot`; false for a stopped member's `db`, which has no trailer.
  public var needsTrailer = false
  /// The live key space that it must hold, no more and no less.
  public var liveDigest: Digest?
  /// Of the whole file.
  public var sha256: Digest?

  public init() {}
}

/// A snapshot that was read to its last byte and found whole. Only `verifySnapshot` makes one.
public struct VerifiedSnapshot: Sendable {
  public let path: String
  public let report: SnapshotReport

  fileprivate init(path: String, report: SnapshotReport) {
    self.path = path
    self.report = report
  }
}

/// Reads all of a snapshot once, its checksum on this thread and its content on another. Throws a failure that exits with
/// `.verification` where anything is wrong, and says which page it is. `progress` gets bytes done and bytes in all.
/// The digest of the live keys costs as much again as the checksum, and is computed where it is asked for or expected.
public func verifySnapshot(
  _ path: String, expecting: SnapshotExpectations = .init(), withLiveDigest: Bool = false, stop: StopSignal? = nil,
  progress: (_ done: Int64, _ total: Int64) -> Void = { _, _ in }
) throws(Failure) -> VerifiedSnapshot {
  try verifySnapshot(
    path, expecting: expecting, withLiveDigest: withLiveDigest, stop: stop, tableSlots: LiveTable.usualSlots, progress: progress)
}

/// The same with a smaller table of keys, so that a test reaches the turns that only millions of keys need.
func verifySnapshot(
  _ path: String, expecting: SnapshotExpectations = .init(), withLiveDigest: Bool = false, stop: StopSignal? = nil, tableSlots: Int,
  progress: (_ done: Int64, _ total: Int64) -> Void = { _, _ in }
) throws(Failure) -> VerifiedSnapshot {
  let start = monotonicNow()
  let bolt = try BoltFile(path)
  let work = withLiveDigest || expecting.liveDigest != nil ? LiveWork() : nil
  let (content, sums) = concurrently(
    { () throws(Failure) in try readContent(bolt, work, tableSlots: tableSlots, stop: stop) },
    { () throws(Failure) in
      let sums = try readSums(bolt, stop: stop, progress: progress)
      do throws(Damage) { try work?.drain(bolt) { stop?.isAsked == true } } catch { throw damaged(path, error.why) }
      return sums
    })
  if stop?.isAsked == true { throw interrupted(path) }
  try bolt.file.checkUnchanged()
  let (body, whole) = try sums.get()
  let trailer = bolt.file.bytes(at: bolt.bodyCount, count: bolt.file.count - bolt.bodyCount).map(Array.init) ?? []
  if bolt.hasTrailer, trailer != body.bytes {
    var why = "the SHA-256 at its end is \(hex(trailer)), and that of the bytes before it is \(body)"
    if case .failure(let damage) = content { why += "; " + damage.why }
    throw damaged(path, why)
  }
  // bbolt would go on with the other one; whether a transaction is lost nobody can tell.
  if let damage = bolt.damagedMeta { throw damaged(path, damage) }
  var report = try content.get()
  report.sha256 = whole
  report.trailer = bolt.hasTrailer ? .valid : .none
  if let live = work?.total {
    guard live.count == report.liveKeys else { throw damaged(path, "its records changed while they were read") }
    report.liveDigest = live.digest
  }
  report.duration = monotonicNow() - start
  try expecting.check(report, path)
  return VerifiedSnapshot(path: path, report: report)
}

private func interrupted(_ path: String) -> Failure {
  Failure(.interrupted, what: "stopped verifying \(path)", why: "a stop was asked for", next: "run the same command again")
}

/// SHA-256 of the file without its trailer, and with it.
private func readSums(
  _ bolt: BoltFile, stop: StopSignal?, progress: (Int64, Int64) -> Void
) throws(Failure) -> (body: Digest, whole: Digest) {
  let (body, total) = (bolt.bodyCount, bolt.file.count)
  let piece = 1 << 20
  var hasher = BodyHasher()
  var done = 0
  while done < body {
    if stop?.isAsked == true { throw interrupted(bolt.path) }
    let count = min(piece, body - done)
    guard let bytes = bolt.file.bytes(at: done, count: count) else { break }
    hasher.update(bytes)
    done += count
    progress(Int64(done), Int64(total))
  }
  let rest = bolt.file.bytes(at: body, count: total - body)
  return hasher.finish(rest)
}

/// Every page, every record, and the counts; the live records' digest is left in `work`, where there is some.
private func readContent(
  _ bolt: BoltFile, _ work: LiveWork?, tableSlots: Int, stop: StopSignal?
) throws(Failure) -> SnapshotReport {
  let table = LiveTable(bolt, maximumSlots: tableSlots)
  var content = SnapshotContent(table)
  var walk = BoltWalk(bolt, stop: stop)
  try walk.run(&content)
  var report = SnapshotReport()
  do throws(Damage) {
    try content.checkWhole()
    content.write(to: &report)
    table.finish(.place)
    var counts = ObjectCounts()
    while true {
      for index in 0..<table.count { counts.add(try bolt.record(at: table.place(index)).content.key) }
      for start in stride(from: 0, to: work == nil ? 0 : table.count, by: 1 << 16) {
        work?.offer((start..<min(table.count, start + 1 << 16)).map(table.place))
        try work?.drain(bolt) { stop?.isAsked == true }
      }
      guard stop?.isAsked != true, table.beginNextRange() else { break }
      do throws(Failure) { try table.fill(bolt, .place, stop: stop) } catch { throw Damage(error.why) }
    }
    counts.write(to: &report)
  } catch { throw damaged(bolt.path, error.why) }
  report.fileSize = Int64(bolt.file.count)
  report.pageSize = bolt.meta.pageSize
  report.totalSize = Int64(bolt.meta.highWater) * Int64(bolt.meta.pageSize)
  report.bytesInUse = Int64(walk.pages.usedCount) * Int64(bolt.meta.pageSize)
  return report
}

extension SnapshotExpectations {
  fileprivate func check(_ report: SnapshotReport, _ path: String) throws(Failure) {
    func refuse(_ why: String) -> Failure {
      Failure(
        .verification, what: "\(path) is not what was expected", why: why,
        next: "take a new snapshot from a healthy member; this one stays where it is")
    }
    if needsTrailer, report.trailer == .none { throw refuse("it has no SHA-256 at its end, which every snapshot has") }
    if let sha256, sha256 != report.sha256 { throw refuse("its SHA-256 is \(report.sha256), and should be \(sha256)") }
    if let minimumRevision, max(report.revision, report.compactedRevision ?? 0) < minimumRevision {
      throw refuse("its revision is \(report.revision), and the cluster was at \(minimumRevision) already")
    }
    for (resource, count) in minimumObjects.sorted(by: { $0.key < $1.key }) where report.objects[resource, default: 0] < count {
      throw refuse("it holds \(report.objects[resource, default: 0]) \(resource), and the cluster had \(count)")
    }
    if let liveDigest, liveDigest != report.liveDigest {
      throw refuse("the digest of its live keys is \(report.liveDigest?.description ?? "unknown"), and should be \(liveDigest)")
    }
  }
}
