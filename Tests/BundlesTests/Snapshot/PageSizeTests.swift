import Host
import Model
import Testing

@testable import Bundles

/// bbolt's pages are as large as the kernel's, which on some machines is not 4096; etcdctl reads any of them and is the judge.
@Suite struct `Page sizes` {
  private let home = SnapshotDirectory()

  @Test(arguments: [1024, 4096, 16384, 65536])
  func `a database with any page size is read as etcdctl reads it`(pageSize: Int) throws {
    let path = home.path + "/pages.db"
    let records = (1...500).map { (Self.revision($0), Self.record($0)) }
    try OpenFile(path, 0o1101).write(BoltForge(pageSize: pageSize).database(["key": records, "meta": [(Array("term".utf8), Self.big(3))]]))
    let report = try verifySnapshot(path).report
    #expect(report.pageSize == pageSize && report.objects == ["pods": 500] && report.term == 3)
    let status = try runCaptured("/usr/bin/etcdctl", Command(["etcdctl", "snapshot", "status", path], environment: ["ETCDCTL_API": "3"]))
    #expect(status.end.isSuccess, "\(status.errorText)")
    #expect(status.text.hasPrefix(report.line))
  }

  @Test func `a record that contradicts its revision is damage`() throws {
    func why(_ record: [UInt8]) throws -> String? {
      let path = home.path + "/record.db"
      try OpenFile(path, 0o1101).write(BoltForge(pageSize: 4096).database(["key": [(Self.revision(7), record)], "meta": []]))
      return #expect(throws: Failure.self) { try verifySnapshot(path) }?.why
    }
    #expect(try why(Self.record(8))?.hasSuffix("/registry/pods/default/p8 at revision 7 says created 8, modified 8") == true)
    #expect(try why([0x0a, 1, 0x61, 0x10, 5, 0x18, 7, 0x20, 9])?.hasSuffix("a at revision 7 has the impossible version 9") == true)
    #expect(try why([0x18, 7])?.hasSuffix("has no key") == true)
    #expect(try why([0x18, 7, 0x0a, 1, 0x61])?.hasSuffix("fields are not in order") == true)
    #expect(try why([0x0a, 200, 0x61])?.hasSuffix("field 1 is longer than its message") == true)
  }

  @Test func `a database of another program is refused`() throws {
    let path = home.path + "/other.db"
    try OpenFile(path, 0o1101).write(BoltForge(pageSize: 4096).database(["containers": [([1], [2])]]))
    #expect(#expect(throws: Failure.self) { try verifySnapshot(path) }?.why.contains("not etcd's") == true)
  }

  private static func big(_ number: Int) -> [UInt8] { (0..<8).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
  private static func revision(_ main: Int) -> [UInt8] { big(main) + [UInt8(ascii: "_")] + big(0) }

  private static func record(_ main: Int) -> [UInt8] {
    let key = Array("/registry/pods/default/p\(main)".utf8)
    let number = main < 128 ? [UInt8(main)] : [UInt8(main & 0x7f | 0x80), UInt8(main >> 7)]
    return [0x0a, UInt8(key.count)] + key + [0x10] + number + [0x18] + number + [0x20, 1, 0x2a, 1, 0x78]
  }
}

/// Writes databases as bbolt lays them out: one root leaf of buckets, each a leaf or a branch over leaves.
struct BoltForge {
  let pageSize: Int

  typealias Element = (key: [UInt8], value: [UInt8])

  func database(_ buckets: [String: [Element]]) -> [UInt8] {
    var pages: [UInt8] = []
    func add(_ flags: UInt8, _ count: Int, _ body: [UInt8]) -> Int {
      let id = pages.count / pageSize + 2
      let needed = (16 + body.count + pageSize - 1) / pageSize
      pages += number(id, 8) + [flags, 0] + number(count, 2) + number(needed - 1, 4) + body
      pages += [UInt8](repeating: 0, count: needed * pageSize - 16 - body.count)
      return id
    }
    let roots = buckets.sorted { $0.key < $1.key }.map { name, elements -> Element in
      var leaves: [Element] = []
      var rest = elements[...]
      repeat {
        let here = Array(rest.prefix(pageSize / 100))
        rest = rest.dropFirst(here.count)
        leaves.append((here.first?.key ?? [], number(add(2, here.count, leaf(here)), 8)))
      } while !rest.isEmpty
      let root = leaves.count == 1 ? leaves[0].value : number(add(1, leaves.count, branch(leaves)), 8)
      return (Array(name.utf8), root + number(0, 8))
    }
    let root = add(2, roots.count, leaf(roots))
    let highWater = pages.count / pageSize + 2
    return meta(0, root, highWater) + meta(1, root, highWater) + pages
  }

  private func leaf(_ elements: [Element]) -> [UInt8] {
    layout(elements, \.value) { [0, 0, 0, 0] + number($0, 4) + number($1.key.count, 4) + number($1.value.count, 4) }
      .enumerated().map { $0 % 16 == 0 && $0 < elements.count * 16 && elements[$0 / 16].value.count == 16 ? 1 : $1 }
  }

  private func branch(_ elements: [Element]) -> [UInt8] {
    layout(elements, { _ in [] }) { number($0, 4) + number($1.key.count, 4) + $1.value }
  }

  private func layout(_ elements: [Element], _ value: (Element) -> [UInt8], _ header: (Int, Element) -> [UInt8]) -> [UInt8] {
    var (headers, data): ([UInt8], [UInt8]) = ([], [])
    for (index, element) in elements.enumerated() {
      headers += header((elements.count - index) * 16 + data.count, element)
      data += element.key + value(element)
    }
    return headers + data
  }

  private func meta(_ index: Int, _ root: Int, _ highWater: Int) -> [UInt8] {
    let content =
      number(0xed0c_daed, 4) + number(2, 4) + number(pageSize, 4) + number(0, 4) + number(root, 8) + number(0, 8)
      + [UInt8](repeating: 0xff, count: 8) + number(highWater, 8) + number(2 + index, 8)
    let checksum = content.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    let page = number(index, 8) + [4, 0, 0, 0, 0, 0, 0, 0] + content + number(Int(bitPattern: UInt(checksum)), 8)
    return page + [UInt8](repeating: 0, count: pageSize - page.count)
  }

  private func number(_ number: Int, _ width: Int) -> [UInt8] { (0..<width).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
}
