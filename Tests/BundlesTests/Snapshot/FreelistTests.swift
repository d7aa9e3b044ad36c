import Host
import Model
import Testing

@testable import Bundles

/// etcd does not store bbolt's list of free pages, other users of bbolt do; so it is made here, and etcdctl is the judge.
@Suite struct `Lists of free pages` {
  private let home = SnapshotDirectory()
  private let body: [UInt8]
  private let used: Set<UInt64>
  private let free: [UInt64]

  init() throws {
    let etcd = try SnapshotEtcd(.installed)
    try etcd.putAll((0..<300).map { ("/registry/pods/default/pod-\($0)", "x") })
    for _ in 0..<3 { try etcd.ctl("put", "/registry/pods/default/pod-1", "y") }
    try etcd.ctl("compact", "4")
    let path = try etcd.snapshot()
    body = Array(try Files.read(path).dropLast(32))
    let bolt = try BoltFile(path)
    var used: Set<UInt64> = [0, 1]
    func visit(_ id: UInt64) throws {
      let page = try bolt.page(id)
      used.formUnion(id..<id + UInt64(page.pages))
      if page.flags == BoltPage.leaf {
        var roots: [UInt64] = []
        _ = try page.eachElement { _, element in if element.isBucket { roots.append(element.value.u64(0)) } }
        for root in roots where root != 0 { try visit(root) }
      } else {
        var end = try page.elementsEnd()
        for index in 0..<page.count {
          let child = try page.child(index, keyAt: end)
          end = child.end
          try visit(child.page)
        }
      }
    }
    try visit(bolt.meta.root)
    self.used = used
    free = (2..<bolt.meta.highWater).filter { !used.contains($0) }
  }

  private func bytes(_ number: UInt64, _ width: Int) -> [UInt8] {
    (0..<width).map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0))) }
  }

  /// The database with its first free page turned into a list of these.
  private func file(listing ids: [UInt64], long: Bool) throws -> String {
    var out = body
    let home = Int(free[0]) * 4096
    let count = long ? [0xff, 0xff] : bytes(UInt64(ids.count), 2)
    let list = (long ? bytes(UInt64(ids.count), 8) : []) + ids.flatMap { bytes($0, 8) }
    let page = bytes(free[0], 8) + [16, 0] + count + bytes(0, 4) + list
    out.replaceSubrange(home..<home + 4096, with: page + [UInt8](repeating: 0, count: 4096 - page.count))
    for meta in [0, 4096] {
      out.replaceSubrange(meta + 48..<meta + 56, with: bytes(free[0], 8))
      let checksum = out[meta + 16..<meta + 72].reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
      out.replaceSubrange(meta + 72..<meta + 80, with: bytes(checksum, 8))
    }
    let path = self.home.path + "/listed.db"
    try OpenFile(path, 0o1101).write(out)
    return path
  }

  @Test(arguments: [false, true])
  func `a stored list is read as bbolt reads it`(long: Bool) throws {
    try #require(free.count > 2)
    let path = try file(listing: Array(free.dropFirst()), long: long)
    let report = try verifySnapshot(path).report
    let status = try runCaptured("/usr/bin/etcdctl", Command(["etcdctl", "snapshot", "status", path], environment: ["ETCDCTL_API": "3"]))
    #expect(status.end.isSuccess)
    #expect(status.text.hasPrefix(report.line))
    #expect(report.bytesFree == Int64(free.count - 1) * 4096)
  }

  @Test(arguments: [false, true])
  func `a list that contradicts the tree is damage`(long: Bool) throws {
    func why(_ ids: [UInt64]) throws -> String? {
      let path = try file(listing: ids, long: long)
      return #expect(throws: Failure.self) { try verifySnapshot(path) }?.why
    }
    let ids = Array(free.dropFirst())
    let inUse = try #require(used.max())
    #expect(try why(Array(ids.dropFirst())) == "page \(ids[0]) is neither in use nor free")
    #expect(try why((ids + [inUse]).sorted())?.hasSuffix("page \(inUse) is in use, and listed as free") == true)
    #expect(try why(ids.reversed())?.hasSuffix("are not in order") == true)
    #expect(try why(ids + [1 << 40])?.contains("names page") == true)
  }
}
