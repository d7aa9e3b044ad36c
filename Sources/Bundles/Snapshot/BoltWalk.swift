internal import Host
internal import Model

/// Sees a database in its own order: each bucket, then the elements of that bucket.
protocol BoltVisitor {
  mutating func enter(bucket name: UnsafeRawBufferPointer) throws(Damage)
  mutating func see(_ element: BoltElement) throws(Damage)
}

/// Goes through every page of a database once and checks all that a page claims, while a visitor sees the elements.
struct BoltWalk {
  private let bolt: BoltFile
  private let stop: StopSignal?
  private(set) var pages: PageSet
  private var bucket = ""

  init(_ bolt: BoltFile, stop: StopSignal? = nil) {
    self.bolt = bolt
    self.stop = stop
    pages = PageSet(count: bolt.meta.highWater)
  }

  /// Throws a `.verification` failure that names the first damaged page.
  mutating func run<V: BoltVisitor>(_ visitor: inout V) throws(Failure) {
    do throws(Damage) {
      try pages.markUsed(0, pages: 2)
      try readFreelist()
      try tree(bolt.meta.root, bucketDepth: 0, &visitor)
      if bolt.meta.freelist != nil, let lost = pages.lost() { throw Damage("page \(lost) is neither in use nor free") }
    } catch {
      if stop?.isAsked == true { throw interrupted() }
      throw damaged(bolt.path, bucket.isEmpty ? error.why : "bucket \(bucket), " + error.why)
    }
  }

  private func interrupted() -> Failure {
    Failure(.interrupted, what: "stopped reading \(bolt.path)", why: "a stop was asked for", next: "run the same command again")
  }

  private mutating func readFreelist() throws(Damage) {
    guard let id = bolt.meta.freelist else { return }
    let page = try bolt.page(id)
    guard page.flags == BoltPage.freelist else { throw Damage("page \(id) should list the free pages, and does not") }
    var (first, count) = (BoltPage.headerSize, page.count)
    if count == 0xffff {
      guard let long = Int(exactly: page.bytes.u64(first)) else { throw Damage("page \(id): its count is impossible") }
      (first, count) = (first + 8, long)
    }
    guard count <= (page.bytes.count - first) / 8 else { throw Damage("page \(id): \(count) free pages do not fit into it") }
    var last: UInt64 = 0
    for index in 0..<count {
      let free = page.bytes.u64(first + index * 8)
      guard free > last else { throw Damage("page \(id): its free pages are not in order") }
      try pages.markFree(free)
      last = free
    }
    try pages.markUsed(id, pages: page.pages)
  }

  private mutating func tree<V: BoltVisitor>(_ root: UInt64, bucketDepth: Int, _ visitor: inout V) throws(Damage) {
    try subtree(root, from: nil, to: nil, depth: 0, bucketDepth: bucketDepth, &visitor)
  }

  /// All keys are at least `from` and below `to`.
  private mutating func subtree<V: BoltVisitor>(
    _ id: UInt64, from: UnsafeRawBufferPointer?, to: UnsafeRawBufferPointer?, depth: Int, bucketDepth: Int, _ visitor: inout V
  ) throws(Damage) {
    guard depth < BoltFile.deepest else { throw Damage("page \(id) lies too deep") }
    if let stop, stop.isAsked { throw Damage("stopped") }
    let page = try bolt.page(id)
    try pages.markUsed(id, pages: page.pages)
    let end: Int
    switch page.flags {
    case BoltPage.branch: end = try branch(page, from: from, to: to, depth: depth, bucketDepth: bucketDepth, &visitor)
    case BoltPage.leaf:
      if page.count == 0 { try checkEmpty(page, isRoot: depth == 0) }
      end = try leaf(page, from: from, to: to, bucketDepth: bucketDepth, &visitor)
    default: throw Damage("page \(id) should be part of a tree, and its flags are \(page.flags)")
    }
    // bbolt takes just the pages that a node needs; its first versions one more where it fits exactly.
    let size = bolt.meta.pageSize
    guard page.pages == (end + size - 1) / size || page.pages == end / size + 1 else {
      throw Damage("page \(id) claims \(page.pages) pages for \(end) bytes")
    }
  }

