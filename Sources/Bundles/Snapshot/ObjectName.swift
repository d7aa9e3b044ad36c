/// Where an object of Kubernetes is stored: `/registry/RESOURCE/NAMESPACE/NAME`, with an API group before the resource
/// for custom resources and a few others.
public struct ObjectName: Sendable, Hashable {
  /// The plural as the API server's path has it: `pods`, `services`, `nodes`, `certificates.cert-manager.io`.
  public let resource: String
  public let namespace: String?
  public let name: String

  /// Nil where the key is not Kubernetes' own.
  public init?(key: String) {
    let parts = key.split(separator: "/", omittingEmptySubsequences: false)
    // "", "registry", resource, …
    guard parts.count >= 4, parts[0].isEmpty, Self.roots.contains(parts[1]) else { return nil }
    var rest = parts.dropFirst(3)
    var resource = String(parts[2])
    if let special = Self.nested[resource]?[String(rest.first ?? "")], rest.count > 1 {
      resource = special
      rest = rest.dropFirst()
    } else if resource.contains("."), rest.count > 1, let plural = rest.first {
      resource = plural + "." + resource
      rest = rest.dropFirst()
    }
    self.resource = Self.renamed[resource] ?? resource
    if rest.count == 2, let first = rest.first, let last = rest.last {
      (namespace, name) = (String(first), String(last))
    } else {
      (namespace, name) = (nil, rest.joined(separator: "/"))
    }
  }

  private static let roots: Set<Substring> = ["registry", "kubernetes.io", "openshift.io"]
  /// Resources that the API server keeps in a directory of another one.
  private static let nested = ["services": ["specs": "services", "endpoints": "endpoints"]]
  /// Old names in the store, and what the API calls them now.
  private static let renamed = [
    "minions": "nodes", "controllers": "replicationcontrollers", "ingress": "ingresses",
    "podsecuritypolicy": "podsecuritypolicies",
  ]
}
