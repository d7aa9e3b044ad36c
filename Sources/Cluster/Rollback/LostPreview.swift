public import Bundles
public import Host
public import Model
public import Playbooks

/// What a restore of etcd would lose, asked of the living etcd before a person says yes. Keys only: neither values nor a snapshot are read.
public struct LostPreview: Sendable {
  /// `configmaps demo/late`, at most `most`, without what writes itself.
  public let named: [String]
  public let count: Int
  public let isComplete: Bool

  static let most = 10
  /// So many keys are looked at; more of them say enough.
  static let limit: Int64 = 20_000

  public init(
    since manifest: BundleManifest, _ machine: any Machine, _ configuration: Configuration
  ) throws(Failure) {
    let client = try configuration.etcdCluster(machine, timeout: .seconds(5)).healthyClient()
    // "\0" to "\0" is every key.
    let found = try client.range([0], end: [0], limit: Self.limit, modifiedSince: manifest.revision + 1)
    var named: [String] = []
    var count = 0
    for key in found.keys {
      guard let object = ObjectName(key: String(decoding: key, as: UTF8.self)), !LostObjects.restlessKinds.contains(object.resource) else {
        continue
      }
      count += 1
      if named.count < Self.most { named.append("\(object.resource) \(object.namespace.map { "\($0)/" } ?? "")\(object.name)") }
    }
    (self.named, self.count, isComplete) = (named, count, !found.more)
  }

  public var words: String {
    let number = "\(isComplete ? "" : "more than ")\(count) object\(count == 1 && isComplete ? "" : "s")"
    guard count > 0 else { return "no object was written since its snapshot; what was deleted since comes back" }
    return "\(number) were written since its snapshot, and what of it is new or changed would be lost: " + named.joined(separator: ", ")
      + (count > named.count ? " and \(count - named.count) more" : "")
  }
}
