internal import CPosix
internal import Glibc
public import Model

/// A file mapped read-only. Nothing is read outside of it, whatever offset a file's content may name.
///
/// A shared `flock` is held meanwhile, as bbolt itself does, so that no etcd writes it; one that has it open is a refusal.
/// A program that does not ask for the lock can still cut the file short under the map, which the kernel answers with
/// SIGBUS; a change that leaves its size is found by `checkUnchanged`.
public final class MappedFile: Sendable {
  public let path: String
  public let count: Int
  private let before: FileInfo
  private let descriptor: Int32
  private nonisolated(unsafe) let base: UnsafeRawPointer

  public init(_ path: String) throws(Failure) {
    // Not to wait for the other end where the path is a pipe.
    let file = try OpenFile(path, O_RDONLY | O_NONBLOCK)
    let info = try file.info()
    guard info.kind == .file else {
      throw Failure(what: "cannot read \(path)", why: "it is not a regular file", next: "check the path")
    }
    guard info.size > 0, let size = Int(exactly: info.size) else {
      throw Failure(.verification, what: "cannot read \(path)", why: "it is empty", next: "take another copy of it")
    }
    try Self.lock(file.descriptor, path)
    guard let map = mmap(nil, size, PROT_READ, MAP_SHARED, file.descriptor, 0), map != MAP_FAILED else {
      throw systemFailure(errno, "cannot map \(path)")
    }
    let kept = dup(file.descriptor)
    guard kept >= 0 else {
      let code = errno
      munmap(map, size)
      throw systemFailure(code, "cannot open \(path)")
    }
    _ = fcntl(kept, F_SETFD, FD_CLOEXEC)
    self.path = path
    self.count = size
    self.before = info
    self.descriptor = kept
    self.base = UnsafeRawPointer(map)
  }

  deinit {
    munmap(UnsafeMutableRawPointer(mutating: base), count)
    close(descriptor)
  }

  private static func lock(_ descriptor: Int32, _ path: String) throws(Failure) {
    while flock(descriptor, LOCK_SH | LOCK_NB) != 0 {
      let code = errno
      if code == EWOULDBLOCK {
        throw Failure(
          what: "cannot read \(path)", why: "another process holds its lock, most likely the etcd that it belongs to",
          next: "stop that etcd first, or take a snapshot through it", isTransient: true)
      }
      // Some network filesystems have no locks; then `checkUnchanged` is what is left.
      if code != EINTR { return }
    }
  }

  /// All of it.
  public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  /// Part of it; nil where that is not wholly inside.
  @inline(__always)
  public func bytes(at offset: Int, count wanted: Int) -> UnsafeRawBufferPointer? {
    guard offset >= 0, wanted >= 0, offset <= count, wanted <= count - offset else { return nil }
    return UnsafeRawBufferPointer(start: base + offset, count: wanted)
  }

  /// Throws where the file is no longer what it was when it was opened.
  public func checkUnchanged() throws(Failure) {
    var raw = stat()
    try retrying("cannot look at \(path)") { fstat(descriptor, &raw) }
    let now = FileInfo(raw)
    guard now.size == before.size, now.modified == before.modified else {
      throw Failure(
        .verification, what: "cannot read \(path)", why: "it changed while it was read",
        next: "find out which program writes it, then run the same command again", isTransient: true)
    }
  }
}
