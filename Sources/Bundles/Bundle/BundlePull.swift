internal import Host
public import Model

/// Brings a bundle back from an off-site store. It needs nothing but the store and, where it is encrypted, a key.
public struct BundlePull {
  public let store: any Store
  public let identities: [AgeIdentity]

  public init(from store: any Store, identities: [AgeIdentity]) {
    self.store = store
    self.identities = identities
  }

  /// The bundles that the store holds: those whose `bundle.json` is there, for only that makes them bundles. Oldest first.
  public static func list(_ store: any Store) throws(Failure) -> [(id: String, object: StoredObject)] {
    guard store.abilities.contains(.list) else {
      throw Failure(
        .usage, what: "cannot list the bundles in \(store.url)", why: "its protocol cannot list",
        next: "name the bundle, or list it with ssh")
    }
    var found: [(String, StoredObject)] = []
    for object in try store.list("") {
      let parts = object.name.split(separator: "/")
      if parts.count == 2, parts[1].hasPrefix(BundleDirectory.manifestName + ".zst") { found.append((String(parts[0]), object)) }
    }
    return found.sorted { ($0.1.modified?.milliseconds ?? 0, $0.0) < ($1.1.modified?.milliseconds ?? 0, $1.0) }
  }

  /// Every file is authenticated, compared with `bundle.json` and put under its name only when it is whole; `bundle.json` comes last.
  /// Then all of the bundle is read once more, as `bundle verify` does. What is here and sound is not fetched again; what is here and damaged
  /// is replaced.
  public func pull(_ id: String, into directory: BundleDirectory, _ transfer: Transfer) throws(Failure) -> VerifiedBundle {
    try StoreName.check(id)
    if try Files.exists(directory.manifest) {
      do throws(Failure) { return try VerifiedBundle.verify(directory, stop: transfer.stop, progress: transfer.progress) } catch {
        guard error.exit == .verification else { throw error }
      }
    }
    let isEncrypted = try isEncrypted(id)
    var bytes: [UInt8] = []
    try open(
      BundleCopy.name(id, BundleDirectory.manifestName, encrypted: isEncrypted), isEncrypted, limit: 64 << 20, Transfer(stop: transfer.stop)
    ) {
      bytes.append(contentsOf: $0)
    }
    let manifest = try BundleManifest(JSON(parsing: bytes), source: "\(store.url)/\(id)/bundle.json")
    guard manifest.id == id else {
      throw Failure(
        .verification, what: "the bundle \(id) in \(store.url) is not what it says", why: "its manifest is that of \(manifest.id)",
        next: "do not use it; look for who changed the store")
    }
    try directory.make()
    for file in manifest.files {
      try StoreName.check(file.name)
      try fetch(file, id, isEncrypted, into: directory, transfer)
    }
    try failpoint("bundle/pull.manifest.before")
    try Files.replace(directory.sums, with: Array(manifest.sums.utf8))
    try Files.replace(directory.manifest, with: bytes)
    return try VerifiedBundle.verify(directory, stop: transfer.stop, progress: transfer.progress)
  }

  private func isEncrypted(_ id: String) throws(Failure) -> Bool {
    for encrypted in [true, false] {
      if try store.head(BundleCopy.name(id, BundleDirectory.manifestName, encrypted: encrypted)) == nil { continue }
      guard encrypted == !identities.isEmpty else {
        throw Failure(
          .usage, what: "cannot open the bundle \(id)",
          why: encrypted ? "it is encrypted, and no key was given" : "it is not encrypted, and a key was given",
          next: encrypted ? "name the file with the secret key: --identity FILE" : "leave --identity out, if you trust this store")
      }
      return encrypted
    }
    throw Failure(
      .usage, what: "there is no bundle \(id) in \(store.url)", why: "its bundle.json is not there",
      next: "see `kguard bundle list --from \(store.url)`")
  }

  private func fetch(
    _ file: BundleFile, _ id: String, _ isEncrypted: Bool, into directory: BundleDirectory, _ transfer: Transfer
  ) throws(Failure) {
    let path = directory.path + "/" + file.name
    if try Files.exists(path), try BundleFile.measure(directory, file.name) == file { return }
    let target = PulledFile(try DurableFile(path))
    var done: Int64 = 0
    do throws(Failure) {
      let sealed = try open(
        BundleCopy.name(id, file.name, encrypted: isEncrypted), isEncrypted, limit: file.size, keysAreRight: true,
        Transfer(stop: transfer.stop)
      ) {
        (bytes) throws(Failure) in
        try target.write(bytes)
        done += Int64(bytes.count)
        transfer.progress(Progress(done: done, total: file.size))
      }
      guard sealed.plainSize == file.size, sealed.plainSHA256 == file.sha256 else {
        throw Failure(
          .verification, what: "\(file.name) of the bundle \(id) is damaged off-site",
          why: "sha256 is \(sealed.plainSHA256 ?? .zero), expected \(file.sha256)", next: "try another target, or another bundle")
      }
      try failpoint("bundle/pull-\(file.name).commit")
      try target.commit()
    } catch {
      target.abandon()
      throw error
    }
  }

  @discardableResult
  func open(
    _ name: String, _ isEncrypted: Bool, limit: Int64, keysAreRight: Bool = false, _ transfer: Transfer, _ sink: @escaping ByteSink
  ) throws(Failure) -> Sealed {
    let opener = try Opener(identities: isEncrypted ? identities : [], limit: limit, hashing: .plain, sink: sink)
    do throws(Failure) {
      try store.get(name, from: 0, transfer) { (bytes) throws(Failure) in try opener.write(bytes) }
      return try opener.finish()
    } catch {
      throw error.opening("\(name) in \(store.url)", keysAreRight: keysAreRight)
    }
  }
}

/// A durable file that a closure can write to.
final class PulledFile {
  private var file: DurableFile?
  init(_ file: consuming DurableFile) { self.file = consume file }
  func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) { try file?.write(bytes) }
  func commit() throws(Failure) { try file.take()?.commit() }
  func abandon() { file.take()?.abandon() }
}
