internal import CPosix
internal import Glibc
public import Model

/// The one owner of a file descriptor; `deinit` is the net, `close` the way.
struct Descriptor: ~Copyable, Sendable {
  let raw: Int32

  /// The corresponding C function is `close`: negative where the kernel kept an error until now.
  consuming func close() -> Int32 {
    let result = Glibc.close(raw)
    discard self
    return result
  }

  deinit { _ = Glibc.close(raw) }
}

/// An open file, and the path it was opened by.
public struct OpenFile: ~Copyable, Sendable {
  private let owned: Descriptor
  public let path: String
  public var descriptor: Int32 { owned.raw }

  /// The corresponding C function is `open`, with O_CLOEXEC.
  public init(_ path: String, _ flags: Int32, mode: UInt32 = 0o600) throws(Failure) {
    try Faults.hit(.open, path)
    self.owned = Descriptor(raw: try retrying("cannot open \(path)") { kg_open(path, flags, mode) })
    self.path = path
  }

  public init(adopting descriptor: Int32, path: String) {
    self.owned = Descriptor(raw: descriptor)
    self.path = path
  }

  /// Writes all of the bytes, however many calls that takes.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    var done = 0
    while done < bytes.count {
      let allowed = try Faults.allowance(.write, path, bytes.count - done)
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done..<done + allowed])
      done += try retrying("cannot write \(path)") { Glibc.write(descriptor, rest.baseAddress, rest.count) }
    }
  }

  public func write(_ bytes: [UInt8]) throws(Failure) {
    try bytes.withBytes { (raw) throws(Failure) in try write(raw) }
  }

  /// Reads up to the buffer's size; 0 at the end.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
    try Faults.hit(.read, path)
    return try retrying("cannot read \(path)") { Glibc.read(descriptor, buffer.baseAddress, buffer.count) }
  }

  public func readToEnd(limit: Int = 64 << 20) throws(Failure) -> [UInt8] {
    var out: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = try buffer.withMutableBytes { (raw) throws(Failure) in try read(into: raw) }
      if count == 0 { return out }
      out.append(contentsOf: buffer[..<count])
      guard out.count <= limit else {
        throw Failure(what: "cannot read \(path)", why: "it is larger than \(sizeForPeople(Int64(limit)))", next: "check the path")
      }
    }
  }

  public func sync() throws(Failure) {
    try Faults.hit(.sync, path)
    try retrying("cannot write \(path) to disk") { fsync(descriptor) }
  }

  public func info() throws(Failure) -> FileInfo {
    var raw = stat()
    try retrying("cannot look at \(path)") { fstat(descriptor, &raw) }
    return FileInfo(raw)
  }

  /// Closes it, and says so if the kernel kept an error until now.
  public consuming func close() throws(Failure) {
    let path = self.path
    let result = owned.close()
    let code = errno
    if result != 0 && code != EINTR { throw systemFailure(code, "cannot close \(path)") }
  }
}

/// What `stat` says, as far as kguard asks.
public struct FileInfo: Sendable, Equatable {
  public enum Kind: String, Sendable { case file, directory, link, other }
  public let kind: Kind
  public let size: Int64
  public let mode: UInt32
  public let owner: UInt32
  public let group: UInt32
  public let device: UInt64
  public let inode: UInt64
  public let modified: Timestamp

  init(_ raw: stat) {
    switch raw.st_mode & S_IFMT {
    case S_IFREG: kind = .file
    case S_IFDIR: kind = .directory
    case S_IFLNK: kind = .link
    default: kind = .other
    }
    size = Int64(raw.st_size)
    mode = raw.st_mode & 0o7777
    owner = raw.st_uid
    group = raw.st_gid
    device = UInt64(raw.st_dev)
    inode = UInt64(raw.st_ino)
    modified = Timestamp(milliseconds: Int64(raw.st_mtim.tv_sec) * 1000 + Int64(raw.st_mtim.tv_nsec) / 1_000_000)
  }
}

extension Array<UInt8> {
  /// `withUnsafeBytes`, with the type of what is thrown kept.
  public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws(Failure) -> R) throws(Failure) -> R {
    try withUnsafeBufferPointer { (buffer) throws(Failure) in try body(UnsafeRawBufferPointer(buffer)) }
  }

  public mutating func withMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> R) throws(Failure) -> R {
    try withUnsafeMutableBufferPointer { (buffer) throws(Failure) in try body(UnsafeMutableRawBufferPointer(buffer)) }
  }
}
