internal import Host
internal import Model
internal import Synchronization

/// A snapshot on its way into a file. The last 32 bytes that have come are held back: at the end they are etcd's sha256 of all before.
/// Hashing and writing have a thread of their own; a few buffers between it and the network bound the memory.
final class IncomingSnapshot {
  private let file: HashedFile
  private let writer: BackgroundConsumer
  private var buffer: [UInt8] = []
  private(set) var received: Int64 = 0
  /// As the first message announced it; 0 before.
  private(set) var total: Int64 = 0

  private static let capacity = 1 << 20
  private static let trailer = 32

  init(_ path: String, tap: (_ part: String) -> SnapshotTap? = { _ in nil }) throws(Failure) {
    let file = try HashedFile(path, tap)
    self.file = file
    do throws(Failure) {
      writer = try BackgroundConsumer(depth: 4) { (bytes) throws(Failure) in try file.write(bytes) }
    } catch {
      file.abandon()
      throw error
    }
    reserve()
  }

  private func reserve() { buffer.reserveCapacity(Self.capacity + (64 << 10)) }

  func take(_ message: UnsafeRawBufferPointer) throws(Failure) {
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

  private func flush() throws(Failure) {
    let held = Array(buffer.suffix(Self.trailer))
    buffer.removeLast(held.count)
    let full = buffer
    buffer = []
    reserve()
    buffer += held
    if !full.isEmpty { try writer.submit(full) }
  }

  /// Nothing may be missing, and the checksum has to be right.
  func verify(_ endpoint: EtcdEndpoint) throws(Failure) {
    try flush()
    try writer.finish()
    let what = "cannot take a snapshot of etcd at \(endpoint.name)"
    guard received % 512 == Int64(Self.trailer), buffer.count == Self.trailer, received > Int64(Self.trailer) else {
      throw Failure(
        .verification, what: what, why: "it is \(received) bytes long, which no whole database with its checksum is",
        next: "check etcd's log, then try again", isTransient: true)
    }
    let expected = file.digest()
    guard expected?.bytes == buffer else {
      throw Failure(
        .verification, what: what,
        why: "etcd's checksum at the end is \(hex(buffer)), but the bytes that came give \(expected?.description ?? "none")",
        next: "try again; if it stays so, look for a faulty network card or memory", isTransient: true)
    }
    try file.write(buffer)
  }

  /// The size and the digest of the whole file, which is on disk now.
  func commit() throws(Failure) -> (Int64, Digest) { try file.commit() }

  func abandon() {
    try? writer.finish()
    file.abandon()
  }
}

/// Is told how much of a snapshot is in its file; it has no say in whether the snapshot succeeds, and must not wait.
public typealias SnapshotTap = @Sendable (_ size: Int64) -> Void

/// A durable file and the sha256 of what is in it; used up by `commit` or `abandon`.
private final class HashedFile: Sendable {
  private struct Open: ~Copyable {
    var file: DurableFile
    var hasher = SHA256Hasher()
  }

  private let open: Mutex<Open?>
  private let tap: SnapshotTap?

  init(_ path: String, _ tap: (_ part: String) -> SnapshotTap?) throws(Failure) {
    let file = try DurableFile(path)
    self.tap = tap(file.part)
    open = Mutex(Open(file: file))
  }

  func write(_ bytes: [UInt8]) throws(Failure) {
    let size = try open.withLock { (open) throws(Failure) in
      try bytes.withBytes { (raw) throws(Failure) in
        open?.hasher.update(raw)
        try open?.file.write(raw)
      }
      return open?.file.size ?? 0
    }
    tap?(size)
  }

  func digest() -> Digest? { open.withLock { $0?.hasher.fork().finish() } }

  func commit() throws(Failure) -> (Int64, Digest) {
    guard let taken = open.withLock({ $0.take() }) else {
      throw Failure(what: "cannot finish the snapshot", why: "it is finished already", next: "take another")
    }
    let size = taken.file.size
    let digest = taken.hasher.fork().finish()
    try taken.file.commit()
    return (size, digest)
  }

  func abandon() {
    if let taken = open.withLock({ $0.take() }) { taken.file.abandon() }
  }
}
