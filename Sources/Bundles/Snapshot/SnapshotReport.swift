public import Model

/// What a snapshot holds. The first four are what `etcdctl snapshot status` prints for the same file.
public struct SnapshotReport: Sendable, Equatable {
  /// CRC-32C over all buckets, keys and values.
  public internal(set) var hash: UInt32 = 0
  public internal(set) var revision: Int64 = 0
  public internal(set) var totalKeys = 0
  public internal(set) var totalSize: Int64 = 0

  /// `snapshot`: the SHA-256 at its end is right. `none`: the `db` of a stopped member, which has none.
  public enum Trailer: String, Sendable { case valid, none }
  public internal(set) var trailer: Trailer = .none
  /// Of the whole file, as `sha256sum` prints it.
  public internal(set) var sha256: Digest = .zero
  public internal(set) var fileSize: Int64 = 0

  public internal(set) var pageSize = 0
  public internal(set) var bytesInUse: Int64 = 0
  public var bytesFree: Int64 { totalSize - bytesInUse }

  public internal(set) var members: [SnapshotMember] = []
  public internal(set) var consistentIndex: UInt64?
  public internal(set) var term: UInt64?
  public internal(set) var compactedRevision: Int64?
  public internal(set) var clusterVersion: String?
  public internal(set) var storageVersion: String?
  public internal(set) var alarms: [String] = []
  public internal(set) var leases = 0
  public internal(set) var isAuthEnabled = false
  public internal(set) var users = 0
  public internal(set) var roles = 0

  /// Keys that exist at the snapshot's revision.
  public internal(set) var liveKeys = 0
  /// The same for every database with the same live keys, values and leases, whatever their revisions. Nil where it was not asked for.
  public internal(set) var liveDigest: Digest?
  /// Live keys by resource of Kubernetes; `(other)` for keys that are not its own.
  public internal(set) var objects: [String: Int] = [:]
  public internal(set) var namespaces: [String] = []

  public internal(set) var duration: Duration = .zero

  static let other = "(other)"
}

extension SnapshotReport {
  public var json: JSON {
    var json: JSON = [
      "hash": .int(Int64(hash)), "revision": .int(revision), "totalKey": JSON(totalKeys), "totalSize": .int(totalSize),
      "trailer": .string(trailer.rawValue), "sha256": .string(sha256.description), "fileSize": .int(fileSize),
      "pageSize": JSON(pageSize), "bytesInUse": .int(bytesInUse), "bytesFree": .int(bytesFree),
      "members": .array(members.map(\.json)),
    ]
    json["consistentIndex"] = consistentIndex.map { .int(Int64(clamping: $0)) }
    json["term"] = term.map { .int(Int64(clamping: $0)) }
    json["compactedRevision"] = compactedRevision.map { .int($0) }
    json["clusterVersion"] = clusterVersion.map { .string($0) }
    json["storageVersion"] = storageVersion.map { .string($0) }
    json["alarms"] = JSON(alarms)
    json["leases"] = JSON(leases)
    json["auth"] = ["enabled": .bool(isAuthEnabled), "users": JSON(users), "roles": JSON(roles)]
    json["liveKeys"] = JSON(liveKeys)
    json["liveDigest"] = liveDigest.map { .string($0.description) }
    var counts = JSON.Members()
    for (resource, count) in objects.sorted(by: { $0.key < $1.key }) { counts[resource] = JSON(count) }
    json["objects"] = .object(counts)
    json["namespaces"] = JSON(namespaces)
    json["milliseconds"] = .int(duration.milliseconds)
    return json
  }

  /// As `etcdctl snapshot status -w table` prints it, to the character.
  public var table: String {
    let cells = [
      ("HASH", String(hash, radix: 16)), ("REVISION", String(revision)), ("TOTAL KEYS", String(totalKeys)),
      ("TOTAL SIZE", Self.decimalSize(UInt64(clamping: totalSize))),
    ]
    let widths = cells.map { max($0.0.count, $0.1.count) }
    let line = "+" + widths.map { String(repeating: "-", count: $0 + 2) + "+" }.joined()
    let head = zip(cells, widths).map { cell, width in
      let space = width - cell.0.count
      return " " + spaces(space / 2) + cell.0 + spaces(space - space / 2) + " |"
    }
    let row = zip(cells, widths).map { cell, width in " " + spaces(width - cell.1.count) + cell.1 + " |" }
    return [line, "|" + head.joined(), line, "|" + row.joined(), line].joined(separator: "\n")
  }

  /// As `etcdctl snapshot status` prints it without options.
  public var line: String {
    "\(String(hash, radix: 16)), \(revision), \(totalKeys), \(Self.decimalSize(UInt64(clamping: totalSize)))"
  }

  private func spaces(_ count: Int) -> String { String(repeating: " ", count: count) }

  /// Thousands, not 1024: `25 kB`, `1.2 GB`.
  private static func decimalSize(_ bytes: UInt64) -> String {
    if bytes < 10 { return "\(bytes) B" }
    var (value, unit) = (Double(bytes), 0)
    let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
    // The unit is chosen before rounding, as etcdctl's library does: 999 950 bytes are `1000 kB`.
    while value >= 1000, unit < units.count - 1 { (value, unit) = (value / 1000, unit + 1) }
    let rounded = (value * 10 + 0.5).rounded(.down) / 10
    // Go prints 20.5 without decimals as 20, and 21.5 as 22.
    return rounded < 10 ? "\(fixed(rounded, 1)) \(units[unit])" : "\(Int(rounded.rounded(.toNearestOrEven))) \(units[unit])"
  }
}

extension SnapshotMember {
  public var json: JSON {
    [
      "id": .string(String(id, radix: 16)), "name": .string(name), "peerURLs": JSON(peerURLs), "clientURLs": JSON(clientURLs),
      "isLearner": .bool(isLearner),
    ]
  }
}