  /// A leaf without elements is the root of an empty bucket and was never written to.
  private func checkEmpty(_ page: BoltPage, isRoot: Bool) throws(Damage) {
    guard isRoot, page.bytes.dropFirst(BoltPage.headerSize).allSatisfy({ $0 == 0 }) else {
      throw Damage("page \(page.id) has lost its elements")
    }
  }

  private mutating func branch<V: BoltVisitor>(
    _ page: BoltPage, from: UnsafeRawBufferPointer?, to: UnsafeRawBufferPointer?, depth: Int, bucketDepth: Int, _ visitor: inout V
  ) throws(Damage) -> Int {
    let count = page.count
    guard count > 0 else { throw Damage("page \(page.id) is a branch without children") }
    var next = try page.child(0, keyAt: try page.elementsEnd())
    if let from, compare(next.key, from) < 0 { throw outOfPlace(page, 0, next.key) }
    for index in 0..<count {
      let here = next
      var upper = to
      if index + 1 < count {
        next = try page.child(index + 1, keyAt: here.end)
        guard compare(here.key, next.key) < 0 else { throw outOfPlace(page, index + 1, next.key) }
        upper = next.key
      } else if let to, compare(here.key, to) >= 0 {
        throw outOfPlace(page, index, here.key)
      }
      try subtree(here.page, from: here.key, to: upper, depth: depth + 1, bucketDepth: bucketDepth, &visitor)
    }
    return next.end
  }

  private mutating func leaf<V: BoltVisitor>(
    _ page: BoltPage, from: UnsafeRawBufferPointer?, to: UnsafeRawBufferPointer?, bucketDepth: Int, _ visitor: inout V
  ) throws(Damage) -> Int {
    var lower = from
    let last = page.count - 1
    return try page.eachElement { (index, element) throws(Damage) in
      if let lower {
        let order = compare(element.key, lower)
        guard order > 0 || (index == 0 && order == 0) else { throw outOfPlace(page, index, element.key) }
      }
      if index == last, let to, compare(element.key, to) >= 0 { throw outOfPlace(page, index, element.key) }
      lower = element.key
      if bucketDepth == 0 {
        try descend(into: element, page, index, &visitor)
      } else if element.isBucket {
        throw Damage("page \(page.id), element \(index): a bucket inside a bucket, which etcd never makes")
      } else {
        do throws(Damage) { try visitor.see(element) } catch { throw Damage("page \(page.id), element \(index): \(error.why)") }
      }
    }
  }

  private mutating func descend<V: BoltVisitor>(
    into element: BoltElement, _ page: BoltPage, _ index: Int, _ visitor: inout V
  ) throws(Damage) {
    guard element.isBucket else { throw Damage("page \(page.id), element \(index): the root holds something that is no bucket") }
    guard element.value.count >= 16 else { throw Damage("page \(page.id), element \(index): a bucket without a header") }
    bucket = printable(element.key)
    try visitor.enter(bucket: element.key)
    let root = element.value.u64(0)
    if root != 0 {
      guard element.value.count == 16 else { throw Damage("page \(page.id), element \(index): a bucket with a wrong size") }
      try tree(root, bucketDepth: 1, &visitor)
    } else {
      try inline(element, page, &visitor)
    }
    bucket = ""
  }

  private mutating func inline<V: BoltVisitor>(_ element: BoltElement, _ parent: BoltPage, _ visitor: inout V) throws(Damage) {
    let page = try bolt.inlinePage(element, of: parent)
    let bytes = page.bytes
    guard page.flags == BoltPage.leaf, bytes.u64(0) == 0, bytes.u32(12) == 0 else {
      throw Damage("page \(parent.id): an inline bucket with a wrong header")
    }
    let end = try leaf(page, from: nil, to: nil, bucketDepth: 1, &visitor)
    guard end == bytes.count else { throw Damage("page \(parent.id): an inline bucket with a wrong size") }
  }

  private func outOfPlace(_ page: BoltPage, _ index: Int, _ key: UnsafeRawBufferPointer) -> Damage {
    Damage("page \(page.id), element \(index): the key \(printable(key)) is not in order")
  }
}
