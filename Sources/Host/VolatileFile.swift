internal import CPosix
internal import Glibc

extension Files {
  /// Replaces a file's content at once, for readers of this moment only: nothing is forced to disk, and where it cannot be written, nothing
  /// is lost. No fault that a test injects is hit here.
  public static func replaceVolatile(_ path: String, with bytes: [UInt8]) {
    let part = path + ".part"
    let file = kg_open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { return }
    let count = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
    if close(file) != 0 || count != bytes.count || rename(part, path) != 0 { unlink(part) }
  }

  /// Takes such a file away; says nothing where it is gone.
  public static func removeVolatile(_ path: String) { unlink(path) }
}
