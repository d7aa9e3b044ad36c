internal import Host
public import Model

/// Compresses bytes as they come into a file that appears whole or not at all; `zstd -d` opens it.
public final class ZstdFile {
  private let target: Target
  private let compressor: ZstdCompressor

  public init(_ path: String, mode: UInt32 = 0o600, level: Int = 3) throws(Failure) {
    let target = try Target(path, mode: mode)
    self.target = target
    compressor = try ZstdCompressor(level: level, workers: 0) { (bytes) throws(Failure) in try target.write(bytes) }
  }

  public func write(_ bytes: [UInt8]) throws(Failure) {
    try bytes.withBytes { (raw) throws(Failure) in try compressor.write(raw) }
  }

  /// After this the file is on disk under its name. Without it nothing is left.
  public func commit() throws(Failure) {
    try compressor.finish()
    try target.commit()
  }

  /// What the compressor's sink and the owner share.
  private final class Target {
    private var file: DurableFile?

    init(_ path: String, mode: UInt32) throws(Failure) { file = try DurableFile(path, mode: mode) }

    func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) { try file?.write(bytes) }

    func commit() throws(Failure) { try file.take()?.commit() }

    deinit { file.take()?.abandon() }
  }
}

/// Decompresses a whole file of zstd, giving the bytes to `sink` as they come.
public func decompressZstd(_ path: String, into sink: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
  let decompressor = try ZstdDecompressor(sink: sink)
  var offset: Int64 = 0
  while true {
    let bytes = try Files.read(path, from: offset, upTo: 1 << 18)
    if bytes.isEmpty { break }
    offset += Int64(bytes.count)
    try bytes.withBytes { (raw) throws(Failure) in try decompressor.write(raw) }
  }
  try decompressor.finish()
}
