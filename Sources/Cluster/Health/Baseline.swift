public import Engine
internal import Host
public import Model

/// The cluster as it was before a run: what a later look is compared with.
public struct Baseline: Sendable, Equatable {
  struct Node: Sendable, Equatable {
    let name: String
    let isReady: Bool
    let isSchedulable: Bool
    let kubelet: String
  }

  /// This node's name.
  let node: String
  /// What kubeadm-config says.
  let kubernetes: String
  let etcd: String
  /// Of the programs on this node: `kubeadm`, `kubelet`.
  let programs: [String: String]
  /// Name and sha256 of each file in the manifests directory.
  let manifests: [String: String]
  /// Image and digest of each control-plane container.
  let images: [String: String]
  let nodes: [Node]
  let namespaces: [String]
  let counts: [String: Int64]
  /// Resources that could not be counted.
  var uncounted: [String] = []
  let workloads: [Workload]
  /// Images of kube-proxy and CoreDNS.
  var addons: [String: String] = [:]
  /// Titles of the daemonsets that have a ready pod on this node.
  var daemons: [String] = []

  /// One thing that is not as it was.
  public struct Difference: Sendable, Equatable, CustomStringConvertible {
    public enum Kind: String, Sendable { case version, manifest, image, node, namespace, count, workload }
    public let kind: Kind
    public let name: String
    public let before: String
    public let now: String

    public var description: String { "\(kind.rawValue) \(name): \(now), it was \(before)" }
    public var json: JSON { ["kind": .string(kind.rawValue), "name": .string(name), "before": .string(before), "now": .string(now)] }
  }

  /// Kinds of objects that come and go by themselves.
  static let restless: Set<String> = [
    "events", "events.events.k8s.io", "leases.coordination.k8s.io", "pods", "endpoints", "endpointslices.discovery.k8s.io",
    "replicasets.apps", "controllerrevisions.apps", "jobs.batch", "componentstatuses", "certificatesigningrequests.certificates.k8s.io",
  ]

  /// All that differs in `now`. An upgrade changes versions, manifests and images; the caller picks the kinds that it cares for.
  public func compare(_ now: Baseline) -> [Difference] {
    var found: [Difference] = []
    func add(_ kind: Difference.Kind, _ name: String, _ before: String?, _ after: String?) {
      if before != after { found.append(Difference(kind: kind, name: name, before: before ?? "not there", now: after ?? "not there")) }
    }
    func addAll(_ kind: Difference.Kind, _ before: [String: String], _ after: [String: String]) {
      for name in Set(before.keys).union(after.keys).sorted() { add(kind, name, before[name], after[name]) }
    }
    add(.version, "kubernetes", kubernetes, now.kubernetes)
    add(.version, "etcd", etcd, now.etcd)
    addAll(.version, programs, now.programs)
    addAll(.manifest, manifests, now.manifests)
    addAll(.image, images, now.images)
    addAll(.image, addons, now.addons)
    addAll(.node, Self.table(nodes), Self.table(now.nodes))
    addAll(.version, Self.kubelets(nodes), Self.kubelets(now.nodes))
    for name in Set(namespaces).symmetricDifference(now.namespaces).sorted() {
      add(.namespace, name, namespaces.contains(name) ? "there" : nil, now.namespaces.contains(name) ? "there" : nil)
    }
    let resources = Set(counts.keys).union(now.counts.keys).subtracting(Self.restless).subtracting(uncounted + now.uncounted)
    for name in resources.sorted() { add(.count, name, counts[name].map(String.init), now.counts[name].map(String.init)) }
    compareWorkloads(now, add)
    return found
  }

  /// A workload that is less ready than before is a difference; one that is more ready is not.
  private func compareWorkloads(_ now: Baseline, _ add: (Difference.Kind, String, String?, String?) -> Void) {
    let present = Dictionary(now.workloads.map { ($0.title, $0) }) { $1 }
    for workload in workloads {
      let before = "\(workload.ready) of \(workload.desired) ready"
      guard let other = present[workload.title] else {
        add(.workload, workload.title, before, nil)
        continue
      }
      if other.ready < min(workload.ready, other.desired) || (other.desired < workload.desired) {
        add(.workload, workload.title, before, "\(other.ready) of \(other.desired) ready")
      }
    }
  }

