/// Bech32 (BIP 173) without its limit on length, as age uses it.
enum Bech32 {
  struct Decoded {
    var prefix: String
    var data: [UInt8]
  }

  private static let alphabet = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l".utf8)
  private static let checksumSize = 6

  /// In lower case.
  static func encode(prefix: String, _ data: [UInt8]) -> [UInt8] {
    var groups = regroup(data, from: 8, to: 5, pads: true) ?? []
    defer { wipe(&groups) }
    var checked = expand(Array(prefix.utf8)) + groups + [UInt8](repeating: 0, count: checksumSize)
    defer { wipe(&checked) }
    let remainder = polymod(checked) ^ 1
    let checksum = (0..<checksumSize).map { UInt8(remainder >> (5 * UInt32(5 - $0)) & 31) }
    var out = Array(prefix.utf8)
    out.reserveCapacity(prefix.utf8.count + 1 + groups.count + checksumSize)
    out.append(UInt8(ascii: "1"))
    for group in groups { out.append(alphabet[Int(group)]) }
    for group in checksum { out.append(alphabet[Int(group)]) }
    return out
  }

  /// Nil for anything but a whole, right text in one case. The prefix is given in lower case.
  static func decode(_ text: some Collection<UInt8>) -> Decoded? {
    guard text.allSatisfy({ (33...126).contains($0) }) else { return nil }
    let hasUpper = text.contains { (65...90).contains($0) }
    let hasLower = text.contains { (97...122).contains($0) }
    if hasUpper && hasLower { return nil }
    var lower = text.map { (65...90).contains($0) ? $0 | 32 : $0 }
    defer { wipe(&lower) }
    guard let separator = lower.lastIndex(of: UInt8(ascii: "1")), separator > 0 else { return nil }
    let prefix = Array(lower[..<separator])
    var groups: [UInt8] = []
    groups.reserveCapacity(lower.count)
    defer { wipe(&groups) }
    for character in lower[(separator + 1)...] {
      guard let value = alphabet.firstIndex(of: character) else { return nil }
      groups.append(UInt8(value))
    }
    guard groups.count >= checksumSize else { return nil }
    var checked = expand(prefix) + groups
    defer { wipe(&checked) }
    guard polymod(checked) == 1, let data = regroup(groups.dropLast(checksumSize), from: 5, to: 8, pads: false) else { return nil }
    return Decoded(prefix: String(decoding: prefix, as: UTF8.self), data: data)
  }

  private static func expand(_ prefix: [UInt8]) -> [UInt8] { prefix.map { $0 >> 5 } + [0] + prefix.map { $0 & 31 } }

  private static func polymod(_ values: [UInt8]) -> UInt32 {
    let generators: [UInt32] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3]
    var checksum: UInt32 = 1
    for value in values {
      let top = checksum >> 25
      checksum = (checksum & 0x1ff_ffff) << 5 ^ UInt32(value)
      for (bit, generator) in generators.enumerated() where top >> UInt32(bit) & 1 == 1 { checksum ^= generator }
    }
    return checksum
  }

  /// Bits regrouped. Without padding, what is left over must be fewer bits than a group of the source, and zero.
  private static func regroup(_ data: some Collection<UInt8>, from: UInt32, to: UInt32, pads: Bool) -> [UInt8]? {
    var (held, bits): (UInt32, UInt32) = (0, 0)
    var out: [UInt8] = []
    out.reserveCapacity((data.count * Int(from) + Int(to) - 1) / Int(to))
    let mask = UInt32(1) << to - 1
    for value in data {
      held = (held << from | UInt32(value)) & 0xfff
      bits += from
      while bits >= to {
        bits -= to
        out.append(UInt8(held >> bits & mask))
      }
    }
    if pads {
      if bits > 0 { out.append(UInt8(held << (to - bits) & mask)) }
    } else if bits >= from || held & (1 << bits - 1) != 0 {
      return nil
    }
    return out
  }
}
