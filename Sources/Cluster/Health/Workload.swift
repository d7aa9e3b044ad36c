internal import Model

/// A deployment, daemonset or statefulset: how many pods it should have, and how many are ready.
struct Workload: Equatable {
  static let kinds = [("Deployment", "deployments"), ("DaemonSet", "daemonsets"), ("StatefulSet", "statefulsets")]

  let kind: String
  let namespace: String
  let name: String
  let desired: Int64
  let ready: Int64

  var title: String { "\(kind) \(namespace)/\(name)" }

  init(kind: String, namespace: String, name: String, desired: Int64, ready: Int64) {
    self.kind = kind
    self.namespace = namespace
    self.name = name
    self.desired = desired
    self.ready = ready
  }

  init(kind: String, object: JSON) {
    self.kind = kind
    namespace = object.at("metadata", "namespace")?.string ?? ""
    name = object.at("metadata", "name")?.string ?? ""
    let isDaemonSet = kind == "DaemonSet"
    desired = (isDaemonSet ? object.at("status", "desiredNumberScheduled") : object.at("spec", "replicas"))?.int ?? (isDaemonSet ? 0 : 1)
    ready = object.at("status", isDaemonSet ? "numberReady" : "readyReplicas")?.int ?? 0
  }

  var isDaemonSet: Bool { kind == "DaemonSet" }

  /// By the title of its daemonset, whether each of these pods is ready.
  static func daemons(_ pods: [KubernetesPod]) -> [String: Bool] {
    let owned = pods.filter { $0.owner == "DaemonSet" }.map { ("DaemonSet \($0.namespace)/\($0.ownerName)", $0.isReady) }
    // In a rolling update the old pod and the new one may both be there.
    return Dictionary(owned) { $0 || $1 }
  }

  static func all(_ api: KubernetesAPI) throws(Failure) -> [Workload] {
    var found: [Workload] = []
    for (kind, plural) in kinds {
      found += try api.items("/apis/apps/v1/\(plural)").map { Workload(kind: kind, object: $0) }
    }
    return found.sorted { $0.title < $1.title }
  }

  var json: JSON {
    ["kind": .string(kind), "namespace": .string(namespace), "name": .string(name), "desired": .int(desired), "ready": .int(ready)]
  }

  init?(json: JSON) {
    guard let kind = json["kind"]?.string, let namespace = json["namespace"]?.string, let name = json["name"]?.string,
      let desired = json["desired"]?.int, let ready = json["ready"]?.int
    else { return nil }
    self.init(kind: kind, namespace: namespace, name: name, desired: desired, ready: ready)
  }
}
