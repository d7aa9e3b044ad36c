internal import Glibc
public import Host
public import Model

extension Sealer {
  /// Seals a whole file. The sealed one takes its name only when it is complete and on disk.
  public static func seal(
    file: String, to sealed: String, recipients: [AgeRecipient], level: Int = 3, workers: Int = 1, stop: StopSignal? = nil,
    progress: (Progress) -> Void = { _ in }
  ) throws(Failure) -> Sealed {
    let source = try Source(file, what: "cannot seal \(file)", stop: stop)
    return try Target.fill(sealed, failpoint: "seal/commit") { (sink) throws(Failure) in
      let sealer = try Sealer(recipients: recipients, level: level, workers: workers, sink: sink)
      try source.pour(into: sealer.write, progress: progress)
      return try sealer.finish()
    }
  }

  /// Seals a whole file into a sink, as the body of an upload is made.
  public static func seal(
    file: String, recipients: [AgeRecipient], level: Int = 3, workers: Int = 1, hashing: HashedSides = .both, stop: StopSignal? = nil,
    progress: (Progress) -> Void = { _ in }, into sink: @escaping Sink
  ) throws(Failure) -> Sealed {
    let source = try Source(file, what: "cannot seal \(file)", stop: stop)
    let sealer = try Sealer(recipients: recipients, level: level, workers: workers, hashing: hashing, sink: sink)
    try source.pour(into: sealer.write, progress: progress)
    return try sealer.finish()
  }
}

extension Opener {
  /// Opens a whole sealed file. The plain one takes its name only when all of it is authentic, complete and on disk.
  public static func open(
    file: String, to plain: String, identities: [AgeIdentity], limit: Int64 = .max, stop: StopSignal? = nil,
    progress: (Progress) -> Void = { _ in }
  ) throws(Failure) -> Sealed {
    let source = try Source(file, what: "cannot open \(file)", stop: stop)
    return try Target.fill(plain, failpoint: "seal/open-commit") { (sink) throws(Failure) in
      let opener = try Opener(identities: identities, limit: limit, sink: sink)
      do throws(Failure) {
        try source.pour(into: opener.write, progress: progress)
        return try opener.finish()
      } catch {
        throw error.opening(file)
      }
    }
  }
}

/// A file read once from its start to its end, in blocks, until somebody asks to stop at once.
private struct Source: ~Copyable {
  static let blockSize = 128 << 10
  private let file: OpenFile
  private let what: String
  private let stop: StopSignal?
  let size: Int64

  init(_ path: String, what: String, stop: StopSignal?) throws(Failure) {
    let file = try OpenFile(path, O_RDONLY)
    size = try file.info().size
    posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    self.file = file
    self.what = what
    self.stop = stop
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
    if let stop, stop.isNow {
      throw Failure(.interrupted, what: what, why: "it was stopped", next: "run `kguard resume` to go on, or the same command again")
    }
    return try file.read(into: buffer)
  }

  func pour(into sink: Sealer.Sink, progress: (Progress) -> Void) throws(Failure) {
    var buffer = [UInt8](repeating: 0, count: Self.blockSize)
    var done: Int64 = 0
    while true {
      let count = try buffer.withMutableBytes { (raw) throws(Failure) in
        let count = try read(into: raw)
        if count > 0 { try sink(UnsafeRawBufferPointer(rebasing: raw[..<count])) }
        return count
      }
      if count == 0 { return }
      done += Int64(count)
      progress(Progress(done: done, total: max(size, done)))
    }
  }
}

/// A durable file that leaves nothing behind where it cannot be completed.
private final class Target {
  private var file: DurableFile?

  private init(_ path: String) throws(Failure) { file = try DurableFile(path) }

  static func fill<R>(
    _ path: String, failpoint name: String, _ body: (@escaping Sealer.Sink) throws(Failure) -> R
  ) throws(Failure) -> R {
    let target = try Target(path)
    do {
      let result = try body { (bytes) throws(Failure) in try target.file?.write(bytes) }
      try failpoint(name)
      try target.file.take()?.commit()
      return result
    } catch {
      if let file = target.file.take() { file.abandon() } else { unlink(path + ".part") }
      throw error
    }
  }
}
