internal import Host
internal import Model

/// A bbolt database in a mapped file, as its newest whole transaction left it.
final class BoltFile: Sendable {
  let file: MappedFile
  let meta: BoltMeta
  /// What is wrong with the one meta page that bbolt would not use.
  let damagedMeta: String?
  /// True where 32 bytes follow the database, as after `etcdctl snapshot save`: a SHA-256 of all before it.
  let hasTrailer: Bool
  var path: String { file.path }

  static let trailerSize = 32

  /// Bytes of the file without the trailer.
  var bodyCount: Int { hasTrailer ? file.count - Self.trailerSize : file.count }

  init(_ path: String) throws(Failure) {
    file = try MappedFile(path)
    // etcd's own rule: no page ends 32 bytes after a sector.
    hasTrailer = file.count % 512 == Self.trailerSize
    let body = file.count - (hasTrailer ? Self.trailerSize : 0)
    guard body % 512 == 0, body >= 4 * 1024, let all = file.bytes(at: 0, count: body) else {
      throw damaged(path, "its size of \(file.count) bytes is no whole number of pages: it was cut off, or it is no etcd database")
    }
    let found: (BoltMeta, String?)
    do throws(Damage) { found = try Self.newest(all) } catch { throw damaged(path, error.why) }
    (meta, damagedMeta) = found
    guard body % meta.pageSize == 0, UInt64(body / meta.pageSize) >= meta.highWater else {
      throw damaged(
        path, "it was cut off: its pages need \(UInt64(meta.pageSize) * meta.highWater) bytes, and \(body) are there")
    }
  }

  private static func newest(_ body: UnsafeRawBufferPointer) throws(Damage) -> (BoltMeta, String?) {
    do throws(Damage) {
      let first = try BoltMeta(body, at: 0, index: 0)
      do throws(Damage) {
        let second = try BoltMeta(body, at: first.pageSize, index: 1)
        guard first.pageSize == second.pageSize else { throw Damage("its meta pages differ in page size") }
        return (first.transaction > second.transaction ? first : second, nil)
      } catch { return (first, error.why) }
    } catch {
      // Where the first is unreadable nothing says how long a page is, so bbolt looks at every place too.
      for size in BoltMeta.pageSizes {
        if let second = try? BoltMeta(body, at: size, index: 1), second.pageSize == size { return (second, error.why) }
      }
      throw Damage(error.why + ", and no other meta page is whole")
    }
  }

  /// The page with that number, with the pages that continue it.
  func page(_ id: UInt64) throws(Damage) -> BoltPage {
    guard id >= 2, id < meta.highWater else {
      throw Damage("page \(id) is referred to, and there are \(meta.highWater) pages")
    }
    let offset = Int(id) * meta.pageSize
    guard let header = file.bytes(at: offset, count: BoltPage.headerSize) else { throw Damage("page \(id) is cut off") }
    let overflow = UInt64(header.u32(12))
    guard overflow < meta.highWater - id else { throw Damage("page \(id) goes on after the end of the database") }
    guard let bytes = file.bytes(at: offset, count: (1 + Int(overflow)) * meta.pageSize) else {
      throw Damage("page \(id) is cut off")
    }
    guard bytes.u64(0) == id else { throw Damage("page \(id) says that it is page \(bytes.u64(0))") }
    return BoltPage(id: id, offset: offset, bytes: bytes, pages: 1 + Int(overflow))
  }

  /// The element whose header stands at `offset` of the file; nil where it does not lie inside.
  @inline(__always)
  func element(at offset: Int) -> BoltElement? {
    guard let header = file.bytes(at: offset, count: BoltPage.elementSize) else { return nil }
    let start = offset + Int(header.u32(4))
    let keyCount = Int(header.u32(8)), valueCount = Int(header.u32(12))
    guard let both = file.bytes(at: start, count: keyCount + valueCount) else { return nil }
    return BoltElement(offset: offset, key: both.part(0, keyCount), value: both.part(keyCount, valueCount), isBucket: header.u32(0) == 1)
  }
}

/// One key and value of a leaf.
struct BoltElement {
  /// Where its header stands in the file.
  let offset: Int
  let key: UnsafeRawBufferPointer
  let value: UnsafeRawBufferPointer
  let isBucket: Bool
}

/// A page and those that continue it, or the page inside an inline bucket.
struct BoltPage {
  let id: UInt64
  let offset: Int
  let bytes: UnsafeRawBufferPointer
  let pages: Int

  static let headerSize = 16
  static let elementSize = 16
  static let branch: UInt16 = 1
  static let leaf: UInt16 = 2
  static let freelist: UInt16 = 16

  var flags: UInt16 { bytes.u16(8) }
  var count: Int { Int(bytes.u16(10)) }

  /// Calls `body` with each element of a leaf; bbolt writes them without gaps, so anything else is damage.
  @inline(__always)
  func eachElement(_ body: (Int, BoltElement) throws(Damage) -> Void) throws(Damage) -> Int {
    var expected = try elementsEnd()
    for index in 0..<count {
      let at = Self.headerSize + index * Self.elementSize
      let flags = bytes.u32(at), keyCount = Int(bytes.u32(at + 8)), valueCount = Int(bytes.u32(at + 12))
      guard flags <= 1 else { throw Damage("page \(id), element \(index): unknown flags \(flags)") }
      guard at + Int(bytes.u32(at + 4)) == expected, keyCount > 0, keyCount <= 32768,
        keyCount + valueCount <= bytes.count - expected
      else { throw Damage("page \(id), element \(index): it does not lie where it should") }
      try body(
        index,
        BoltElement(
          offset: offset + at, key: bytes.part(expected, keyCount), value: bytes.part(expected + keyCount, valueCount),
          isBucket: flags == 1))
      expected += keyCount + valueCount
    }
    return expected
  }

  /// The key and the child of a branch's element, and where the next key must begin.
  @inline(__always)
  func child(_ index: Int, keyAt expected: Int) throws(Damage) -> (key: UnsafeRawBufferPointer, page: UInt64, end: Int) {
    let at = Self.headerSize + index * Self.elementSize
    let keyCount = Int(bytes.u32(at + 4))
    guard at + Int(bytes.u32(at)) == expected, keyCount > 0, keyCount <= 32768, keyCount <= bytes.count - expected else {
      throw Damage("page \(id), element \(index): it does not lie where it should")
    }
    return (bytes.part(expected, keyCount), bytes.u64(at + 8), expected + keyCount)
  }

  func elementsEnd() throws(Damage) -> Int {
    let end = Self.headerSize + count * Self.elementSize
    guard end <= bytes.count else { throw Damage("page \(id): \(count) elements do not fit into it") }
    return end
  }
}
