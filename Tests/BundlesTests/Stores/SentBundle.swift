import Bundles
import Host
import Model
import Testing

/// A bundle of noise that is copied as production does it, and the memory of its copies.
final class SentBundle: CopyLog {
  let directory: BundleDirectory
  let noise: [UInt8]
  let key: AgeIdentity?
  private let manifest: BundleManifest
  private(set) var receipts: [String: Receipt] = [:]
  private(set) var readBack: Set<String> = []
  /// What was sent, in order.
  private(set) var sent: [String] = []

  static let files = ["snapshot.db", "SHA256SUMS", "bundle.json"]

  /// With `isSealed` it is encrypted, and what is read back is opened.
  init(in parent: StoreTestDirectory, _ size: Int, isSealed: Bool = false) throws {
    directory = BundleDirectory(try parent.make("b"))
    let file = try parent.noise("b/snapshot.db", size)
    noise = file.bytes
    key = isSealed ? try AgeIdentity.generate() : nil
    let json: JSON = [
      "kguard": "bundle", "format": 1, "id": "b",
      "files": [["name": "snapshot.db", "size": .int(Int64(size)), "sha256": .string("\(file.sha256)")]],
    ]
    try Files.replace(directory.sums, with: Array("\(file.sha256)  snapshot.db\n".utf8))
    try Files.replace(directory.manifest, with: Array(json.text().utf8))
    manifest = try BundleManifest(reading: directory)
  }

  /// What the store calls the snapshot.
  var name: String { BundleCopy.name("b", "snapshot.db", encrypted: key != nil) }

  @discardableResult
  func copy(to store: any Store, _ transfer: Transfer = Transfer(), retry: RetryPolicy) throws(Failure) -> JSON {
    let keys = key.map { [$0] } ?? []
    return try BundleCopy(directory, manifest, to: store, recipients: keys.map(\.recipient), identities: keys, retry: retry)
      .run(self, transfer)
  }

  /// The snapshot that a sealed file holds.
  func opened(_ path: String) throws -> [UInt8] {
    let plain = path + ".opened"
    _ = try Opener.open(file: path, to: plain, identities: key.map { [$0] } ?? [])
    defer { try? Files.removeOwn(plain) }
    return try Files.read(plain)
  }

  func receipt(_ file: String) throws(Failure) -> Receipt? { receipts[file] }

  func sent(_ file: String, _ receipt: Receipt) throws(Failure) {
    receipts[file] = receipt
    readBack.remove(file)
    sent.append(file)
  }

  func verified(_ file: String) throws(Failure) { readBack.insert(file) }
  func differs(_ file: String) throws(Failure) { readBack.remove(file) }
}
