internal import CPosix
internal import Glibc
public import Model

/// Owner, mode and SELinux label of a path: what decides whether a confined etcd may use it.
public struct Access: Sendable, Equatable {
  public let owner: UInt32
  public let group: UInt32
  public let mode: UInt32
  /// Nil where the system or the file has none.
  public let label: [UInt8]?

  public init(owner: UInt32, group: UInt32, mode: UInt32, label: [UInt8]?) {
    self.owner = owner
    self.group = group
    self.mode = mode
    self.label = label
  }

  /// Nil where there is no such path. Does not follow a link.
  public static func of(_ path: String) throws(Failure) -> Access? {
    guard let info = try Files.info(path, followLinks: false) else { return nil }
    return Access(owner: info.owner, group: info.group, mode: info.mode, label: try Files.securityLabel(path))
  }

  public func apply(to path: String) throws(Failure) {
    guard let now = try Access.of(path), now != self else { return }
    if now.owner != owner || now.group != group {
      try retrying("cannot change the owner of \(path)") { lchown(path, owner, group) }
    }
    if now.mode != mode { try Files.setMode(path, mode) }
    if let label, now.label != label { try Files.setSecurityLabel(path, label) }
  }
}

extension Files {
  private static let labelName = "security.selinux"

  public static func securityLabel(_ path: String) throws(Failure) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = buffer.withUnsafeMutableBytes { lgetxattr(path, labelName, $0.baseAddress, $0.count) }
      if count >= 0 { return Array(buffer.prefix(count)) }
      switch errno {
      case EINTR: continue
      case ENODATA, ENOTSUP, ENOENT, ENOSYS: return nil
      default: throw systemFailure(errno, "cannot read the SELinux label of \(path)")
      }
    }
  }

  public static func setSecurityLabel(_ path: String, _ label: [UInt8]) throws(Failure) {
    try retrying("cannot set the SELinux label of \(path)") {
      label.withUnsafeBytes { lsetxattr(path, labelName, $0.baseAddress, $0.count, 0) }
    }
  }

  /// Gives every path below `path` the access of the same path below `model`; where the model has none, the label of its parent there.
  public static func giveAccess(_ path: String, as model: String, inheriting inherited: Access? = nil) throws(Failure) {
    let own = try Access.of(model)
    guard let now = try Access.of(path) else { return }
    if let own {
      try own.apply(to: path)
    } else if let inherited {
      try Access(owner: inherited.owner, group: inherited.group, mode: now.mode, label: inherited.label).apply(to: path)
    }
    guard try info(path, followLinks: false)?.kind == .directory else { return }
    for name in try list(path) { try giveAccess(path + "/" + name, as: model + "/" + name, inheriting: own ?? inherited) }
  }
}
