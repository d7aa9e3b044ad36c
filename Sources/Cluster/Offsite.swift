public import Bundles
public import Engine
public import Host
public import Journal
public import Model
public import Playbooks

/// The off-site targets of a configuration, and what it takes to use them.
public struct Offsite {
  public let targets: [OffsiteTarget]
  let recipients: [AgeRecipient]
  private let identities: [AgeIdentity]
  /// The file that the identities are from.
  private let identityFile: String?
  private let machine: any Machine
  private let scratch: String
  /// What is lost with this node, as directories of it: what lies on one of their filesystems is not off-site.
  private let own: [String]

  static func none(_ configuration: Configuration, _ machine: any Machine) -> Failure {
    noTarget(next: "name one in \(configuration.place(on: machine)), or say --no-offsite and keep the only copy on this node")
  }

  public static func noTarget(next: String) -> Failure {
    Failure(
      .preflightRefused, what: "there is no off-site copy", why: "the configuration names no target under `offsite:`", next: next)
  }

  public init(_ configuration: Configuration, _ machine: any Machine, _ state: StateDirectory) throws(Failure) {
    targets = configuration.offsite
    self.machine = machine
    scratch = state.path + "/spool"
    let manifest = (try? configuration.etcdLocation(machine))?.manifest
    let data = [configuration.etcd.dataDir ?? manifest?.dataDirectory, manifest?.walDirectory].compactMap { $0 }
    own = [machine.locate("/"), state.path] + data.map(machine.locate)
    switch configuration.encryption {
    case .none: (recipients, identities, identityFile) = ([], [], nil)
    case .age(let texts, let identity):
      var parsed: [AgeRecipient] = []
      for text in texts { parsed.append(try AgeRecipient.parse(text)) }
      recipients = parsed
      identityFile = identity.map(machine.locate)
      identities = try identityFile.map { (path) throws(Failure) in try Files.exists(path) ? try IdentityFile.read(path) : [] } ?? []
    case .undecided:
      guard targets.isEmpty else {
        throw Failure(
          .usage, what: "cannot copy off-site", why: "the configuration does not say how bundles are encrypted",
          next: "make a key with `kguard key new FILE` and name its recipient under `encryption:`, or say `encryption: none`")
      }
      (recipients, identities, identityFile) = ([], [], nil)
    }
  }

  /// Refuses an identity that opens nothing of what is sealed: every read-back would fail, and so would whoever trusts it.
  public func requireFittingKeys() throws(Failure) {
    // Where no copy is required, one that cannot be opened is a warning, as any other that fails.
    guard targets.contains(where: \.isRequired) else { return }
    guard let identityFile, !identities.isEmpty, !identities.contains(where: { recipients.contains($0.recipient) }) else { return }
    let held = identities.map(\.recipient.description), wanted = recipients.map(\.description)
    throw Failure(
      .usage, what: "the identity \(identityFile) opens no bundle",
      why: "it is of \(naming(held)), and bundles are sealed to \(naming(wanted))",
      next: "name the identity of one of the recipients, or add its public key to the recipients, or leave `identity:` out")
  }

  /// Shows that a target can be written and read, with what is sealed and opened as bundles are.
  func probe(_ target: OffsiteTarget) throws(Failure) -> any Store {
    let store = try open(target)
    _ = try store.probe(recipients: recipients, identities: identities)
    return store
  }

  public var isEncrypted: Bool { !recipients.isEmpty }

  /// How copies are sealed, in words; recipients are public keys.
  var sealing: String {
    isEncrypted ? "encrypted to " + recipients.map(\.description).joined(separator: ", ") : "compressed and not encrypted"
  }

  /// Seals a snapshot while it comes in; nil where it goes nowhere, or where the disk has no room to spare for it.
  func sealAhead(_ bundle: BundleDirectory, from part: String, size: Int64) throws(Failure) -> SealingAhead? {
    guard !targets.isEmpty, try SealingAhead.hasRoom(size, beside: bundle.snapshot) else { return nil }
    return try SealingAhead(bundle, of: part, recipients: recipients)
  }

  public func open(_ target: OffsiteTarget, retry: RetryPolicy = RetryPolicy()) throws(Failure) -> any Store {
    var options: [String: String] = [:]
    for (option, value) in target.options { options[option.rawValue] = value }
    // The configuration gives it in any unit, the store takes whole MiB.
    if let size = target.partSize { options[TargetOption.partSize.rawValue] = String((size + (1 << 20) - 1) >> 20) }
    try Files.makeDirectory(scratch, mode: 0o700)
    return try StoreFactory.open(StoreTarget(target.url, options: options), StoreContext(machine: machine, scratch: scratch, retry: retry))
  }

