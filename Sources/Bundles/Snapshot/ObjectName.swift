/// Where an object of Kubernetes is stored: `/registry/RESOURCE/NAMESPACE/NAME`, with an API group before the resource
/// for custom resources and a few others.
public struct ObjectName: Sendable, Hashable {
  /// The plural as the API server's path has it: `pods`, `services`, `nodes`, `certificates.cert-manager.io`.
  public let resource: String
  public let namespace: String?
  public let name: String

  /// Nil where the key is not Kubernetes' own.
  public init?(key: String) {
    let parsed = Array(key.utf8).withUnsafeBytes { bytes in
      ObjectPath(bytes).map { ($0.resourceName, $0.namespace?.text, $0.name.text) }
    }
    guard let parsed else { return nil }
    (resource, namespace, name) = parsed
  }
}

/// The parts of a key, where they lie: millions of keys are counted without a string for each.
struct ObjectPath {
  private let group: UnsafeRawBufferPointer?
  private let resource: UnsafeRawBufferPointer
  let namespace: UnsafeRawBufferPointer?
  let name: UnsafeRawBufferPointer

  init?(_ key: UnsafeRawBufferPointer) {
    var rest = key
    guard let before = Self.takeSegment(&rest), before.isEmpty, let root = Self.takeSegment(&rest),
      isEqual(root, "registry") || isEqual(root, "kubernetes.io") || isEqual(root, "openshift.io"),
      let first = Self.takeSegment(&rest)
    else { return nil }
    var (group, resource): (UnsafeRawBufferPointer?, UnsafeRawBufferPointer) = (nil, first)
    var inside = rest
    if let second = Self.takeSegment(&inside) {
      if first.contains(UInt8(ascii: ".")) {
        (group, resource, rest) = (first, second, inside)
      } else if isEqual(first, "services"), isEqual(second, "specs") {
        rest = inside
      } else if isEqual(first, "services"), isEqual(second, "endpoints") {
        (resource, rest) = (second, inside)
      }
    }
    self.group = group
    self.resource = resource
    inside = rest
    if let first = Self.takeSegment(&inside), !inside.contains(UInt8(ascii: "/")) {
      (namespace, name) = (first, inside)
    } else {
      (namespace, name) = (nil, rest)
    }
  }

  /// Everything before the next slash, which is dropped; nil where there is none.
  private static func takeSegment(_ rest: inout UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else { return nil }
    defer { rest = rest.part(slash + 1, rest.count - slash - 1) }
    return rest.part(0, slash)
  }

  var isNamespace: Bool { group == nil && isEqual(resource, "namespaces") }

  /// The name that the API has for it now; a few are stored under an older one.
  var resourceName: String {
    if let group { return resource.text + "." + group.text }
    if isEqual(resource, "minions") { return "nodes" }
    if isEqual(resource, "controllers") { return "replicationcontrollers" }
    if isEqual(resource, "ingress") { return "ingresses" }
    if isEqual(resource, "podsecuritypolicy") { return "podsecuritypolicies" }
    return resource.text
  }
}
