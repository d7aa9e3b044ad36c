public import Host
public import Model

/// A snapshot that is whole on disk under its name: etcd's own checksum at its end was right. Only `EtcdClient.snapshot` makes one.
public struct SnapshotTaken: Sendable, Equatable {
  public let path: String
  public let size: Int64
  /// Of the whole file, with the checksum that etcd appends.
  public let sha256: Digest
  public let duration: Duration
  public let taken: Timestamp
  public let endpoint: String
  public let member: UInt64
  public let cluster: UInt64
  public let etcdVersion: String
  /// The member had applied this revision before the snapshot began, so the snapshot's own is not below it.
  public let revisionAtLeast: Int64

  public var json: JSON {
    [
      "path": .string(path), "size": .int(size), "sha256": .string("\(sha256)"), "milliseconds": .int(duration.milliseconds),
      "taken": .string("\(taken)"), "endpoint": .string(endpoint), "member": .string(etcdID(member)),
      "cluster": .string(etcdID(cluster)), "etcdVersion": .string(etcdVersion), "revisionAtLeast": .int(revisionAtLeast),
    ]
  }
}

extension EtcdClient {
  /// Streams the member's database to `path`. The file appears under its name only after the last byte, the right checksum and an
  /// fsync; whatever goes wrong before leaves neither it nor its `.part`.
  /// `tap` is asked once, for a database of the size that etcd says, which comes in at `part`.
  public func snapshot(
    to path: String, machine: any Machine, progress: (_ done: Int64, _ total: Int64) -> Void = { _, _ in },
    tap: (_ size: Int64, _ part: String) -> SnapshotTap? = { _, _ in nil }
  ) throws(Failure) -> SnapshotTaken {
    let began = monotonicNow()
    // A member that lags has to catch up here, and one without a leader can't.
    let revision = try catchUp()
    let status = try status()
    try requireSpace(for: status.dbSize, at: path)

    try failpoint("etcd-snapshot.begin")
    let incoming = try IncomingSnapshot(path) { tap(status.dbSize, $0) }
    do throws(Failure) {
      try channel.stream(
        "Maintenance/Snapshot", ProtobufWriter(), timeout: Self.timeLimit(forSize: status.dbSize), stall: .seconds(60)
      ) { (message) throws(Failure) in
        try incoming.take(message)
        progress(incoming.received, incoming.total)
      }
      try incoming.verify(endpoint)
      try failpoint("etcd-snapshot.commit")
    } catch {
      incoming.abandon()
      throw error
    }
    let (size, digest) = try incoming.commit()
    return SnapshotTaken(
      path: path, size: size, sha256: digest, duration: monotonicNow() - began, taken: machine.now(), endpoint: endpoint.name,
      member: status.header.member, cluster: status.header.cluster, etcdVersion: status.version, revisionAtLeast: revision)
  }

  /// Two minutes, and a second for each MiB: slower than that is a fault, not a large database.
  static func timeLimit(forSize size: Int64) -> Duration { .seconds(120 + max(0, size) >> 20) }

  private func requireSpace(for size: Int64, at path: String) throws(Failure) {
    let free = try Files.freeSpace(Files.directory(of: path))
    let (needed, overflow) = size.addingReportingOverflow(64 << 20)
    guard overflow || free < needed else { return }
    throw Failure(
      what: "cannot take a snapshot to \(path)",
      why: "the disk is too full: the database has \(sizeForPeople(size)), and \(sizeForPeople(free)) are free",
      next: "free space on that filesystem, or move the state directory (--state)")
  }
}
