internal import Engine
internal import Host
internal import Model

/// The node's files as they were before the run: what the archive of its bundle holds.
struct ArchivedNode {
  struct Entry: Equatable {
    /// On the host: `/etc/kubernetes/pki/apiserver.crt`.
    let path: String
    let bytes: [UInt8]
    let mode: UInt32
    let owner: UInt32
    let group: UInt32
  }

  let entries: [Entry]

  /// Static-pod manifests by name.
  var manifests: [(name: String, entry: Entry)] {
    entries.filter { Files.directory(of: $0.path) == ControlPlane.manifests && !Files.name(of: $0.path).hasPrefix(".") }
      .map { (Files.name(of: $0.path), $0) }
  }

  /// What `node/restore` puts back; the manifests are left to the start.
  var others: [Entry] { entries.filter { !$0.path.hasPrefix(ControlPlane.manifests + "/") && !Self.isLeftAlone($0.path) } }

  /// kubeadm's own backups and what kguard itself keeps there.
  private static func isLeftAlone(_ path: String) -> Bool {
    path.hasPrefix("/etc/kubernetes/tmp/") || path.hasPrefix("/etc/kubernetes/kguard-")
  }

  /// Nil where the run has no archive. The archive is unpacked under the run's own directory, as a tree like the host's root.
  static func find(_ context: StepContext, _ target: RollbackTarget) throws(Failure) -> ArchivedNode? {
    let tree = context.state.directory(of: target.run) + "/node"
    guard try Files.info(tree)?.kind == .directory else { return nil }
    var entries: [Entry] = []
    try collect(tree, "", &entries)
    return ArchivedNode(entries: entries)
  }

  private static func collect(_ tree: String, _ path: String, _ entries: inout [Entry]) throws(Failure) {
    guard let info = try Files.info(tree + path, followLinks: false) else { return }
    switch info.kind {
    case .directory:
      for name in try Files.list(tree + path) { try collect(tree, path + "/" + name, &entries) }
    case .file:
      entries.append(
        Entry(path: path, bytes: try Files.read(tree + path), mode: info.mode, owner: info.owner, group: info.group))
    case .link, .other: break
    }
  }

  /// True where the host has the file as the archive has it: content, owner and mode.
  static func isInPlace(_ entry: Entry, _ machine: any Machine) throws(Failure) -> Bool {
    guard let info = try machine.info(entry.path), info.kind == .file, info.size == entry.bytes.count else { return false }
    guard info.mode == entry.mode, info.owner == entry.owner, info.group == entry.group else { return false }
    return try machine.read(entry.path) == entry.bytes
  }

  /// The paths that differ from the archive, sorted.
  func differing(_ machine: any Machine) throws(Failure) -> [Entry] {
    var found: [Entry] = []
    for entry in others where try !Self.isInPlace(entry, machine) { found.append(entry) }
    return found
  }
}
