public import Host
public import Model

/// The journal beside a bundle's files off-site: what the run has done since the bundle left. It is no part of the bundle, which is whole
/// without it, and each copy takes the place of the one before.
public enum JournalCopy {
  /// What a store calls it.
  public static func name(_ bundle: String, encrypted: Bool) -> String {
    BundleCopy.name(bundle, BundleDirectory.journalName, encrypted: encrypted)
  }

  /// Seals a file that nobody changes meanwhile, and sends it.
  public static func send(
    _ file: String, beside bundle: String, to store: any Store, recipients: [AgeRecipient], stop: StopSignal
  ) throws(Failure) {
    guard let size = try Files.info(file)?.size else {
      throw Failure(what: "cannot send the journal", why: "there is no \(file)", next: "nothing is lost: the journal is on this node")
    }
    let source = UploadSource.made(atMost: BundleCopy.sealedBound(size)) { (sink) throws(Failure) in
      _ = try Sealer.seal(file: file, recipients: recipients, workers: 0, hashing: [], stop: stop, into: sink)
    }
    _ = try store.put(name(bundle, encrypted: !recipients.isEmpty), source, Transfer(stop: stop))
  }
}

extension BundlePull {
  /// The journal as it was when the run that took this bundle was seen last; false where the store has none. It is put beside the
  /// bundle's files, in place of one that an earlier pull has put there, and never in place of kguard's own.
  public func pullJournal(_ id: String, into directory: BundleDirectory, _ transfer: Transfer) throws(Failure) -> Bool {
    try StoreName.check(id)
    let name = JournalCopy.name(id, encrypted: !identities.isEmpty)
    guard try store.head(name) != nil else { return false }
    let file = PulledFile(try DurableFile(directory.journal))
    do throws(Failure) {
      try open(name, !identities.isEmpty, limit: Self.largestJournal, transfer) { (bytes) throws(Failure) in try file.write(bytes) }
      try file.commit()
    } catch {
      file.abandon()
      throw error
    }
    return true
  }

  private static let largestJournal: Int64 = 4 << 30
}
