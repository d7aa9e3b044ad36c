public import Host
public import Model

/// What sealing, or opening, saw go by on both sides.
public struct Sealed: Sendable, Hashable {
  public let plainSize: Int64
  /// Nil where the stream was told not to hash that side.
  public let plainSHA256: Digest?
  public let sealedSize: Int64
  public let sealedSHA256: Digest?
}

/// Of which sides a stream takes the digest. Whoever feeds it, or takes what it gives, may have that side's digest already.
public struct HashedSides: OptionSet, Sendable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }

  public static let plain = HashedSides(rawValue: 1)
  public static let sealed = HashedSides(rawValue: 2)
  public static let both: HashedSides = [.plain, .sealed]
}

/// The name that a file bears off-site.
public func sealedName(_ plain: String, encrypted: Bool) -> String { plain + (encrypted ? ".zst.age" : ".zst") }

/// Compresses, encrypts and hashes bytes in one pass, in bounded memory. `age -d | zstd -d` opens what comes out.
/// After a failure it is of no more use: every later call gives the same failure.
public final class Sealer {
  public typealias Sink = (UnsafeRawBufferPointer) throws(Failure) -> Void

  private let compressor: ZstdCompressor
  private let encryptor: AgeEncryptor?
  private let outlet: Meter
  private let inlet: Meter
  private var end: End = .open

  /// Without recipients it only compresses (`encryption: none`). `workers` are threads of zstd beside the caller's: 0 does all in
  /// the caller's, 1 hashes and encrypts while the next part is compressed. `sink` gets the header before this returns.
  public init(
    recipients: [AgeRecipient], level: Int = 3, workers: Int = 1, hashing: HashedSides = .both,
    random: (Int) -> [UInt8] = randomBytes, sink: @escaping Sink
  ) throws(Failure) {
    let outlet = Meter(hashes: hashing.contains(.sealed), sink)
    self.outlet = outlet
    inlet = Meter(hashes: hashing.contains(.plain))
    if recipients.isEmpty {
      encryptor = nil
      compressor = try ZstdCompressor(level: level, workers: workers, sink: outlet.write)
    } else {
      let encryptor = try AgeEncryptor(recipients: recipients, random: random, sink: outlet.write)
      self.encryptor = encryptor
      compressor = try ZstdCompressor(level: level, workers: workers, sink: encryptor.write)
    }
  }

  /// Bytes of the plain file so far.
  public var plainSize: Int64 { inlet.size }
  public var sealedSize: Int64 { outlet.size }

  public func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    try end.guarding { () throws(Failure) in
      try compressor.write(bytes)
      try inlet.write(bytes)
    }
  }

  /// Gives out what was held back. Only now is the sealed file complete.
  public func finish() throws(Failure) -> Sealed {
    try end.guarding { () throws(Failure) in
      try compressor.finish()
      try encryptor?.finish()
    }
    return try end.close(inlet: inlet, outlet: outlet)
  }
}

/// The mirror of `Sealer`: takes a sealed file as it arrives, gives out the plain one. What it gives out is authentic, but only
/// `finish` knows that nothing is missing; until then the output must not bear a name that anybody trusts.
public final class Opener {
  private let decryptor: AgeDecryptor?
  private let decompressor: ZstdDecompressor
  private let outlet: Meter
  private let inlet: Meter
  private var end: End = .open

  /// Without identities the file must be compressed and not encrypted; with some it must be encrypted. More than `limit` bytes of
  /// plain file are refused.
  public init(
    identities: [AgeIdentity], limit: Int64 = .max, hashing: HashedSides = .both, sink: @escaping Sealer.Sink
  ) throws(Failure) {
    let outlet = Meter(hashes: hashing.contains(.plain), limit: limit, sink)
    self.outlet = outlet
    inlet = Meter(hashes: hashing.contains(.sealed))
    let decompressor = try ZstdDecompressor(sink: outlet.write)
    self.decompressor = decompressor
    decryptor = identities.isEmpty ? nil : AgeDecryptor(identities: identities, sink: decompressor.write)
  }

  public var sealedSize: Int64 { inlet.size }
  public var plainSize: Int64 { outlet.size }

  public func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    try end.guarding { () throws(Failure) in
      if let decryptor {
        try decryptor.write(bytes)
      } else {
        try refuseEncrypted(bytes)
        try decompressor.write(bytes)
      }
      try inlet.write(bytes)
    }
  }

  /// Succeeds only where the whole file went through, and was whole.
  public func finish() throws(Failure) -> Sealed {
    try end.guarding { () throws(Failure) in
      try decryptor?.finish()
      try decompressor.finish()
    }
    return try end.close(inlet: outlet, outlet: inlet)
  }

  private func refuseEncrypted(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    // One byte is enough: no zstd frame begins with it.
    guard inlet.size == 0, bytes.first == AgeHeader.version.first else { return }
    throw Failure(
      .usage, what: AgeHeader.what, why: "it is encrypted, and no key was given",
      next: "give the identity file whose public key the file was sealed to")
  }
}

/// Counts what goes through to a sink, and hashes it where that is wanted.
private final class Meter {
  private(set) var size: Int64 = 0
  private var hasher: SHA256Hasher?
  private let limit: Int64
  private let sink: Sealer.Sink?

  init(hashes: Bool, limit: Int64 = .max, _ sink: Sealer.Sink? = nil) {
    hasher = hashes ? SHA256Hasher() : nil
    self.limit = limit
    self.sink = sink
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    guard Int64(bytes.count) <= limit - size else {
      throw Failure(
        .verification, what: AgeHeader.what, why: "it holds more than the \(sizeForPeople(limit)) that it should",
        next: "do not restore from it; look for another copy, and for who changed this one")
    }
    size += Int64(bytes.count)
    hasher?.update(bytes)
    try sink?(bytes)
  }

  func finish() -> Digest? { hasher.take()?.finish() }
}

/// Whether a stream may still go on.
private enum End {
  case open
  case failed(Failure)
  case closed

  mutating func guarding(_ body: () throws(Failure) -> Void) throws(Failure) {
    switch self {
    case .failed(let failure): throw failure
    case .closed: throw Self.misuse
    case .open: break
    }
    do { try body() } catch {
      self = .failed(error)
      throw error
    }
  }

  mutating func close(inlet: Meter, outlet: Meter) throws(Failure) -> Sealed {
    guard case .open = self else { throw Self.misuse }
    self = .closed
    return Sealed(plainSize: inlet.size, plainSHA256: inlet.finish(), sealedSize: outlet.size, sealedSHA256: outlet.finish())
  }

  private static let misuse = Failure(
    what: "cannot go on with a sealed file", why: "it is finished already", next: "report this as a bug of kguard")
}
