internal import Glibc
public import Model

/// Symbolic links, and owners of single files.
extension Files {
  /// Where a symbolic link leads, as it is written.
  public static func linkTarget(_ path: String) throws(Failure) -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = try retrying("cannot read the link \(path)") { readlink(path, &buffer, buffer.count) }
    return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Makes a symbolic link where there is nothing yet.
  public static func makeLink(_ path: String, to target: String) throws(Failure) {
    try retrying("cannot make the link \(path)") { symlink(target, path) }
  }

  /// Gives one file, or one link itself, to an owner. Where this process may not, the file stays its own.
  public static func setOwner(_ path: String, owner: UInt32, group: UInt32) throws(Failure) {
    guard geteuid() == 0 else { return }
    try retrying("cannot change the owner of \(path)") { lchown(path, owner, group) }
  }

  /// True where this process has all rights on this machine.
  public static var isRoot: Bool { geteuid() == 0 }

  /// True where this process may write there.
  public static func mayWrite(_ path: String) -> Bool { access(path, W_OK) == 0 }
}
