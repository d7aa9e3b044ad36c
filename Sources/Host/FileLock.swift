internal import CPosix
internal import Glibc
public import Model

/// An OS lock (`flock`) on a file, held as long as the value lives or a child has the descriptor.
public struct FileLock: ~Copyable, Sendable {
  private let file: OpenFile
  public var descriptor: Int32 { file.descriptor }

  /// Nil where another process holds it.
  public static func take(_ path: String) throws(Failure) -> FileLock? {
    while true {
      let file = try OpenFile(path, O_RDWR | O_CREAT, mode: 0o600)
      while flock(file.descriptor, LOCK_EX | LOCK_NB) != 0 {
        let code = errno
        if code == EWOULDBLOCK { return nil }
        if code != EINTR { throw systemFailure(code, "cannot lock \(path)") }
      }
      // The file may have been replaced between open and flock; only the one under the name counts.
      if let named = try Files.info(path), try file.info().inode == named.inode { return FileLock(file: file) }
    }
  }

  /// Adopts a descriptor that holds the lock already, as a child inherits it.
  public init(adopting descriptor: Int32, path: String) { file = OpenFile(adopting: descriptor, path: path) }

  /// True while the locked file is the one under its name.
  public func isCurrent() throws(Failure) -> Bool {
    guard let named = try Files.info(file.path) else { return false }
    return try file.info().inode == named.inode
  }

  private init(file: consuming OpenFile) { self.file = file }
}
