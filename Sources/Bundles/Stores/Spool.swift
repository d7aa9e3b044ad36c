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
    let (size, digest) = try write(source, to: path, transfer)
    return .file(path, size: size, sha256: digest)
  }
}

/// Writes the source's bytes into a new file.
func write(_ source: UploadSource, to path: String, _ transfer: Transfer) throws(Failure) -> (size: Int64, sha256: Digest) {
  let file = NewFile(try OpenFile(path, O_WRONLY | O_CREAT | O_EXCL))
  let made = try source.run { (bytes) throws(Failure) in
    try transfer.check("cannot prepare the data for sending")
    try file.write(bytes)
  }
  try file.close()
  return made
}

/// The file, for the closure that writes it and the function that closes it.
private final class NewFile {
  private var file: OpenFile?

  init(_ file: consuming OpenFile) { self.file = consume file }
  func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) { try file?.write(bytes) }
  func close() throws(Failure) { try file.take()?.close() }
}
