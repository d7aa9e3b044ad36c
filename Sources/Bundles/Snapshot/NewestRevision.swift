internal import Host
public import Model

extension SnapshotReader {
  /// The revision of the newest record, found by the last key of etcd's bucket alone; 0 where there is none. It proves nothing of the rest.
  public func newestRevision() throws(Failure) -> Int64 {
    do throws(Damage) {
      guard let page = try bolt.bucket("key", below: try bolt.page(bolt.meta.root), depth: 0) else { return 0 }
      var leaf = page
      for _ in 0..<BoltFile.deepest where leaf.flags == BoltPage.branch { leaf = try bolt.children(of: leaf).last ?? leaf }
      var newest: Int64 = 0
      _ = try leaf.eachElement { (index, element) throws(Damage) in
        if index == leaf.count - 1 { newest = try Revision(element.key).main }
      }
      return newest
    } catch { throw damaged(path, error.why) }
  }
}

extension BoltFile {
  /// No tree of bbolt's is deeper.
  static let deepest = 48

  fileprivate func children(of page: BoltPage) throws(Damage) -> [BoltPage] {
    var children: [BoltPage] = []
    var end = try page.elementsEnd()
    for index in 0..<page.count {
      let child = try page.child(index, keyAt: end)
      children.append(try self.page(child.page))
      end = child.end
    }
    return children
  }

  /// The root page of a bucket; nil where it is not there, or is empty and has none.
  fileprivate func bucket(_ name: StaticString, below page: BoltPage, depth: Int) throws(Damage) -> BoltPage? {
    guard depth < Self.deepest else { throw Damage("page \(page.id) lies too deep") }
    if page.flags == BoltPage.branch {
      for child in try children(of: page) {
        if let found = try bucket(name, below: child, depth: depth + 1) { return found }
      }
      return nil
    }
    var found: BoltPage?
    _ = try page.eachElement { (_, element) throws(Damage) in
      guard isEqual(element.key, name), element.isBucket, element.value.count >= 16 else { return }
      let root = element.value.u64(0)
      found = root != 0 ? try self.page(root) : try inlinePage(element, of: page)
    }
    return found
  }

  /// A small bucket lies in its parent's leaf as a page of its own, without a number.
  func inlinePage(_ element: BoltElement, of parent: BoltPage) throws(Damage) -> BoltPage {
    let bytes = element.value.part(16, element.value.count - 16)
    guard let start = file.bytes.baseAddress, let here = bytes.baseAddress, bytes.count >= BoltPage.headerSize else {
      throw Damage("page \(parent.id): an inline bucket without a page")
    }
    return BoltPage(id: parent.id, offset: here - start, bytes: bytes, pages: 1)
  }
}
