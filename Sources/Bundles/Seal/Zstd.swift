internal import CZstd
internal import Glibc
internal import Host
internal import Model

/// zstd streams. This file is the only one that turns libzstd's codes into a `Failure`.
enum Zstd {
  static let magic: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd]
  static let levels = 1...19
  /// What `zstd -d` opens without `--long`, and the most memory that opening takes: 128 MiB.
  static let largestWindow: Int32 = 27

  fileprivate static func check(_ code: Int, _ what: String) throws(Failure) {
    guard ZSTD_isError(code) != 0 else { return }
    let why = "zstd: \(String(cString: ZSTD_getErrorName(code)))"
    switch ZSTD_getErrorCode(code) {
    case ZSTD_error_memory_allocation, ZSTD_error_parameter_unsupported, ZSTD_error_parameter_outOfBound:
      throw Failure(what: what, why: why, next: "free memory, or check the installation of libzstd1")
    case ZSTD_error_frameParameter_windowTooLarge:
      throw Failure(
        .verification, what: what, why: "it was compressed with a window of more than 128 MiB (`zstd --long` or `--ultra`)",
        next: "decompress it with `zstd -d --long=31`")
    default:
      throw Failure(
        .verification, what: what, why: why + ": the file is damaged, or something else than a sealed file",
        next: "do not restore from it; fetch it again, or take another copy or another bundle")
    }
  }
}

/// Compresses bytes as they come to one frame with a checksum.
final class ZstdCompressor {
  private let context: OpaquePointer
  private var output: [UInt8]
  private let sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  private static let what = "cannot compress"
  /// Smaller ones compress less well and hand over more often, larger ones cost memory: some five of them, and one more a worker.
  private static let jobSize: Int32 = 2 << 20

  /// `workers` are threads beside the caller's, so that compression goes on while the caller hashes, encrypts and sends.
  init(level: Int, workers: Int, sink: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
    guard Zstd.levels.contains(level) else {
      throw Failure(
        .usage, what: "cannot compress with level \(level)", why: "there are the levels 1 to 19", next: "leave it out, or use 3")
    }
    guard let context = ZSTD_createCCtx() else {
      throw Failure(what: Self.what, why: "there is no memory for it", next: "free memory, then run the same command again")
    }
    self.context = context
    self.sink = sink
    output = [UInt8](repeating: 0, count: ZSTD_CStreamOutSize())
    try set(ZSTD_c_compressionLevel, Int32(level))
    try set(ZSTD_c_checksumFlag, 1)
    // A libzstd without threads says so here, and compresses in the caller's.
    if workers > 0, ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_nbWorkers, Int32(clamping: min(workers, 64)))) == 0 {
      try set(ZSTD_c_jobSize, Self.jobSize)
    }
  }

  deinit { ZSTD_freeCCtx(context) }

  private func set(_ parameter: ZSTD_cParameter, _ value: Int32) throws(Failure) {
    try Zstd.check(ZSTD_CCtx_setParameter(context, parameter, value), Self.what)
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
    while input.pos < input.size { _ = try step(&input, ZSTD_e_continue) }
  }

  func finish() throws(Failure) {
    var input = ZSTD_inBuffer(src: nil, size: 0, pos: 0)
    while try step(&input, ZSTD_e_end) != 0 {}
  }

  /// What libzstd still holds back.
  private func step(_ input: inout ZSTD_inBuffer, _ how: ZSTD_EndDirective) throws(Failure) -> Int {
    try output.withMutableBytes { (raw) throws(Failure) in
      var out = ZSTD_outBuffer(dst: raw.baseAddress, size: raw.count, pos: 0)
      let before = input.pos
      let left = ZSTD_compressStream2(context, &out, &input, how)
      try Zstd.check(left, Self.what)
      // A worker that has given its result but not yet come to rest: libzstd does not wait for it.
      if out.pos == 0 && input.pos == before && left != 0 { sched_yield() }
      if out.pos > 0 { try sink(UnsafeRawBufferPointer(rebasing: raw[..<out.pos])) }
      return left
    }
  }
}

/// Decompresses one or more frames as they come.
final class ZstdDecompressor {
  private let context: OpaquePointer
  private var output: [UInt8]
  private let sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  /// What libzstd wants to see before the frame ends: 0 between frames; nil before the first.
  private var wanted: Int?
  private static let what = AgeHeader.what

  init(sink: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
    guard let context = ZSTD_createDCtx() else {
      throw Failure(what: Self.what, why: "there is no memory for it", next: "free memory, then run the same command again")
    }
    self.context = context
    self.sink = sink
    output = [UInt8](repeating: 0, count: ZSTD_DStreamOutSize())
    try Zstd.check(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, Zstd.largestWindow), Self.what)
  }

  deinit { ZSTD_freeDCtx(context) }

  func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
    try output.withMutableBytes { (raw) throws(Failure) in
      var isFull = false
      while input.pos < input.size || isFull {
        var out = ZSTD_outBuffer(dst: raw.baseAddress, size: raw.count, pos: 0)
        let left = ZSTD_decompressStream(context, &out, &input)
        try Zstd.check(left, Self.what)
        wanted = left
        if out.pos > 0 { try sink(UnsafeRawBufferPointer(rebasing: raw[..<out.pos])) }
        // Between frames there is nothing more to come out.
        isFull = out.pos == out.size && left != 0
      }
    }
  }

  func finish() throws(Failure) {
    if wanted == 0 { return }
    throw Failure(
      .verification, what: Self.what, why: wanted == nil ? "it is empty" : "its compressed stream ends too early",
      next: "do not restore from it; fetch it again, or take another copy or another bundle")
  }
}
