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
  public func snapshot(
    to path: String, machine: any Machine, progress: (_ done: Int64, _ total: Int64) -> Void = { _, _ in }
  ) throws(Failure) -> SnapshotTaken {
    let began = monotonicNow()
    // A member that lags has to catch up here, and one without a leader can't.
    let revision = try catchUp()
    let status = try status()
    try requireSpace(for: status.dbSize, at: path)

    try failpoint("etcd-snapshot.begin")
    var incoming = try IncomingSnapshot(path)
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

/// A snapshot on its way into a file. The last 32 bytes that have come are held back: at the end they are etcd's sha256 of all before.
private struct IncomingSnapshot: ~Copyable {
  private var file: DurableFile
  private var hasher = SHA256Hasher()
  private var buffer: [UInt8] = []
  private(set) var received: Int64 = 0
  /// As the first message announced it; 0 before.
  private(set) var total: Int64 = 0

  private static let capacity = 1 << 20
  private static let trailer = 32

  init(_ path: String) throws(Failure) {
    file = try DurableFile(path)
    buffer.reserveCapacity(Self.capacity + (64 << 10))
  }

  mutating func take(_ message: UnsafeRawBufferPointer) throws(Failure) {
    var remaining: UInt64 = 0
    var blob = UnsafeRawBufferPointer(start: nil, count: 0)
    try decode(message) { (field, value) in
      switch field {
      case 2: remaining = value.number
      case 3: blob = value.raw
      default: break
      }
    }
    buffer.append(contentsOf: blob)
    received += Int64(blob.count)
    let (announced, overflow) = Int64(clamping: remaining).addingReportingOverflow(received)
    total = overflow ? .max : announced
    if buffer.count >= Self.capacity { try flush() }
  }

  private mutating func flush() throws(Failure) {
    let ready = buffer.count - Self.trailer
    try write(ready)
    buffer.removeFirst(ready)
  }

  private mutating func write(_ count: Int) throws(Failure) {
    try buffer.withBytes { (raw) throws(Failure) in
      let part = UnsafeRawBufferPointer(rebasing: raw.prefix(count))
      hasher.update(part)
      try file.write(part)
    }
  }

  /// Nothing may be missing, and the checksum has to be right.
  mutating func verify(_ endpoint: EtcdEndpoint) throws(Failure) {
    if buffer.count > Self.trailer { try flush() }
    let what = "cannot take a snapshot of etcd at \(endpoint.name)"
    guard received % 512 == Int64(Self.trailer), buffer.count == Self.trailer, received > Int64(Self.trailer) else {
      throw Failure(
        .verification, what: what, why: "it is \(received) bytes long, which no whole database with its checksum is",
        next: "check etcd's log, then try again", isTransient: true)
    }
    let expected = hasher.fork().finish()
    guard expected.bytes == buffer else {
      throw Failure(
        .verification, what: what, why: "etcd's checksum at the end is \(hex(buffer)), but the bytes that came give \(expected)",
        next: "try again; if it stays so, look for a faulty network card or memory", isTransient: true)
    }
    try write(Self.trailer)
  }

  consuming func commit() throws(Failure) -> (Int64, Digest) {
    let size = file.size
    let digest = hasher.fork().finish()
    try file.commit()
    return (size, digest)
  }

  consuming func abandon() { file.abandon() }
}