  /// The words of a warning where a copy at this target lies on this node's own disk and the configuration wants it so; throws where it does
  /// not: a share that is not mounted is such a directory.
  public func warnOfOwnDisk(_ target: OffsiteTarget) throws(Failure) -> String? {
    guard let directory = try ownDirectory(target) else { return nil }
    guard target.mayBeSameDisk else {
      throw Failure(
        .preflightRefused, what: "\(target.url) is not off-site",
        why: "its directory lies on the filesystem of \(directory): a share is not mounted, or its copies would be lost with this node",
        next: "mount the share, or name a directory of another disk; `same-disk: true` of the target allows it all the same")
    }
    return "\(target.url): a copy on this node's own disk is not off-site"
  }

  /// Which of this node's own directories is on the target's filesystem.
  private func ownDirectory(_ target: OffsiteTarget) throws(Failure) -> String? {
    guard let directory = StoreTarget(target.url).localDirectory, let there = try Filesystem.of(machine.locate(directory)) else {
      return nil
    }
    for path in own {
      if let filesystem = try Filesystem.of(path), there.isSame(as: filesystem) { return path }
    }
    return nil
  }

  /// Copies to every target. One that fails keeps none of the later ones from its copy; the failure of the first required one is thrown at
  /// the end. `watch` is asked for each target, `done` gets the proof of each copy.
  public func copy(
    _ bundle: BundleDirectory, _ journal: RunJournal, watch: (OffsiteTarget) -> Transfer, tell: (String) -> Void,
    done: (OffsiteTarget, JSON) -> Void = { _, _ in }
  ) throws(Failure) {
    try requireFittingKeys()
    var failures: [Failure] = []
    for target in targets {
      do throws(Failure) {
        if let warning = try warnOfOwnDisk(target) { tell("warning: \(warning)") }
        let proof = try copy(bundle, to: target, journal, watch(target))
        for file in proof["files"]?.array ?? [] where file["sentAgain"]?.bool == true {
          tell("warning: \(file["name"]?.string ?? "a file") at \(target.url) was not what had been sent; it was sent again")
        }
        done(target, proof)
      } catch {
        if error.exit == .interrupted || error.exit == .held { throw error }
        if target.isRequired { failures.append(error) }
        // The only one's failure is thrown.
        guard !target.isRequired || targets.count > 1 else { continue }
        tell("warning: the copy to \(target.url) failed\(target.isRequired ? "" : ", and is not required"): \(error)")
      }
    }
    guard var failure = failures.first else { return }
    for other in failures.dropFirst() { failure.why += "; and \(other)" }
    // Another try may help one of them.
    failure.isTransient = failures.contains { $0.isTransient }
    throw failure
  }

  /// Sends what is not there yet and reads all of it back; each file is a checkpoint.
  private func copy(
    _ bundle: BundleDirectory, to target: OffsiteTarget, _ journal: RunJournal, _ transfer: Transfer
  ) throws(Failure) -> JSON {
    let manifest = try BundleManifest(reading: bundle)
    let log = CatalogueLog(journal: journal, machine: machine, bundle: bundle.id, target: target.url)
    return try BundleCopy(bundle, manifest, to: try open(target), recipients: recipients, identities: identities).run(log, transfer)
  }

  /// Removes a bundle's files at a target; `bundle.json` first, so that what an interruption leaves is no bundle. False where the target's
  /// protocol can't remove anything.
  public func remove(_ bundle: String, from target: OffsiteTarget, _ journal: RunJournal) throws(Failure) -> Bool {
    // What is not there is as good as removed: beneath a share that is not mounted nothing is.
    _ = try warnOfOwnDisk(target)
    let store = try open(target)
    guard store.abilities.contains(.delete) else { return false }
    let names = try journal.copies(of: bundle).filter { $0.target == target.url && $0.removed == nil }.compactMap {
      $0.receipt["name"]?.string
    }
    let manifestFirst = names.sorted { a, b in a.contains(BundleDirectory.manifestName) && !b.contains(BundleDirectory.manifestName) }
    let journals = names.isEmpty ? [] : [true, false].map { JournalCopy.name(bundle, encrypted: $0) }
    for name in manifestFirst + journals {
      try failpoint("offsite/remove.before")
      try store.delete(name)
    }
    try journal.copyRemoved(bundle, target: target.url, at: machine.now())
    return true
  }
}

/// The journal's catalogue as the memory of a copy.
private struct CatalogueLog: CopyLog {
  let journal: RunJournal
  let machine: any Machine
  let bundle: String
  let target: String

  func receipt(_ file: String) throws(Failure) -> Receipt? {
    let copy = try journal.copies(of: bundle).first { $0.target == target && $0.file == file && $0.removed == nil }
    return Receipt(json: copy?.receipt)
  }

  func sent(_ file: String, _ receipt: Receipt) throws(Failure) {
    try journal.copySent(bundle, target: target, file: file, receipt: receipt.json, at: machine.now())
  }

  func differs(_ file: String) throws(Failure) { try journal.copyDiffers(bundle, target: target, file: file) }

  func verified(_ file: String) throws(Failure) {
    try journal.copyVerified(bundle, target: target, file: file, at: machine.now())
  }
}
