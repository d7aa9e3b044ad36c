internal import Glibc
public import Model

extension Files {
  /// Whether a process holds a `flock` on the file, as bbolt does on its database. False where there is no file. The lock is tried
  /// without waiting and given back at once.
  public static func isLocked(_ path: String) throws(Failure) -> Bool {
    guard try info(path) != nil else { return false }
    let file = try OpenFile(path, O_RDONLY)
    while flock(file.descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      if code == EWOULDBLOCK { return true }
      if code != EINTR { throw systemFailure(code, "cannot tell whether \(path) is locked") }
    }
    flock(file.descriptor, LOCK_UN)
    return false
  }

  /// Copies a file that nobody may write meanwhile: a shared `flock` keeps bbolt from opening it. Durable, and there whole or not at all.
  /// False where a process holds the lock.
  public static func copyUnlocked(_ from: String, to: String, mode: UInt32 = 0o600) throws(Failure) -> Bool {
    let source = try OpenFile(from, O_RDONLY)
    while flock(source.descriptor, LOCK_SH | LOCK_NB) != 0 {
      let code = errno
      if code == EWOULDBLOCK { return false }
      if code != EINTR { throw systemFailure(code, "cannot lock \(from)") }
    }
    let part = to + ".part"
    try removeOwn(part)
    try copyFile(from, to: part, mode: mode)
    try OpenFile(part, O_RDONLY).sync()
    try removeOwn(to)
    try move(part, to: to)
    flock(source.descriptor, LOCK_UN)
    return true
  }
}
