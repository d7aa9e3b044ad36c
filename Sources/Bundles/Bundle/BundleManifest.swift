public import Host
public import Model

/// `bundle.json`: what a bundle holds and where it comes from. A bundle without it does not exist.
public struct BundleManifest: Sendable, Equatable {
  public let json: JSON

  public static let format: Int64 = 1

  public var id: String { json["id"]?.string ?? "" }
  public var created: String { json["created"]?.string ?? "" }
  public var files: [BundleFile] { (json["files"]?.array ?? []).compactMap { BundleFile(json: $0) } }
  public var snapshot: JSON { json["snapshot"] ?? [:] }
  public var etcd: JSON { json["etcd"] ?? [:] }
  /// Of the live keys, values and leases: what a restore must give again.
  public var liveDigest: Digest? { snapshot["liveDigest"]?.string.flatMap { Digest(hex: $0) } }
  public var revision: Int64 { snapshot["revision"]?.int ?? 0 }
  public var etcdVersion: String { etcd["version"]?.string ?? "" }

  public func file(_ name: String) -> BundleFile? { files.first { $0.name == name } }

  /// What `SHA256SUMS` holds: for `sha256sum -c`, where there is no kguard.
  var sums: String { files.map { "\($0.sha256)  \($0.name)\n" }.joined() }

  /// `SHA256SUMS` travels with the bundle and is in nobody's list.
  func requireSums(_ directory: BundleDirectory) throws(Failure) {
    let text = try Files.textIfPresent(directory.sums)
    guard text != sums else { return }
    throw Self.damaged(
      directory.id, BundleDirectory.sumsName + (text == nil ? " is not there" : " does not say what \(BundleDirectory.manifestName) says"))
  }

  fileprivate static func damaged(_ id: String, _ why: String) -> Failure {
    Failure(
      .verification, what: "the bundle \(id) is damaged", why: why,
      next: "bring the bundle back from off-site with `kguard bundle pull`, or choose another")
  }

  public init(reading directory: BundleDirectory) throws(Failure) {
    guard let text = try Files.textIfPresent(directory.manifest) else {
      throw Failure(
        .usage, what: "there is no bundle in \(directory.path)", why: "it has no \(BundleDirectory.manifestName)",
        next: "see `kguard bundle list`")
    }
    try self.init(JSON(parsing: text), source: directory.manifest)
  }

  /// The manifest of the bundle that the directory is named after.
  public static func own(_ directory: BundleDirectory) throws(Failure) -> BundleManifest {
    let manifest = try BundleManifest(reading: directory)
    guard manifest.id == directory.id else {
      throw Failure(
        .verification, what: "the bundle in \(directory.path) is not \(directory.id)", why: "its manifest is that of \(manifest.id)",
        next: "move it to a directory of that name")
    }
    return manifest
  }

  init(_ json: JSON, source: String) throws(Failure) {
    guard json["kguard"]?.string == "bundle", let format = json["format"]?.int, json["id"]?.string != nil else {
      throw Failure(.verification, what: "cannot use \(source)", why: "it is not the manifest of a bundle", next: "choose another bundle")
    }
    guard format <= Self.format else {
      throw Failure(
        .usage, what: "cannot use \(source)", why: "a newer kguard made it (format \(format))", next: "install a newer kguard")
    }
    self.json = json
  }

  /// Writes `SHA256SUMS` and then `bundle.json`, from a snapshot that the verifier has seen.
  public static func write(
    _ directory: BundleDirectory, snapshot: VerifiedSnapshot, taken: JSON, created: Timestamp, archive: BundleFile?
  ) throws(Failure) -> BundleManifest {
    var report = snapshot.report.json
    // How long it took is no fact about the bundle.
    report["milliseconds"] = nil
    var files = [
      BundleFile(name: BundleDirectory.snapshotName, size: snapshot.report.fileSize, sha256: snapshot.report.sha256)
    ]
    if let archive { files.append(archive) }
    let json: JSON = [
      "kguard": "bundle", "format": .int(format), "id": .string(directory.id), "created": .string(created.description),
      "etcd": taken["etcd"] ?? [:], "kubernetes": taken["kubernetes"] ?? [:], "live": taken["live"] ?? [:], "snapshot": report,
      "files": .array(files.map(\.json)),
    ]
    try failpoint("bundle/sums.before")
    let manifest = try BundleManifest(json, source: directory.manifest)
    try Files.replace(directory.sums, with: Array(manifest.sums.utf8))
    try failpoint("bundle/manifest.before")
    try Files.replace(directory.manifest, with: Array((json.text(pretty: true) + "\n").utf8))
    try failpoint("bundle/manifest.after")
    return manifest
  }
}

extension BundleFile {
  /// Reads a file from disk and says what it is.
  public static func measure(_ directory: BundleDirectory, _ name: String) throws(Failure) -> BundleFile {
    let running = RunningDigest()
    try readFile(directory.path + "/" + name) { (bytes) throws(Failure) in running.update(bytes) }
    let (size, sha256) = running.finish()
    return BundleFile(name: name, size: size, sha256: sha256)
  }
}

/// A bundle whose every file was read and is what `bundle.json` says, its snapshot sound. Only `verify` makes one.
public struct VerifiedBundle: Sendable {
  public let directory: BundleDirectory
  public let manifest: BundleManifest
  public let report: SnapshotReport

  /// Reads all of a bundle. With the digest of its live keys, which a restore is compared with.
  public static func verify(
    _ directory: BundleDirectory, stop: StopSignal? = nil, progress: (Progress) -> Void = { _ in }
  ) throws(Failure) -> VerifiedBundle {
    let manifest = try BundleManifest.own(directory)
    guard let file = manifest.file(BundleDirectory.snapshotName) else {
      throw Failure(
        .verification, what: "the bundle \(directory.id) holds no snapshot", why: "its manifest names none", next: "choose another")
    }
    var expectations = SnapshotExpectations()
    expectations.sha256 = file.sha256
    expectations.liveDigest = manifest.liveDigest
    expectations.needsTrailer = manifest.snapshot["trailer"]?.string == SnapshotReport.Trailer.valid.rawValue
    let snapshot = try verifySnapshot(directory.snapshot, expecting: expectations, stop: stop) { progress(Progress(done: $0, total: $1)) }
    for expected in manifest.files where expected.name != BundleDirectory.snapshotName {
      let found = try BundleFile.measure(directory, expected.name)
      guard found == expected else {
        throw BundleManifest.damaged(
          directory.id,
          "\(expected.name) has \(found.size) bytes with sha256 \(found.sha256), expected \(expected.size) with \(expected.sha256)")
      }
    }
    try manifest.requireSums(directory)
    return VerifiedBundle(directory: directory, manifest: manifest, report: snapshot.report)
  }
}
