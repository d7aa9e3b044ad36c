/// A meta page: where a transaction left the tree.
struct BoltMeta: Sendable, Equatable {
  let pageSize: Int
  let root: UInt64
  /// Nil: the list of free pages is not stored (etcd asks bbolt for that), and what is not reachable is free.
  let freelist: UInt64?
  /// Pages from here on are not part of the database.
  let highWater: UInt64
  let transaction: UInt64

  static let pageSizes = (0...6).map { 1024 << $0 }
  private static let magic: UInt32 = 0xed0c_daed

  /// Reads the meta page that starts at `offset`; `index` is 0 or 1.
  init(_ file: UnsafeRawBufferPointer, at offset: Int, index: UInt64) throws(Damage) {
    guard file.count >= 80, offset <= file.count - 80 else { throw Damage("meta page \(index) lies outside of the file") }
    let bytes = file.part(offset, 80)
    guard bytes.u32(16) == Self.magic else {
      throw Damage("meta page \(index) has no magic number of bbolt")
    }
    guard bytes.u32(20) == 2 else { throw Damage("meta page \(index) has version \(bytes.u32(20)), not 2") }
    guard bytes.u64(72) == Self.fnv(bytes.part(16, 56)) else { throw Damage("meta page \(index) has a wrong checksum") }
    guard bytes.u64(0) == index, bytes.u16(8) == 4, bytes.u16(10) == 0, bytes.u32(12) == 0 else {
      throw Damage("meta page \(index) has a wrong header")
    }
    let size = Int(bytes.u32(24))
    guard Self.pageSizes.contains(size) else { throw Damage("meta page \(index) names a page size of \(size)") }
    pageSize = size
    root = bytes.u64(32)
    freelist = bytes.u64(48) == .max ? nil : bytes.u64(48)
    highWater = bytes.u64(56)
    transaction = bytes.u64(64)
    guard highWater >= 3, highWater < 1 << 40 else { throw Damage("meta page \(index) counts \(highWater) pages") }
    guard root >= 2, root < highWater, (freelist ?? 2) >= 2, (freelist ?? 2) < highWater else {
      throw Damage("meta page \(index) points outside of the database")
    }
  }

  /// FNV-1a, 64 bits.
  private static func fnv(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
}
