internal import CPosix
internal import Glibc
public import Model

/// A file that appears under its name whole, or not at all. It is written as `NAME.part` and takes its name at `commit`.
public struct DurableFile: ~Copyable {
  public let path: String
  /// Where it is until then.
  public let part: String
  private let file: OpenFile
  public private(set) var size: Int64 = 0
  private var writtenBack: Int64 = 0
  /// So much is given to the disk at once while more is still being written, so that the wait at the end is short.
  private static let writeBack: Int64 = 8 << 20

  public init(_ path: String, mode: UInt32 = 0o600) throws(Failure) {
    let part = path + ".part"
    let file = try OpenFile(part, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
    // umask does not decide about secrets
    try retrying("cannot set the mode of \(part)") { [descriptor = file.descriptor] in fchmod(descriptor, mode) }
    self.path = path
    self.part = part
    self.file = file
  }

  public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    try file.write(bytes)
    size += Int64(bytes.count)
    if size - writtenBack >= Self.writeBack {
      // Only begins it; what goes wrong is said by `fsync`.
      _ = kg_begin_writeback(file.descriptor, Int(writtenBack), Int(size - writtenBack))
      writtenBack = size
    }
  }

  /// After this the file is on disk under its name; where it throws before that, no `.part` is left.
  public consuming func commit() throws(Failure) {
    let (path, part) = (self.path, self.part)
    do throws(Failure) {
      try file.sync()
      try file.close()
      try Faults.hit(.rename, path)
      if !Faults.losesRename(path) {
        try retrying("cannot rename \(part) to \(path)") { rename(part, path) }
      }
    } catch {
      unlink(part)
      throw error
    }
    try Files.syncDirectory(Files.directory(of: path))
  }

  /// Gives up: the `.part` is removed, what was there before stays.
  public consuming func abandon() {
    unlink(part)
  }
}