  private static func table(_ nodes: [Node]) -> [String: String] {
    Dictionary(nodes.map { ($0.name, ($0.isReady ? "Ready" : "NotReady") + ($0.isSchedulable ? "" : ", cordoned")) }) { $1 }
  }

  private static func kubelets(_ nodes: [Node]) -> [String: String] {
    Dictionary(nodes.map { ("kubelet of \($0.name)", $0.kubelet) }) { $1 }
  }
}

extension Baseline {
  var json: JSON {
    func map(_ table: [String: String]) -> JSON {
      var members = JSON.Members()
      for (key, value) in table.sorted(by: { $0.key < $1.key }) { members[key] = .string(value) }
      return .object(members)
    }
    var countsJSON = JSON.Members()
    for (key, value) in counts.sorted(by: { $0.key < $1.key }) { countsJSON[key] = .int(value) }
    return [
      "node": .string(node), "kubernetes": .string(kubernetes), "etcd": .string(etcd), "programs": map(programs),
      "manifests": map(manifests),
      "images": map(images),
      "nodes": .array(
        nodes.map {
          ["name": .string($0.name), "ready": .bool($0.isReady), "schedulable": .bool($0.isSchedulable), "kubelet": .string($0.kubelet)]
        }),
      "namespaces": JSON(namespaces), "counts": .object(countsJSON), "uncounted": JSON(uncounted),
      "workloads": .array(workloads.map(\.json)), "addons": map(addons), "daemons": JSON(daemons),
    ]
  }

  init?(json: JSON) {
    func map(_ key: String) -> [String: String]? {
      json[key]?.object.map { Dictionary($0.pairs.compactMap { pair in pair.value.string.map { (pair.key, $0) } }) { $1 } }
    }
    guard let node = json["node"]?.string, let kubernetes = json["kubernetes"]?.string, let etcd = json["etcd"]?.string,
      let programs = map("programs"), let manifests = map("manifests"), let images = map("images"), let nodes = json["nodes"]?.array,
      let namespaces = json["namespaces"]?.array, let counts = json["counts"]?.object, let workloads = json["workloads"]?.array
    else { return nil }
    self.node = node
    self.kubernetes = kubernetes
    self.etcd = etcd
    self.programs = programs
    self.manifests = manifests
    self.images = images
    self.nodes = nodes.compactMap { entry in
      guard let name = entry["name"]?.string, let ready = entry["ready"]?.bool, let schedulable = entry["schedulable"]?.bool,
        let kubelet = entry["kubelet"]?.string
      else { return nil }
      return Node(name: name, isReady: ready, isSchedulable: schedulable, kubelet: kubelet)
    }
    self.namespaces = namespaces.compactMap(\.string)
    self.counts = Dictionary(counts.pairs.compactMap { pair in pair.value.int.map { (pair.key, $0) } }) { $1 }
    self.workloads = workloads.compactMap { Workload(json: $0) }
    uncounted = (json["uncounted"]?.array ?? []).compactMap(\.string)
    addons = map("addons") ?? [:]
    daemons = (json["daemons"]?.array ?? []).compactMap(\.string)
  }

  /// Where a run keeps it.
  static func path(_ state: StateDirectory, _ run: RunID) -> String { state.directory(of: run) + "/baseline.json" }

  /// The baseline of a run; nil where it has none.
  public static func load(_ state: StateDirectory, _ run: RunID) throws(Failure) -> Baseline? {
    let path = path(state, run)
    guard let text = try Files.textIfPresent(path, limit: 32 << 20) else { return nil }
    if let json = try? JSON(parsing: text), let baseline = Baseline(json: json) { return baseline }
    throw Failure(what: "cannot read the baseline \(path)", why: "it is not what kguard wrote", next: "look at the file, and at the disk")
  }

  func save(_ state: StateDirectory, _ run: RunID) throws(Failure) {
    try Files.makeDirectory(state.directory(of: run), mode: 0o700)
    try Files.replace(Self.path(state, run), with: Array((json.text(pretty: true) + "\n").utf8), mode: 0o600)
  }
}
