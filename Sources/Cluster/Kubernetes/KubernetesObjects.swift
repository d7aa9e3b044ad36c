public import Model

/// A node, as far as kguard looks at it.
public struct KubernetesNode: Sendable, Equatable {
  public let name: String
  public let uid: String
  public let isReady: Bool
  public let isSchedulable: Bool
  public let isControlPlane: Bool
  public let kubeletVersion: String
  public let internalAddresses: [String]

  public init(json: JSON) {
    let conditions = json.at("status", "conditions")?.array ?? []
    let labels = json.at("metadata", "labels")?.object?.keys ?? []
    name = json.at("metadata", "name")?.string ?? ""
    uid = json.at("metadata", "uid")?.string ?? ""
    isReady = conditions.contains { $0["type"]?.string == "Ready" && $0["status"]?.string == "True" }
    isSchedulable = json.at("spec", "unschedulable")?.bool != true
    isControlPlane = labels.contains { $0 == "node-role.kubernetes.io/control-plane" || $0 == "node-role.kubernetes.io/master" }
    kubeletVersion = json.at("status", "nodeInfo", "kubeletVersion")?.string ?? ""
    internalAddresses = (json.at("status", "addresses")?.array ?? []).filter { $0["type"]?.string == "InternalIP" }
      .compactMap { $0["address"]?.string }
  }
}

/// A pod, as far as kguard looks at it.
public struct KubernetesPod: Sendable, Equatable {
  public let namespace: String
  public let name: String
  public let uid: String
  public let node: String
  public let phase: String
  public let isReady: Bool
  public let restarts: Int64
  public let images: [String]
  /// The kind of its controller: `ReplicaSet`, `Job`, `Node` for a static pod's mirror; empty for a bare pod.
  public let owner: String
  public let ownerName: String
  /// Somebody makes it anew where it is deleted.
  public let isControlled: Bool
  /// It has an `emptyDir` on disk, which is lost with the pod.
  public let hasLocalData: Bool
  /// Set on the mirror of a static pod.
  public let manifestHash: String?
  /// Why a container waits: `CrashLoopBackOff`, `ImagePullBackOff`.
  public let waiting: [String]

  public init(json: JSON) {
    let statuses = json.at("status", "containerStatuses")?.array ?? []
    let owners = json.at("metadata", "ownerReferences")?.array ?? []
    namespace = json.at("metadata", "namespace")?.string ?? ""
    name = json.at("metadata", "name")?.string ?? ""
    uid = json.at("metadata", "uid")?.string ?? ""
    node = json.at("spec", "nodeName")?.string ?? ""
    phase = json.at("status", "phase")?.string ?? ""
    isReady = (json.at("status", "conditions")?.array ?? []).contains { $0["type"]?.string == "Ready" && $0["status"]?.string == "True" }
    restarts = statuses.reduce(0) { $0 &+ ($1["restartCount"]?.int ?? 0) }
    images = (json.at("spec", "containers")?.array ?? []).compactMap { $0["image"]?.string }
    let controller = owners.first { $0["controller"]?.bool == true }
    owner = (controller ?? owners.first)?["kind"]?.string ?? ""
    ownerName = (controller ?? owners.first)?["name"]?.string ?? ""
    isControlled = controller != nil
    hasLocalData = (json.at("spec", "volumes")?.array ?? []).contains { volume in
      volume["emptyDir"].map { $0["medium"]?.string != "Memory" } ?? false
    }
    manifestHash = json.at("metadata", "annotations", "kubernetes.io/config.hash")?.string
    waiting = statuses.compactMap { $0.at("state", "waiting", "reason")?.string }
  }
}

extension KubernetesAPI {
  public func nodes() throws(Failure) -> [KubernetesNode] { try items("/api/v1/nodes").map(KubernetesNode.init) }

  /// Of one namespace, or of all.
  public func pods(namespace: String? = nil) throws(Failure) -> [KubernetesPod] {
    try items(namespace.map { "/api/v1/namespaces/\($0)/pods" } ?? "/api/v1/pods").map(KubernetesPod.init)
  }

  /// Of all namespaces, on one node.
  public func pods(on node: String) throws(Failure) -> [KubernetesPod] {
    try items("/api/v1/pods", query: "fieldSelector=spec.nodeName%3D\(node)").map(KubernetesPod.init).filter { $0.node == node }
  }

  /// How many objects there are of every resource that can be listed: `pods`, `widgets.example.com`. One that cannot be counted (its
  /// webhook is broken, its server is busy) is named in `uncounted` and keeps no other from being counted.
  public func counts() throws(Failure) -> (counts: [(resource: String, count: Int64)], uncounted: [String]) {
    var uncounted: [String] = []
    var groups: [(path: String, group: String)] = [("/api/v1", "")]
    for group in try get("/apis")["groups"]?.array ?? [] {
      guard let name = group["name"]?.string, let version = group.at("preferredVersion", "groupVersion")?.string else { continue }
      groups.append(("/apis/" + version, name))
    }
    var counts: [(resource: String, count: Int64)] = []
    for (path, group) in groups {
      let resources: JSON
      do throws(Failure) {
        resources = try get(path)
      } catch {
        if error.exit == .interrupted { throw error }
        uncounted.append(path)
        continue
      }
      let list = resources["resources"]?.array ?? []
      // Custom resources of a group share their webhook; each would be waited for in vain.
      var isBroken = false
      for resource in list {
        guard let name = resource["name"]?.string, !name.contains("/"),
          resource["verbs"]?.array?.contains(where: { $0.string == "list" }) == true
        else { continue }
        let title = group.isEmpty ? name : "\(name).\(group)"
        if isBroken {
          uncounted.append(title)
          continue
        }
        do throws(Failure) {
          counts.append((title, try count("\(path)/\(name)")))
        } catch {
          if error.exit == .interrupted { throw error }
          uncounted.append(title)
          isBroken = error.isTransient && !group.isEmpty
        }
      }
    }
    return (counts.sorted { $0.resource < $1.resource }, uncounted.sorted())
  }
}
