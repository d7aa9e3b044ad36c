internal import Host
internal import Model

/// The numbers of age's STREAM: chunks of 64 KiB, each with a tag, the last one marked.
enum AgeStream {
  static let chunkSize = 64 << 10
  static let sealedChunkSize = chunkSize + ChaChaPoly.tagSize
  static let nonceSize = 16

  /// Counts chunks; the nonce of one is the count in eleven bytes and a mark on the last.
  struct Counter {
    private(set) var value: UInt64 = 0

    mutating func next(isLast: Bool) -> [UInt8] {
      var nonce = [UInt8](repeating: 0, count: 12)
      for at in 0..<8 { nonce[10 - at] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(at))) }
      nonce[11] = isLast ? 1 : 0
      // 2^64 chunks of 64 KiB are more than there is.
      value &+= 1
      return nonce
    }
  }
}

/// Encrypts bytes as they come. What it gives out is complete only after `finish`.
final class AgeEncryptor {
  private var chunk = [UInt8](repeating: 0, count: AgeStream.sealedChunkSize)
  private var filled = 0
  private var cipher: ChaChaPoly
  private var counter = AgeStream.Counter()
  private let sink: (UnsafeRawBufferPointer) throws(Failure) -> Void

  /// Gives the header out at once.
  init(
    recipients: [AgeRecipient], random: (Int) -> [UInt8], sink: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    let fileKey = Secret(random(16))
    let nonce = random(AgeStream.nonceSize)
    cipher = try ChaChaPoly(key: try AgeHeader.payloadKey(fileKey, nonce: nonce), seals: true)
    self.sink = sink
    try (try AgeHeader.write(fileKey, to: recipients, random: random) + nonce).withBytes(sink)
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    var rest = bytes
    while !rest.isEmpty {
      // A full chunk waits until it is known not to be the last.
      if filled == AgeStream.chunkSize { try flush(isLast: false) }
      let count = min(rest.count, AgeStream.chunkSize - filled)
      chunk.withUnsafeMutableBytes {
        UnsafeMutableRawBufferPointer(rebasing: $0[filled...]).copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
      }
      filled += count
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  func finish() throws(Failure) { try flush(isLast: true) }

  private func flush(isLast: Bool) throws(Failure) {
    let size = filled + ChaChaPoly.tagSize
    let nonce = counter.next(isLast: isLast)
    filled = 0
    try chunk.withMutableBytes { (raw) throws(Failure) in
      let buffer = UnsafeMutableRawBufferPointer(rebasing: raw[..<size])
      try cipher.seal(buffer, nonce: nonce)
      try sink(UnsafeRawBufferPointer(buffer))
    }
  }
}

/// Decrypts bytes as they come. It gives out nothing that is not authentic; that nothing is missing is known only after `finish`.
final class AgeDecryptor {
  private let identities: [AgeIdentity]
  private let sink: (UnsafeRawBufferPointer) throws(Failure) -> Void
  private var reader: AgeHeaderReader? = AgeHeaderReader()
  private var fileKey: Secret?
  private var cipher: ChaChaPoly?
  private var chunk = [UInt8](repeating: 0, count: AgeStream.sealedChunkSize)
  private var filled = 0
  private var counter = AgeStream.Counter()

  init(identities: [AgeIdentity], sink: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void) {
    self.identities = identities
    self.sink = sink
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    var rest = bytes
    if reader != nil {
      guard let header = try reader?.take(&rest) else { return }
      fileKey = try header.unwrap(identities)
      reader = nil
    }
    while !rest.isEmpty {
      if fileKey != nil && filled == AgeStream.nonceSize { try begin() }
      if fileKey == nil && filled == chunk.count { try flush(isLast: false) }
      let size = fileKey == nil ? chunk.count : AgeStream.nonceSize
      let count = min(rest.count, size - filled)
      chunk.withUnsafeMutableBytes {
        UnsafeMutableRawBufferPointer(rebasing: $0[filled...]).copyMemory(from: UnsafeRawBufferPointer(rebasing: rest[..<count]))
      }
      filled += count
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  func finish() throws(Failure) {
    if let reader { throw reader.cutShort() }
    if fileKey != nil { throw AgeHeader.damaged("it ends behind its header") }
    try flush(isLast: true)
  }

  /// The nonce is whole: the payload's key follows from it, and the file key is needed no longer.
  private func begin() throws(Failure) {
    guard let key = fileKey else { return }
    cipher = try ChaChaPoly(key: try AgeHeader.payloadKey(key, nonce: Array(chunk[..<filled])), seals: false)
    fileKey = nil
    filled = 0
  }

  private func flush(isLast: Bool) throws(Failure) {
    let size = filled
    let number = counter.value
    let nonce = counter.next(isLast: isLast)
    filled = 0
    guard size >= ChaChaPoly.tagSize else { throw AgeHeader.damaged("it is cut short") }
    try chunk.withMutableBytes { (raw) throws(Failure) in
      let isOpen = cipher?.open(UnsafeMutableRawBufferPointer(rebasing: raw[..<size]), nonce: nonce) ?? false
      guard isOpen else {
        throw AgeHeader.damaged(
          isLast ? "its last part does not authenticate, or it is cut short" : "the part from byte \(number << 16) does not authenticate")
      }
      let text = UnsafeRawBufferPointer(rebasing: raw[..<(size - ChaChaPoly.tagSize)])
      if isLast && text.isEmpty && number > 0 { throw AgeHeader.damaged("its last part is empty") }
      if !text.isEmpty { try sink(text) }
    }
  }
}
