public import Bundles
public import Engine
public import Host
public import Journal
public import Model
public import Playbooks

/// The off-site targets of a configuration, and what it takes to use them.
public struct Offsite {
  public let targets: [OffsiteTarget]
  private let recipients: [AgeRecipient]
  private let identities: [AgeIdentity]
  private let machine: any Machine
  private let scratch: String

  public static let none = Failure(
    .preflightRefused, what: "there is no off-site copy", why: "the configuration names no target under `offsite:`",
    next: "name one in /etc/kguard/config.yaml, or say --no-offsite and keep the only copy on this node")

  public init(_ configuration: Configuration, _ machine: any Machine, _ state: StateDirectory) throws(Failure) {
    targets = configuration.offsite
    self.machine = machine
    scratch = state.path + "/spool"
    switch configuration.encryption {
    case .none: (recipients, identities) = ([], [])
    case .age(let texts, let identity):
      var parsed: [AgeRecipient] = []
      for text in texts { parsed.append(try AgeRecipient.parse(text)) }
      recipients = parsed
      let path = identity.map(machine.locate)
      identities = try path.map { (path) throws(Failure) in try Files.exists(path) ? try IdentityFile.read(path) : [] } ?? []
    case .undecided:
      guard targets.isEmpty else {
        throw Failure(
          .usage, what: "cannot copy off-site", why: "the configuration does not say how bundles are encrypted",
          next: "make a key with `kguard key new FILE` and name its recipient under `encryption:`, or say `encryption: none`")
      }
      (recipients, identities) = ([], [])
    }
  }

  public var isEncrypted: Bool { !recipients.isEmpty }

  /// Seals a snapshot while it comes in; nil where it goes nowhere, or where the disk has no room to spare for it.
  func sealAhead(_ bundle: BundleDirectory, size: Int64) throws(Failure) -> SealingAhead? {
    guard !targets.isEmpty, try SealingAhead.hasRoom(size, beside: bundle.snapshot) else { return nil }
    return try SealingAhead(bundle, recipients: recipients)
  }

  public func open(_ target: OffsiteTarget) throws(Failure) -> any Store {
    var options: [String: String] = [:]
    for (option, value) in target.options { options[option.rawValue] = value }
    // The configuration gives it in any unit, the store takes whole MiB.
    if let size = target.partSize { options[TargetOption.partSize.rawValue] = String((size + (1 << 20) - 1) >> 20) }
    try Files.makeDirectory(scratch, mode: 0o700)
    return try StoreFactory.open(StoreTarget(target.url, options: options), StoreContext(machine: machine, scratch: scratch))
  }

  /// Sends what is not there yet and reads all of it back; each file is a checkpoint.
  public func copy(
    _ bundle: BundleDirectory, to target: OffsiteTarget, _ journal: RunJournal, _ transfer: Transfer
  ) throws(Failure) -> JSON {
    let manifest = try BundleManifest(reading: bundle)
    let log = CatalogueLog(journal: journal, machine: machine, bundle: bundle.id, target: target.url)
    return try BundleCopy(bundle, manifest, to: try open(target), recipients: recipients, identities: identities).run(log, transfer)
  }

  /// Removes a bundle's files at a target; `bundle.json` first, so that what an interruption leaves is no bundle.
  public func remove(_ bundle: String, from target: OffsiteTarget, _ journal: RunJournal) throws(Failure) {
    let store = try open(target)
    guard store.abilities.contains(.delete) else { return }
    let names = try journal.copies(of: bundle).filter { $0.target == target.url && $0.removed == nil }.compactMap {
      $0.receipt["name"]?.string
    }
    let manifestFirst = names.sorted { a, b in a.contains(BundleDirectory.manifestName) && !b.contains(BundleDirectory.manifestName) }
    for name in manifestFirst {
      try failpoint("offsite/remove.before")
      try store.delete(name)
    }
    try journal.copyRemoved(bundle, target: target.url, at: machine.now())
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

  func verified(_ file: String) throws(Failure) {
    try journal.copyVerified(bundle, target: target, file: file, at: machine.now())
  }
}
