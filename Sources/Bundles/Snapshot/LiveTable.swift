internal import Model

/// The newest record of each key, for as many keys as fit into a bounded table; where there are more, only the keys of a
/// range, lowest first, and the next range at the next turn. An entry is the record's place in the file and 16 bits of
/// hash: what is compared are the keys themselves, where they lie.
final class LiveTable {
  private let bolt: BoltFile
  private let maximum: Int
  private var slots: UnsafeMutableBufferPointer<UInt64>
  private var used = 0
  /// The range of keys that is looked at: `lower` is in it, `upper` is not.
  private var lower: [UInt8] = []
  private var upper: [UInt8]?
  private var later: [(lower: [UInt8], upper: [UInt8]?)] = []
  /// After `finish`: how many entries stand in front of the table.
  private(set) var count = 0

  /// Thirty-two mebibytes: about three million keys a turn.
  static let usualSlots = 1 << 22

  init(_ bolt: BoltFile, maximumSlots: Int = usualSlots) {
    self.bolt = bolt
    maximum = max(64, maximumSlots)
    slots = Self.allocate(min(4096, max(64, maximumSlots)))
  }

  deinit { slots.deallocate() }

  private static func allocate(_ count: Int) -> UnsafeMutableBufferPointer<UInt64> {
    let slots = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: count)
    slots.initialize(repeating: 0)
    return slots
  }

  /// Takes a record that is newer than all before it.
  func take(_ offset: Int, key: UnsafeRawBufferPointer) throws(Damage) {
    if !lower.isEmpty, lower.withUnsafeBytes({ compare(key, $0) < 0 }) { return }
    if let upper, upper.withUnsafeBytes({ compare(key, $0) >= 0 }) { return }
    if insert(offset, key) { used += 1 }
    if used * 4 > slots.count * 3 { try makeRoom() }
  }

  /// True where the key was not there.
  private func insert(_ offset: Int, _ key: UnsafeRawBufferPointer) -> Bool {
    let hash = Self.hash(key)
    let entry = UInt64(offset) << 16 | hash >> 48
    let mask = slots.count - 1
    var at = Int(truncatingIfNeeded: hash) & mask
    while slots[at] != 0 {
      if slots[at] & 0xffff == entry & 0xffff, let other = self.key(of: slots[at]), compare(other, key) == 0 {
        slots[at] = entry
        return false
      }
      at = (at + 1) & mask
    }
    slots[at] = entry
    return true
  }

  /// Seeded anew in each process, so that no file can be made for it.
  private static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
    var hasher = Hasher()
    hasher.combine(bytes: key)
    return UInt64(bitPattern: Int64(hasher.finalize()))
  }

  private func key(of entry: UInt64) -> UnsafeRawBufferPointer? {
    guard let element = bolt.element(at: Int(entry >> 16)) else { return nil }
    return try? KeyValue.key(of: element.value)
  }

  private func makeRoom() throws(Damage) {
    if slots.count < maximum {
      let old = slots
      slots = Self.allocate(min(old.count * 8, maximum))
      for entry in old where entry != 0 { reinsert(entry) }
      old.deallocate()
    } else {
      try halveRange()
    }
  }

  private func reinsert(_ entry: UInt64) {
    if let key = key(of: entry) { _ = insert(Int(entry >> 16), key) }
  }

  /// Leaves the upper half of the keys for a later turn.
  private func halveRange() throws(Damage) {
    let step = max(1, slots.count / 2048)
    let sample = stride(from: 0, to: slots.count, by: step).compactMap { slots[$0] == 0 ? nil : key(of: slots[$0]) }
    let sorted = sample.sorted { compare($0, $1) < 0 }
    guard let first = sorted.first, let middle = sorted.dropFirst(sorted.count / 2).first, compare(first, middle) < 0 else {
      throw Damage("its keys cannot be told apart")
    }
    let pivot = Array(middle)
    later.append((pivot, upper))
    upper = pivot
    let kept = slots.filter { entry in
      entry != 0 && key(of: entry).map { key in pivot.withUnsafeBytes { compare(key, $0) < 0 } } == true
    }
    slots.update(repeating: 0)
    for entry in kept { reinsert(entry) }
    used = kept.count
  }

  enum Order { case place, key }

  /// After all records were taken: the entries of keys that are not deleted, in order.
  func finish(_ order: Order) {
    count = 0
    for at in slots.indices where slots[at] != 0 {
      let entry = slots[at]
      guard let element = bolt.element(at: Int(entry >> 16)), element.key.count == 17 else { continue }
      slots[count] = entry
      count += 1
    }
    var live = UnsafeMutableBufferPointer(rebasing: slots[..<count])
    switch order {
    case .place: live.sort()
    case .key:
      let none = UnsafeRawBufferPointer(start: nil, count: 0)
      live.sort { compare(self.key(of: $0) ?? none, self.key(of: $1) ?? none) < 0 }
    }
  }

  /// Where the live records stand in the file.
  func place(_ index: Int) -> Int { Int(slots[index] >> 16) }

  /// Begins the next range; false where all are done.
  func beginNextRange() -> Bool {
    guard let range = later.popLast() else { return false }
    (lower, upper) = range
    slots.update(repeating: 0)
    (used, count) = (0, 0)
    return true
  }
}
