internal import Glibc
internal import Host
public import Model

/// Where the bytes of an upload come from. They can be made again from the start, so that an upload can be tried again.
public struct UploadSource {
  public typealias Producer = (_ sink: @escaping ByteSink) throws(Failure) -> Void

  /// Exact where it is known beforehand.
  public let size: Int64?
  /// No more than this will come; from it a store chooses the size of its parts.
  public let atMost: Int64
  public let sha256: Digest?
  /// The file that holds exactly these bytes, if one does.
  public let path: String?
  let produce: Producer

  /// A file of this machine. It must still have this size and digest when it is sent.
  public static func file(_ path: String, size: Int64, sha256: Digest) -> UploadSource {
    UploadSource(size: size, atMost: size, sha256: sha256, path: path) { (sink) throws(Failure) in
      try readFile(path, into: sink)
    }
  }

  public static func bytes(_ bytes: [UInt8]) -> UploadSource {
    let size = Int64(bytes.count)
    return UploadSource(size: size, atMost: size, sha256: Host.sha256(bytes), path: nil) { (sink) throws(Failure) in
      try bytes.withBytes { (raw) throws(Failure) in try sink(raw) }
    }
  }

  /// Bytes that are made on the way, such as by sealing: `producer` runs on the calling thread, once a try, while earlier
  /// bytes are already being sent.
  public static func made(atMost: Int64, by producer: @escaping Producer) -> UploadSource {
    UploadSource(size: nil, atMost: atMost, sha256: nil, path: nil, produce: producer)
  }

  /// Makes the bytes once, counts and hashes them, and refuses them at the end where they are not what was promised.
  func run(into sink: @escaping ByteSink) throws(Failure) -> (size: Int64, sha256: Digest) {
    let running = RunningDigest()
    try produce { (bytes) throws(Failure) in
      running.update(bytes)
      guard running.size <= atMost else { throw changed("it has more than \(atMost) bytes") }
      try sink(bytes)
    }
    let (count, digest) = running.finish()
    if let size, size != count { throw changed("it has \(count) bytes, expected \(size)") }
    if let sha256, sha256 != digest { throw changed("its sha256 is \(digest), expected \(sha256)") }
    return (count, digest)
  }

  private func changed(_ why: String) -> Failure {
    Failure(
      .verification, what: "cannot send \(path ?? "the data") off-site", why: "it is not what it was: \(why)",
      next: "verify the local bundle with `kguard bundle verify`, and look at dmesg for disk errors")
  }
}

/// Size and SHA-256 of bytes as they pass.
final class RunningDigest {
  private var hasher: SHA256Hasher? = SHA256Hasher()
  private(set) var size: Int64 = 0

  func update(_ bytes: UnsafeRawBufferPointer) {
    hasher?.update(bytes)
    size += Int64(bytes.count)
  }

  /// Once.
  func finish() -> (size: Int64, sha256: Digest) {
    guard let hasher = hasher.take() else { return (size, .zero) }
    return (size, hasher.finish())
  }
}

/// Reads a file from a place to its end, a block at a time.
func readFile(_ path: String, from offset: Int64 = 0, into sink: ByteSink) throws(Failure) {
  let file = try OpenFile(path, O_RDONLY)
  if offset > 0, lseek(file.descriptor, Int(offset), SEEK_SET) < 0 { throw systemFailure(errno, "cannot read \(path)") }
  posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
  var buffer = [UInt8](repeating: 0, count: 1 << 18)
  while true {
    let count = try buffer.withMutableBytes { (raw) throws(Failure) in try file.read(into: raw) }
    if count == 0 { return }
    try buffer.withBytes { (raw) throws(Failure) in try sink(UnsafeRawBufferPointer(rebasing: raw[..<count])) }
  }
}

/// Runs the source on this thread while `send` consumes its bytes on another; bounded memory lies between them. The last bytes
/// reach `send` only after the source has been found to be what was promised. `made` is nil where `send` ended without
/// wanting all of the bytes.
func overlapped<T: Sendable>(
  _ source: UploadSource, _ transfer: Transfer,
  send: @escaping @Sendable (BlockReader) throws(Failure) -> T
) throws(Failure) -> (sent: T, made: (size: Int64, sha256: Digest)?) {
  let queue = try BlockQueue(blocks: 8, of: 1 << 18)
  let outcome = Outcome<T>()
  let workers = Workers()
  let unwanted = Failure(what: "cannot send the data", why: "the server ended the transfer early", next: "run the same command again")
  try workers.start {
    do throws(Failure) {
      outcome.set(try send(BlockReader(queue)))
      queue.fail(unwanted)
    } catch {
      queue.fail(error)
    }
  }
  var made: (size: Int64, sha256: Digest)?
  do throws(Failure) {
    let filler = BlockFiller(queue)
    var done: Int64 = 0
    let run = try source.run { (bytes) throws(Failure) in
      try transfer.check("cannot send the data")
      try filler.write(bytes)
      done += Int64(bytes.count)
      transfer.progress(Progress(done: done, total: source.size))
    }
    try filler.finish()
    made = run
  } catch {
    queue.fail(error)
  }
  workers.join()
  guard let sent = outcome.value else { throw queue.failure ?? unwanted }
  if let failure = queue.failure, failure != unwanted { throw failure }
  return (sent, made)
}
