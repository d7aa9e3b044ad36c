internal import Host
public import Model

/// Who remembers what was sent where: the journal's catalogue, or nobody.
public protocol CopyLog {
  /// What was sent earlier under this name, if anything was.
  func receipt(_ file: String) throws(Failure) -> Receipt?
  func sent(_ file: String, _ receipt: Receipt) throws(Failure)
  func verified(_ file: String) throws(Failure)
  /// What was sent earlier is not there any more.
  func differs(_ file: String) throws(Failure)
}

/// Sends a bundle to one off-site store, file by file, and reads each back. What is there and right is not sent again.
public struct BundleCopy {
  public let bundle: BundleDirectory
  public let manifest: BundleManifest
  public let store: any Store
  /// Empty: the configuration says `encryption: none`.
  public let recipients: [AgeRecipient]
  /// Where the key is at hand, what comes back is also decrypted and compared with the plain file.
  public let identities: [AgeIdentity]
  private let retry: RetryPolicy

  public init(
    _ bundle: BundleDirectory, _ manifest: BundleManifest, to store: any Store, recipients: [AgeRecipient], identities: [AgeIdentity],
    retry: RetryPolicy = RetryPolicy(attempts: 3)
  ) {
    self.bundle = bundle
    self.manifest = manifest
    self.store = store
    self.recipients = recipients
    self.identities = identities
    self.retry = retry
  }

  /// What a store calls a file of a bundle.
  public static func name(_ bundle: String, _ file: String, encrypted: Bool) -> String {
    bundle + "/" + sealedName(file, encrypted: encrypted)
  }

  /// Returns when every file has been read back; `bundle.json` goes last, so that an unfinished copy is no bundle.
  public func run(_ log: any CopyLog, _ transfer: Transfer) throws(Failure) -> JSON {
    try manifest.requireSums(bundle)
    var proofs: [JSON] = []
    for file in try bundle.files() {
      let name = Self.name(bundle.id, file, encrypted: !recipients.isEmpty)
      try failpoint("bundle/copy-\(file).before")
      let known = try log.receipt(file)
      var isThere = false
      if let known {
        isThere = try self.isThere(name, known, file, transfer)
        // Before anything is sent: that may fail, and retention must not take it for a good copy meanwhile.
        if !isThere {
          try log.differs(file)
          try failpoint("bundle/copy-\(file).differs")
        }
      }
      if !isThere {
        transfer.phase("sending \(file)")
        let sent = try send(file, as: name, transfer)
        try failpoint("bundle/copy-\(file).sent")
        try log.sent(file, sent)
        try failpoint("bundle/copy-\(file).recorded")
        transfer.phase("reading \(file) back")
        try readBack(name, sent, file, transfer)
      }
      try log.verified(file)
      try failpoint("bundle/copy-\(file).verified")
      proofs.append([
        "name": .string(name), "readBack": true, "decrypted": .bool(!identities.isEmpty), "sentAgain": .bool(known != nil && !isThere),
      ])
    }
    return ["url": .string(store.url), "files": .array(proofs)]
  }

  private func isThere(_ name: String, _ known: Receipt, _ file: String, _ transfer: Transfer) throws(Failure) -> Bool {
    guard let there = try store.head(name), there.size == known.size else { return false }
    do throws(Failure) {
      try readBack(name, known, file, transfer)
      return true
    } catch {
      guard error.exit == .verification else { throw error }
      return false
    }
  }

  /// Sends what was sealed ahead, or seals on this thread while the store sends.
  private func send(_ file: String, as name: String, _ transfer: Transfer) throws(Failure) -> Receipt {
    if let verified = manifest.file(file), let ahead = try SealedAhead.find(bundle, verified, recipients: recipients) {
      do throws(Failure) {
        return try store.put(name, ahead, transfer)
      } catch {
        // What a power cut or a bad disk left of it is not what was sealed: it is sealed again from the verified file.
        guard error.exit == .verification else { throw error }
        try SealedAhead.discard(bundle)
      }
    }
    return try seal(file, as: name, transfer)
  }

  private func seal(_ file: String, as name: String, _ transfer: Transfer) throws(Failure) -> Receipt {
    let path = bundle.path + "/" + file
    guard let size = try Files.info(path)?.size else {
      throw Failure(.verification, what: "cannot send \(path)", why: "it is gone", next: "take a new bundle with `kguard backup`")
    }
    let expected = manifest.file(file)?.sha256
    let recipients = self.recipients
    let source = UploadSource.made(atMost: Self.sealedBound(size)) { (sink) throws(Failure) in
      // The store takes the digest of what it sends.
      let sealed = try Sealer.seal(
        file: path, recipients: recipients, workers: 2, hashing: .plain, stop: transfer.stop, progress: transfer.progress, into: sink)
      guard expected == nil || expected == sealed.plainSHA256 else {
        throw Failure(
          .verification, what: "cannot send \(path)", why: "it has changed since it was verified",
          next: "look at dmesg for disk errors; take a new bundle with `kguard backup`")
      }
    }
    return try store.put(name, source, Transfer(stop: transfer.stop))
  }

  /// Compares what the store gives with what was sent, and, where a key is at hand, with the plain file.
  private func readBack(_ name: String, _ receipt: Receipt, _ file: String, _ transfer: Transfer) throws(Failure) {
    let opening = OpeningTap(identities)
    guard !recipients.isEmpty, !identities.isEmpty else {
      _ = try store.readBack(name, expecting: receipt, transfer, retry: retry)
      return
    }
    let plain: Digest
    do throws(Failure) {
      _ = try store.readBack(name, expecting: receipt, transfer, retry: retry) { () throws(Failure) in try opening.start() }
      plain = try opening.finish()
    } catch {
      throw error.opening("\(name) in \(store.url)")
    }
    var expected = manifest.file(file)?.sha256
    if expected == nil { expected = try BundleFile.measure(bundle, file).sha256 }
    guard plain == expected else {
      throw Failure(
        .verification, what: "the off-site copy of \(name) does not decrypt to the local file",
        why: "sha256 is \(plain), expected \(expected ?? .zero)",
        next: "the local bundle is intact: check the recipients and the identity of the configuration")
    }
  }

  /// No sealed file is larger: zstd's worst case, and age's tag on each chunk of 64 KiB.
  static func sealedBound(_ size: Int64) -> Int64 {
    let compressed = size + size / 128 + (1 << 16)
    return compressed + (compressed / 65536 + 2) * 16 + (1 << 16)
  }
}

/// Decrypts what is read back, as it comes.
final class OpeningTap {
  private let identities: [AgeIdentity]
  private var opener: Opener?

  init(_ identities: [AgeIdentity]) { self.identities = identities }

  func start() throws(Failure) -> ByteSink {
    // The read-back has the digest of what comes.
    let opener = try Opener(identities: identities, hashing: .plain) { (_) throws(Failure) in }
    self.opener = opener
    return { (bytes) throws(Failure) in try opener.write(bytes) }
  }

  func finish() throws(Failure) -> Digest {
    guard let opener else { return .zero }
    return try opener.finish().plainSHA256 ?? .zero
  }
}
