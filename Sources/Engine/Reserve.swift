internal import Glibc
internal import Host
internal import Model

/// A little disk space held back, so that what has happened can be written down even when the disk is full.
struct Reserve {
  let path: String
  static let size = 2 << 20

  /// There is room to record the next outcome, or the step fails here: before its effect, not after.
  func ensure() throws(Failure) {
    if let info = try Files.info(path), info.size >= Self.size { return }
    let file = try OpenFile(path, O_WRONLY | O_CREAT)
    let code = posix_fallocate(file.descriptor, 0, Self.size)
    guard code == 0 else {
      unlink(path)
      throw systemFailure(code, "cannot hold back \(sizeForPeople(Int64(Self.size))) in \(Files.directory(of: path)) for the journal")
    }
  }

  /// Writes something down; where the disk is full, gives the reserve up and tries once more.
  func spend<T>(_ body: () throws(Failure) -> T) throws(Failure) -> T {
    do throws(Failure) {
      return try body()
    } catch {
      guard error.isTransient, try Files.exists(path) else { throw error }
      try Files.removeOwn(path)
      return try body()
    }
  }
}
