internal import Glibc
internal import Host
public import Model

extension RunJournal {
  /// Writes the journal as it is at this moment into a file that needs no other beside it. Whoever writes meanwhile is not held up.
  public func copy(to path: String) throws(Failure) {
    // SQLite takes an empty file as it is; its own would have the umask's mode.
    let file = try OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
    try file.close()
    try database.run("VACUUM INTO ?", .text(path))
  }
}
