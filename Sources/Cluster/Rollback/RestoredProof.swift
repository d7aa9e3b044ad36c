internal import Bundles
internal import Host
internal import Model

/// A fresh snapshot of the restored cluster beside the bundle's: every object that nobody writes by himself must be there again. What the
/// controllers have written since the start is told.
struct RestoredProof {
  /// Kinds of which an object goes only where somebody deletes it.
  static let lasting: Set<String> = [
    "namespaces", "configmaps", "secrets", "serviceaccounts", "services", "deployments", "daemonsets", "statefulsets", "nodes",
    "clusterroles", "clusterrolebindings", "roles", "rolebindings", "persistentvolumes", "persistentvolumeclaims", "storageclasses",
    "priorityclasses", "customresourcedefinitions", "apiextensions.k8s.io", "ingresses", "networkpolicies", "cronjobs", "ingressclasses",
  ]
  /// Kinds whose stored value changes only where somebody writes it: no controller keeps a status in it.
  static let quiet: Set<String> = [
    "configmaps", "secrets", "serviceaccounts", "clusterroles", "clusterrolebindings", "roles", "rolebindings", "storageclasses",
    "priorityclasses", "networkpolicies",
  ]

  private(set) var gone: [String] = []
  private(set) var changed: [String] = []
  private(set) var keys: JSON = [:]

  static func compare(bundle: String, present: String, stop: StopSignal) throws(Failure) -> RestoredProof {
    var proof = RestoredProof()
    proof.keys = try diff(try SnapshotReader(bundle), try SnapshotReader(present), stop: stop) { (change) throws(Failure) in
      let resource = change.object.resource
      let name = "\(change.kind) \(change.object.namespace.map { "\($0)/" } ?? "")\(change.object.name)"
      // A join token ends by itself.
      if resource == "secrets" && change.object.name.hasPrefix("bootstrap-token-") { return }
      switch change.what {
      case .gone where lasting.contains(resource): proof.gone.append(name)
      case .changed where quiet.contains(resource): proof.changed.append(name)
      default: break
      }
    }.json
    return proof
  }

  var json: JSON {
    ["gone": JSON(Array(gone.prefix(50))), "changed": JSON(Array(changed.prefix(50))), "keys": keys]
  }
}
