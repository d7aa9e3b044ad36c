/// A version of etcd or of its tools.
public struct EtcdVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let major: Int
  public let minor: Int
  public let patch: Int

  public init(_ major: Int, _ minor: Int, _ patch: Int = 0) {
    self.major = major
    self.minor = minor
    self.patch = patch
  }

  /// Reads `3.5.16`, `v3.5.16`, `3.5.16-0`.
  public init?(_ text: some StringProtocol) {
    let plain = text.drop { $0 == "v" }.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let parts = plain.split(separator: ".").compactMap { Int($0) }
    guard parts.count >= 2 else { return nil }
    self.init(parts[0], parts[1], parts.count > 2 ? parts[2] : 0)
  }

  /// Of an image by its tag, `registry.k8s.io/etcd:3.5.16-0`; nil where it has none.
  init?(image: String) {
    let name = image.prefix { $0 != "@" }.split(separator: "/").last ?? ""
    guard let colon = name.firstIndex(of: ":") else { return nil }
    self.init(name[name.index(after: colon)...])
  }

  public var description: String { "\(major).\(minor).\(patch)" }
  public var family: String { "\(major).\(minor)" }

  public static func < (a: Self, b: Self) -> Bool { (a.major, a.minor, a.patch) < (b.major, b.minor, b.patch) }

  /// Data and tools of one minor version belong together; no other pair is restored or started.
  public func isSameFamily(as other: EtcdVersion) -> Bool { major == other.major && minor == other.minor }
}
