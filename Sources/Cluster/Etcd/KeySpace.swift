public import Model

/// How many keys there are of each Kubernetes resource at one revision, and the hash of them all where it can be had.
public struct KeySpace: Sendable, Equatable {
  public let revision: Int64
  /// Keys of any prefix.
  public let total: Int64
  /// Keys below the registry's prefix, by resource: `pods`, `services/specs`, `apps.example.com/widgets`; sorted.
  public let resources: [(resource: String, count: Int64)]
  public let hash: EtcdHash?

  public static func == (a: Self, b: Self) -> Bool {
    a.revision == b.revision && a.total == b.total && a.hash == b.hash && a.resources.elementsEqual(b.resources, by: ==)
  }

  public var json: JSON {
    var counts = JSON.Members()
    for (resource, count) in resources { counts[resource] = .int(count) }
    var json: JSON = ["revision": .int(revision), "total": .int(total), "resources": .object(counts)]
    if let hash { json["hash"] = ["value": .int(Int64(hash.hash)), "compactRevision": .int(hash.compactRevision)] }
    return json
  }

  /// What differs from `other`, in words; empty where it is the same key space. Revisions may differ: a restore bumps them.
  public func differences(from other: KeySpace) -> [String] {
    var words: [String] = []
    if total != other.total { words.append("\(total) keys instead of \(other.total)") }
    let (mine, its) = (Self.table(resources), Self.table(other.resources))
    for name in Set(mine.keys).union(its.keys).sorted() where mine[name] != its[name] {
      words.append("\(name): \(mine[name] ?? 0) instead of \(its[name] ?? 0)")
    }
    if let hash, let theirs = other.hash, isComparable(hash, theirs), hash.hash != theirs.hash {
      words.append("hash \(hash.hash) instead of \(theirs.hash)")
    }
    return words
  }

  /// True where the hashes cover the same revisions, so that equal ones prove equal content.
  public func hasComparableHash(_ other: KeySpace) -> Bool {
    guard let hash, let theirs = other.hash else { return false }
    return isComparable(hash, theirs)
  }

  private func isComparable(_ a: EtcdHash, _ b: EtcdHash) -> Bool {
    a.compactRevision == b.compactRevision && a.revision == b.revision
  }

  private static func table(_ resources: [(resource: String, count: Int64)]) -> [String: Int64] {
    Dictionary(resources.map { ($0.resource, $0.count) }, uniquingKeysWith: +)
  }

  /// The prefix of all keys of the same resource as `key`, which begins with `root` (`/registry/`). Groups of custom resources and
  /// services have one more level.
  static func resourcePrefix(of key: [UInt8], root: [UInt8]) -> [UInt8] {
    let slash = UInt8(ascii: "/")
    guard let end = key.dropFirst(root.count).firstIndex(of: slash) else { return key }
    let first = key[root.count..<end]
    let isGroup = first.contains(UInt8(ascii: ".")) || first.elementsEqual("services".utf8)
    guard isGroup else { return Array(key[...end]) }
    guard let second = key[(end + 1)...].firstIndex(of: slash) else { return key }
    return Array(key[...second])
  }

  /// The first key after all that begin with `prefix`.
  static func end(of prefix: [UInt8]) -> [UInt8] {
    var end = prefix
    while let last = end.popLast() {
      if last < 0xff { return end + [last + 1] }
    }
    return [0]
  }
}

extension EtcdClient {
  /// Counts the keys at `revision` (0: now), one resource after the other, without reading a value. `hashed`: etcd reads all of it for that;
  /// nothing that a living cluster should be asked for.
  public func keySpace(prefix: String = "/registry", revision: Int64 = 0, hashed: Bool = true) throws(Failure) -> KeySpace {
    let all = try range([0], end: [0], revision: revision, countOnly: true)
    let at = revision != 0 ? revision : all.header.revision
    let root = Array((prefix.hasSuffix("/") ? prefix : prefix + "/").utf8)
    let end = KeySpace.end(of: root)
    var counts: [(resource: String, count: Int64)] = []
    var cursor = root
    while let key = try range(cursor, end: end, limit: 1, revision: at).keys.first {
      let resource = KeySpace.resourcePrefix(of: key, root: root)
      let isKey = resource == key
      let next = isKey ? key + [0] : KeySpace.end(of: resource)
      let count = isKey ? 1 : try range(resource, end: next, revision: at, countOnly: true).count
      let name = String(decoding: resource.dropFirst(root.count), as: UTF8.self)
      counts.append((name.hasSuffix("/") ? String(name.dropLast()) : name, count))
      // Whatever answers, the walk goes forward.
      guard cursor.lexicographicallyPrecedes(next) || next == end else { break }
      cursor = next
    }
    return KeySpace(revision: at, total: all.count, resources: counts, hash: hashed ? try? hash(revision: at) : nil)
  }
}
