internal import Bundles
public import Journal
internal import Model

extension BundleRecord {
  /// The targets from which every file of this bundle was read back; one that has differed since counts no more.
  public func targets(wholeIn copies: [CopyRecord]) -> Set<String> {
    let files = [BundleDirectory.manifestName] + (manifest["files"]?.array ?? []).compactMap { $0["name"]?.string }
    let readBack = copies.filter { $0.bundle == id && $0.verified != nil && $0.removed == nil }
    let byTarget = Dictionary(grouping: readBack, by: \.target)
    return Set(byTarget.filter { _, copies in Set(copies.map(\.file)).isSuperset(of: files) }.keys)
  }
}
