internal import Host
internal import Model

/// Sees all of a database once and keeps what the report says: etcd's own hash and counts, its facts, the newest record of each key.
struct SnapshotContent: BoltVisitor {
  private let table: LiveTable
  private var hash = CRC32C()
  private var totalKeys = 0
  private var last: Revision?
  private var facts = EtcdFacts()
  private var bucket = EtcdFacts.Bucket.other
  private var buckets: Set<EtcdFacts.Bucket> = []

  init(_ table: LiveTable) { self.table = table }

  mutating func enter(bucket name: UnsafeRawBufferPointer) {
    bucket = EtcdFacts.Bucket(name)
    buckets.insert(bucket)
    hash.update(name)
  }

  @inline(__always)
  mutating func see(_ element: BoltElement) throws(Damage) {
    hash.update(element.key)
    hash.update(element.value)
    totalKeys += 1
    guard bucket == .key else { return try facts.see(element, in: bucket) }
    let revision = try Revision(element.key)
    if let last, revision <= last { throw Damage("revision \(revision.main) comes twice") }
    last = revision
    let record = try KeyValue(element.value)
    try record.check(revision)
    if !record.key.isEmpty { try table.take(element.offset, key: record.key) }
  }

  func checkWhole() throws(Damage) {
    guard buckets.contains(.key), buckets.contains(.meta) else {
      throw Damage("it has no bucket `\(buckets.contains(.key) ? "meta" : "key")`: it is a bbolt database, but not etcd's")
    }
    if let scheduled = facts.scheduledCompaction, let finished = facts.finishedCompaction, finished > scheduled {
      throw Damage("bucket meta: a compaction to \(finished) is finished, and only one to \(scheduled) was begun")
    }
  }

  func write(to report: inout SnapshotReport) {
    report.hash = hash.value
    report.revision = last?.main ?? 0
    report.totalKeys = totalKeys
    report.members = facts.members
    report.consistentIndex = facts.consistentIndex
    report.term = facts.term
    report.compactedRevision = facts.scheduledCompaction ?? facts.finishedCompaction
    report.clusterVersion = facts.clusterVersion
    report.storageVersion = facts.storageVersion
    report.alarms = facts.alarms
    report.leases = facts.leases
    report.isAuthEnabled = facts.isAuthEnabled
    report.users = facts.users
    report.roles = facts.roles
  }
}

/// Live keys by resource. However many kinds of keys a file claims to have, the table stays small.
struct ObjectCounts {
  private var total = 0
  private var objects: [String: Int] = [:]
  private var namespaces: [String] = []

  private static let mostResources = 4096
  private static let mostNamespaces = 20_000

  mutating func add(_ key: UnsafeRawBufferPointer) {
    total += 1
    let path = ObjectPath(key)
    var resource = path?.resourceName ?? SnapshotReport.other
    if resource.utf8.count > 512 || (objects.count >= Self.mostResources && objects[resource] == nil) { resource = SnapshotReport.other }
    objects[resource, default: 0] += 1
    if let path, path.isNamespace, namespaces.count < Self.mostNamespaces, path.name.count <= 512 { namespaces.append(path.name.text) }
  }

  func write(to report: inout SnapshotReport) {
    report.liveKeys = total
    report.objects = objects
    report.namespaces = namespaces.sorted()
  }
}
