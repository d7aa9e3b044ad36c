internal import Host
public import Model

/// Where a bundle lies on this machine, and what is in it.
public struct BundleDirectory: Sendable, Equatable {
  public let path: String
  public init(_ path: String) { self.path = path }

  public static let snapshotName = "snapshot.db"
  public static let archiveName = "node.tar.zst"
  public static let sumsName = "SHA256SUMS"
  public static let manifestName = "bundle.json"
  public static let journalName = "journal.db"

  public var id: String { Files.name(of: path) }
  public var snapshot: String { path + "/" + Self.snapshotName }
  public var archive: String { path + "/" + Self.archiveName }
  public var sums: String { path + "/" + Self.sumsName }
  public var manifest: String { path + "/" + Self.manifestName }
  /// Where the journal of a pulled bundle is put; it is no part of the bundle.
  public var journal: String { path + "/" + Self.journalName }
  /// What was known of the live cluster when the snapshot was taken; it becomes part of `bundle.json`.
  public var taken: String { path + "/taken.json" }

  /// In the order in which they travel: `bundle.json` is last, and a bundle without it does not exist.
  static let travelling = [snapshotName, archiveName, sumsName, manifestName]

  public func make() throws(Failure) { try Files.makeDirectory(path, mode: 0o700) }

  /// The files that travel off-site and are there.
  public func files() throws(Failure) -> [String] {
    var names: [String] = []
    for name in Self.travelling where try Files.exists(path + "/" + name) { names.append(name) }
    return names
  }

  /// Removes the files that kguard made, `bundle.json` first, so that what is left of an interrupted removal is no bundle.
  public func remove() throws(Failure) {
    // Somebody else has made room.
    guard try Files.exists(path) else { return }
    for name in Self.travelling.reversed() + ["taken.json", Self.journalName] {
      try failpoint("bundle/remove-\(name).before")
      try Files.removeOwn(path + "/" + name)
      // What a kguard left that was killed while it wrote.
      let part = path + "/" + name + ".part"
      if try Files.exists(part) { try Files.removeOwn(part) }
    }
    try SealedAhead.discard(self)
    try Files.removeOwnEmptyDirectory(path)
  }
}

/// One file of a bundle.
public struct BundleFile: Sendable, Equatable {
  public let name: String
  public let size: Int64
  public let sha256: Digest

  public var json: JSON { ["name": .string(name), "size": .int(size), "sha256": .string(sha256.description)] }

  init(name: String, size: Int64, sha256: Digest) {
    self.name = name
    self.size = size
    self.sha256 = sha256
  }

  init?(json: JSON) {
    guard let name = json["name"]?.string, let size = json["size"]?.int, let sha256 = json["sha256"]?.string.flatMap({ Digest(hex: $0) })
    else { return nil }
    self.init(name: name, size: size, sha256: sha256)
  }
}
