/// A version of Kubernetes.
public struct KubernetesVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let major: Int
  public let minor: Int
  public let patch: Int
  /// `-rc.1`, with its dash; empty for a release. What comes after `+` is dropped.
  public let prerelease: String

  /// Reads `v1.28.0`, `1.28.0`, `Kubernetes v1.28.0`, `v1.29.0-rc.1+abc`. Nil where it is anything else.
  public init?(_ text: some StringProtocol) {
    guard let word = text.split(whereSeparator: \.isWhitespace).last else { return nil }
    let plain = word.prefix { $0 != "+" && $0 != "_" }
    let numbers = (plain.hasPrefix("v") ? plain.dropFirst() : plain).prefix { $0 != "-" }
    let parts = numbers.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, parts.allSatisfy({ $0.count <= 4 && !$0.isEmpty && $0.allSatisfy { $0.isASCII && $0.isNumber } }),
      let major = Int(parts[0]), let minor = Int(parts[1]), let patch = Int(parts[2])
    else { return nil }
    self.major = major
    self.minor = minor
    self.patch = patch
    prerelease = plain.firstIndex(of: "-").map { String(plain[$0...]) } ?? ""
  }

  public var description: String { "v\(major).\(minor).\(patch)\(prerelease)" }
  /// As packages are called: `1.28.0`.
  var plain: String { "\(major).\(minor).\(patch)" }

  public static func < (a: Self, b: Self) -> Bool {
    if (a.major, a.minor, a.patch) != (b.major, b.minor, b.patch) { return (a.major, a.minor, a.patch) < (b.major, b.minor, b.patch) }
    // A release comes after its candidates.
    if a.prerelease.isEmpty || b.prerelease.isEmpty { return !a.prerelease.isEmpty && b.prerelease.isEmpty }
    return a.prerelease < b.prerelease
  }

  /// Why kubeadm cannot go from this version to `target`; nil where it can.
  func obstacle(to target: KubernetesVersion) -> String? {
    if target.major != major { return "\(target) is of another major version than \(self)" }
    if target < self { return "\(target) is older than the cluster's \(self): kubeadm does not downgrade" }
    if target.minor - minor > 1 { return "from \(self) to \(target) skips a minor version; the next is v\(major).\(minor + 1)" }
    return nil
  }

  /// How many minor versions a kubelet may be behind the API server.
  var allowedKubeletSkew: Int { (major, minor) >= (1, 28) ? 3 : 2 }

  /// Why a kubelet of this version cannot work with an API server of version `server`; nil where it can.
  func kubeletObstacle(server: KubernetesVersion) -> String? {
    if (major, minor) > (server.major, server.minor) { return "kubelet \(self) is newer than the API server \(server)" }
    if major != server.major || server.minor - minor > server.allowedKubeletSkew {
      return "kubelet \(self) is more than \(server.allowedKubeletSkew) minor versions behind the API server \(server)"
    }
    return nil
  }
}
