/// Which pages are in use and which are free, two bits a page.
struct PageSet {
  private var used: [UInt64]
  private var free: [UInt64]
  private let count: UInt64
  private(set) var usedCount = 0
  private(set) var freeCount = 0

  init(count: UInt64) {
    self.count = count
    used = [UInt64](repeating: 0, count: Int(count / 64 + 1))
    free = []
  }

  mutating func markFree(_ id: UInt64) throws(Damage) {
    if free.isEmpty { free = [UInt64](repeating: 0, count: used.count) }
    guard id >= 2, id < count else { throw Damage("the list of free pages names page \(id), and there are \(count) pages") }
    let (word, bit) = (Int(id >> 6), UInt64(1) << (id & 63))
    guard free[word] & bit == 0 else { throw Damage("page \(id) is listed as free twice") }
    free[word] |= bit
    freeCount += 1
  }

  mutating func markUsed(_ first: UInt64, pages: Int) throws(Damage) {
    guard first < count, pages >= 0, UInt64(pages) <= count - first else { throw Damage("page \(first) goes on after the end") }
    for id in first..<first + UInt64(pages) {
      let (word, bit) = (Int(id >> 6), UInt64(1) << (id & 63))
      guard used[word] & bit == 0 else { throw Damage("page \(id) is used twice") }
      if !free.isEmpty, free[word] & bit != 0 { throw Damage("page \(id) is in use, and listed as free") }
      used[word] |= bit
    }
    usedCount += pages
  }

  /// A page that is neither used nor free, where the free ones are known.
  func lost() -> UInt64? {
    for id in 0..<count {
      let (word, bit) = (Int(id >> 6), UInt64(1) << (id & 63))
      if used[word] & bit == 0, free.isEmpty || free[word] & bit == 0 { return id }
    }
    return nil
  }
}
