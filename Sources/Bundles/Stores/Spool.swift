internal import Glibc
internal import Host
internal import Model

/// A file of kguard's own between a store and bytes that it can't stream. Gone with the value.
struct Spool: ~Copyable {
  let path: String

  init(in directory: String) throws(Failure) {
    try Files.makeDirectory(directory, mode: 0o700)
    path = directory + "/spool-\(hex(randomBytes(8)))"
  }

  deinit { try? Files.removeOwn(path) }

  /// Writes the source's bytes into it; what comes back sends them from there.
  func fill(_ source: UploadSource, _ transfer: Transfer) throws(Failure) -> UploadSource {
    let file = try OpenFile(path, O_WRONLY | O_CREAT | O_EXCL)
    let (size, digest) = try source.run { (bytes) throws(Failure) in
      try transfer.check("cannot prepare the data for sending")
      try file.write(bytes)
    }
    try file.close()
    return .file(path, size: size, sha256: digest)
  }
}
