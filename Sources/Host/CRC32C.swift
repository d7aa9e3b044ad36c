internal import CPosix

/// CRC-32 with Castagnoli's polynomial, as Go's `hash/crc32` computes it.
public struct CRC32C: Sendable {
  private var state: UInt32 = 0xffff_ffff

  public init() {}

  public var value: UInt32 { ~state }

  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
    state = Self.isFast ? kg_crc32c(state, base, bytes.count) : Self.byTable(state, bytes)
  }

  private static let isFast = kg_crc32c_is_fast() != 0

  /// The same without the instruction, for processors that lack it.
  static func byTable(_ start: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
    table.withUnsafeBufferPointer { table in
      var state = start
      for byte in bytes { state = table[Int((state ^ UInt32(byte)) & 0xff)] ^ (state >> 8) }
      return state
    }
  }

  private static let table: [UInt32] = (0..<256).map { (index: UInt32) in
    var value = index
    for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0x82f6_3b78 : value >> 1 }
    return value
  }
}
