internal import Glibc
internal import Host
public import Model
internal import Synchronization

/// The sealed form of one file of a bundle, made from the same bytes while they came in, so that the copy has only to send it.
/// It is used where the plain file has been verified since and has the digest that was sealed, and where its own digest is still right.
/// Else, and where it is missing, the copy seals anew: it is no part of the bundle, and need not outlast a power cut.
public struct SealedAhead: Sendable, Equatable {
  public let name: String
  public let size: Int64
  public let sha256: Digest
  public let plainSHA256: Digest
  /// Empty: only compressed.
  public let recipients: [String]

  public var json: JSON {
    [
      "name": .string(name), "size": .int(size), "sha256": .string(sha256.description), "plain": .string(plainSHA256.description),
      "recipients": JSON(recipients),
    ]
  }

  init(name: String, size: Int64, sha256: Digest, plainSHA256: Digest, recipients: [String]) {
    self.name = name
    self.size = size
    self.sha256 = sha256
    self.plainSHA256 = plainSHA256
    self.recipients = recipients
  }

  init?(json: JSON?) {
    guard let name = json?["name"]?.string, let size = json?["size"]?.int, size > 0,
      let sha256 = json?["sha256"]?.string.flatMap({ Digest(hex: $0) }),
      let plain = json?["plain"]?.string.flatMap({ Digest(hex: $0) }), let recipients = json?["recipients"]?.array
    else { return nil }
    self.init(name: name, size: size, sha256: sha256, plainSHA256: plain, recipients: recipients.compactMap(\.string))
  }

  /// What can be sent in place of sealing this verified file to these recipients; nil where there is nothing of that kind.
  static func find(_ bundle: BundleDirectory, _ file: BundleFile, recipients: [AgeRecipient]) throws(Failure) -> UploadSource? {
    guard let text = try Files.textIfPresent(bundle.taken), let taken = try? JSON(parsing: text),
      let ahead = SealedAhead(json: taken["sealed"]), ahead.name == sealedName(file.name, encrypted: !recipients.isEmpty),
      ahead.plainSHA256 == file.sha256, ahead.recipients == recipients.map(\.description)
    else { return nil }
    let path = bundle.path + "/" + ahead.name
    guard try Files.info(path, followLinks: false)?.size == ahead.size else { return nil }
    return .file(path, size: ahead.size, sha256: ahead.sha256)
  }

  /// Removes what was sealed ahead, finished or not: it has been sent, or must not be.
  public static func discard(_ bundle: BundleDirectory) throws(Failure) {
    for encrypted in [true, false] {
      let path = bundle.path + "/" + sealedName(BundleDirectory.snapshotName, encrypted: encrypted)
      for path in [path, path + ".part"] where try Files.exists(path) {
        try failpoint("bundle/sealed-discard.before")
        try Files.removeOwn(path)
      }
    }
  }
}

/// Seals bytes while somebody else writes and hashes them, on a thread of its own. Its own failure is not theirs: then there is nothing
/// sealed ahead.
public final class SealingAhead: Sendable {
  private let path: String
  private let recipients: [String]
  private let work: SealingWork
  private let thread: BackgroundConsumer
  private let broken = Mutex<Failure?>(nil)
  private let waited = Mutex(Duration.zero)

  /// So long the stream may wait for the sealing, in all: an open snapshot keeps etcd from giving pages back.
  private static let patience = Duration.seconds(5)

  /// Why there is nothing sealed, where that is so.
  public var failure: Failure? { broken.withLock { $0 } }

  public init(_ bundle: BundleDirectory, recipients: [AgeRecipient]) throws(Failure) {
    path = bundle.path + "/" + sealedName(BundleDirectory.snapshotName, encrypted: !recipients.isEmpty)
    self.recipients = recipients.map(\.description)
    do throws(Failure) {
      let work = try SealingWork(path + ".part", recipients)
      self.work = work
      thread = try BackgroundConsumer(depth: 4) { (bytes) throws(Failure) in try work.write(bytes) }
    } catch {
      unlink(path + ".part")
      throw error
    }
  }

  /// Space for it is there when a snapshot of this size, and what a drill and an upgrade want beside it, leave enough.
  public static func hasRoom(_ size: Int64, beside path: String) throws(Failure) -> Bool {
    let (needed, overflow) = size.multipliedReportingOverflow(by: 5)
    let (all, overflowed) = needed.addingReportingOverflow(320 << 20)
    let free = try Files.freeSpace(Files.directory(of: path))
    return !overflow && !overflowed && free >= all
  }

  public func write(_ bytes: [UInt8]) {
    guard failure == nil else { return }
    let began = monotonicNow()
    do throws(Failure) { try thread.submit(bytes) } catch { return broken.withLock { $0 = error } }
    let total = waited.withLock { waited in
      waited += monotonicNow() - began
      return waited
    }
    guard total > Self.patience else { return }
    let failure = Failure(
      what: "nothing was sealed ahead", why: "the processors are too busy: the snapshot waited \(total.forPeople) for it",
      next: "nothing is lost: the copy seals as it sends")
    broken.withLock { $0 = failure }
  }

  /// The plain file is whole and has this size and digest, by whoever wrote it from the same bytes.
  public func finish(size: Int64, sha256: Digest) throws(Failure) -> SealedAhead? {
    let made: Sealed
    do throws(Failure) {
      try thread.finish()
      made = try work.finish()
    } catch {
      broken.withLock { $0 = error }
      abandon()
      return nil
    }
    guard failure == nil, made.plainSize == size, let sealed = made.sealedSHA256 else {
      abandon()
      return nil
    }
    try failpoint("bundle/sealed-ahead.before")
    try Files.move(path + ".part", to: path)
    try failpoint("bundle/sealed-ahead.after")
    return SealedAhead(name: Files.name(of: path), size: made.sealedSize, sha256: sealed, plainSHA256: sha256, recipients: recipients)
  }

  /// Leaves nothing behind.
  public func abandon() {
    try? thread.finish()
    unlink(path + ".part")
  }
}

/// The stream and its file, for the thread that feeds it and the one that ends it.
private final class SealingWork: Sendable {
  private struct Open {
    let sealer: Sealer
    let file: Output
  }

  private let open: Mutex<Open>

  init(_ path: String, _ recipients: [AgeRecipient]) throws(Failure) {
    let file = Output(try OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC))
    let sealer = try Sealer(recipients: recipients, workers: 0, hashing: .sealed) { (bytes) throws(Failure) in try file.write(bytes) }
    open = Mutex(Open(sealer: sealer, file: file))
  }

  func write(_ bytes: [UInt8]) throws(Failure) {
    try failpoint("bundle/sealed-ahead.write")
    try open.withLock { (open) throws(Failure) in try bytes.withBytes { (raw) throws(Failure) in try open.sealer.write(raw) } }
  }

  func finish() throws(Failure) -> Sealed {
    try open.withLock { (open) throws(Failure) in
      let sealed = try open.sealer.finish()
      try open.file.close()
      return sealed
    }
  }

  private final class Output {
    private var file: OpenFile?
    init(_ file: consuming OpenFile) { self.file = consume file }
    func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) { try file?.write(bytes) }
    func close() throws(Failure) { try file.take()?.close() }
  }
}
