internal import Glibc
public import Host
public import Model
internal import Synchronization

/// The sealed form of one file of a bundle, made while its bytes came in, so that the copy has only to send it.
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

  /// What was sealed ahead and is there, finished or not.
  public static func paths(_ bundle: BundleDirectory) throws(Failure) -> [String] {
    var paths: [String] = []
    for encrypted in [true, false] {
      let path = bundle.path + "/" + sealedName(BundleDirectory.snapshotName, encrypted: encrypted)
      for path in [path, path + ".part"] where try Files.exists(path) { paths.append(path) }
    }
    return paths
  }

  /// Removes what was sealed ahead: it has been sent, or must not be, or nobody waits for it any more.
  public static func discard(_ bundle: BundleDirectory) throws(Failure) {
    for path in try paths(bundle) {
      try failpoint("bundle/sealed-discard.before")
      try Files.removeOwn(path)
    }
  }
}

/// Seals a file while somebody else writes it. An open snapshot keeps etcd from giving pages back, so the stream never waits for the sealing,
/// which takes what it leaves of the processors. Its own failure is not theirs: then there is nothing sealed ahead.
public final class SealingAhead: Sendable {
  private let path: String
  private let recipients: [String]
  private let work: SealingWork
  private let thread = OnDemand()
  private let state = Mutex(State())

  private struct State {
    /// So much of the file is there.
    var size: Int64 = 0
    /// So much of it is sealed.
    var sealed: Int64 = 0
    var failure: Failure?
  }

  /// Behind the threads that take the snapshot.
  private static let niceness: Int32 = 10
  /// So long the rest may take after the last byte: the later the snapshot is verified, the less of it can be compared with the cluster.
  public static let patience = Duration.seconds(60)

  /// Why there is nothing sealed, where that is so.
  public var failure: Failure? { state.withLock { $0.failure } }

  /// `part` is the file that grows.
  public init(_ bundle: BundleDirectory, of part: String, recipients: [AgeRecipient]) throws(Failure) {
    path = bundle.path + "/" + sealedName(BundleDirectory.snapshotName, encrypted: !recipients.isEmpty)
    self.recipients = recipients.map(\.description)
    do throws(Failure) {
      work = try SealingWork(path + ".part", of: part, recipients)
    } catch {
      unlink(path + ".part")
      throw error
    }
    let isThere = thread.begin("sealing") {
      setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
      self.catchUp()
    }
    guard isThere else {
      unlink(path + ".part")
      throw Self.nothing("the system gives no thread")
    }
  }

  /// Space for it is there when a snapshot of this size, and what a drill and an upgrade want beside it, leave enough.
  public static func hasRoom(_ size: Int64, beside path: String) throws(Failure) -> Bool {
    let (needed, overflow) = size.multipliedReportingOverflow(by: 5)
    let (all, overflowed) = needed.addingReportingOverflow(320 << 20)
    let free = try Files.freeSpace(Files.directory(of: path))
    return !overflow && !overflowed && free >= all
  }

  /// So much of the file is there to be sealed.
  public func reached(_ size: Int64) {
    state.withLock { $0.size = size }
    thread.ask()
  }

  private func catchUp() {
    do throws(Failure) {
      while true {
        let (size, sealed, failure) = state.withLock { ($0.size, $0.sealed, $0.failure) }
        guard failure == nil, sealed < size else { return }
        let reached = try work.goOn(to: size)
        state.withLock { $0.sealed = reached }
      }
    } catch {
      give(up: error)
    }
  }

  private func give(up failure: Failure) { state.withLock { if $0.failure == nil { $0.failure = failure } } }

  fileprivate static func nothing(_ why: String) -> Failure {
    Failure(what: "nothing was sealed ahead", why: why, next: "nothing is lost: the copy seals as it sends")
  }

  /// The plain file is whole and has this size and digest, by whoever wrote it. A stop that is asked for ends the sealing.
  public func finish(
    size: Int64, sha256: Digest, stop: StopSignal, patience: Duration = patience, progress: (Progress) -> Void = { _ in }
  ) throws(Failure) -> SealedAhead? {
    thread.close()
    let end = monotonicNow() + patience
    while !thread.hasEnded(within: .milliseconds(100)) {
      progress(Progress(done: state.withLock { $0.sealed }, total: size))
      if stop.isNow { give(up: Self.nothing("kguard was asked to stop")) }
      if monotonicNow() > end { give(up: Self.nothing("it took longer than \(patience.forPeople)")) }
    }
    guard failure == nil, let made = ended(), let sealed = made.sealedSHA256 else {
      unlink(path + ".part")
      return nil
    }
    guard made.plainSize == size, made.plainSHA256 == sha256 else {
      give(up: Self.nothing("what was read of the snapshot is not what was written: look at this machine's memory and disk"))
      unlink(path + ".part")
      return nil
    }
    try failpoint("bundle/sealed-ahead.before")
    try Files.move(path + ".part", to: path)
    try failpoint("bundle/sealed-ahead.after")
    return SealedAhead(name: Files.name(of: path), size: made.sealedSize, sha256: sealed, plainSHA256: sha256, recipients: recipients)
  }

  private func ended() -> Sealed? {
    do throws(Failure) { return try work.finish() } catch {
      give(up: error)
      return nil
    }
  }

  /// Leaves nothing behind.
  public func abandon() {
    give(up: Self.nothing("there is no snapshot"))
    thread.close()
    while !thread.hasEnded(within: .seconds(1)) {}
    unlink(path + ".part")
  }
}

/// Both files and the stream between them, for the thread that feeds it and the one that ends it.
private final class SealingWork: Sendable {
  private struct Open: ~Copyable {
    let plain: OpenFile
    let sealer: Sealer
    let file: Output
  }

  private let open: Mutex<Open>

  init(_ path: String, of part: String, _ recipients: [AgeRecipient]) throws(Failure) {
    let plain = try OpenFile(part, O_RDONLY)
    let file = Output(try OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC))
    let sealer = try Sealer(recipients: recipients, workers: 2) { (bytes) throws(Failure) in try file.write(bytes) }
    open = Mutex(Open(plain: plain, sealer: sealer, file: file))
  }

  /// Seals some MiB more, not beyond `size`, and says how much is sealed.
  func goOn(to size: Int64) throws(Failure) -> Int64 {
    try failpoint("bundle/sealed-ahead.write")
    return try open.withLock { (open) throws(Failure) in
      let end = min(size, open.sealer.plainSize + 4 << 20)
      var buffer = [UInt8](repeating: 0, count: 256 << 10)
      while open.sealer.plainSize < end {
        let wanted = min(Int(end - open.sealer.plainSize), buffer.count)
        let count = try buffer.withMutableBytes { (raw) throws(Failure) in
          try open.plain.read(into: UnsafeMutableRawBufferPointer(rebasing: raw[..<wanted]))
        }
        guard count > 0 else { throw SealingAhead.nothing("\(open.plain.path) is cut off") }
        try buffer.withBytes { (raw) throws(Failure) in try open.sealer.write(UnsafeRawBufferPointer(rebasing: raw[..<count])) }
      }
      return open.sealer.plainSize
    }
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
