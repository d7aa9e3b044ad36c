import Testing

@testable import Host

@Suite struct `CRC-32C` {
  @Test func `the check value is Castagnoli's`() {
    var crc = CRC32C()
    Array("123456789".utf8).withUnsafeBytes { crc.update($0) }
    #expect(crc.value == 0xe306_9283)
  }

  @Test func `the table gives what the instruction gives, at any length and in pieces`() {
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 3) }
    for count in 0..<100 {
      var crc = CRC32C()
      bytes[..<count].withUnsafeBytes { crc.update($0) }
      bytes[count...].withUnsafeBytes { crc.update($0) }
      #expect(crc.value == bytes.withUnsafeBytes { ~CRC32C.byTable(0xffff_ffff, $0) })
    }
  }
}
