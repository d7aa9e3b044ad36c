internal import Bundles
internal import Engine
internal import Host
internal import Model

/// The node's files as they were before the run: what the archive in its bundle holds.
struct ArchivedNode {
  let contents: NodeArchive.Contents
  private let file: String
  /// Where the archive is unpacked; made when the first file is wanted.
  private let tree: String

  /// Nil where the run has no archive.
  static func find(_ context: StepContext, _ target: RollbackTarget) throws(Failure) -> ArchivedNode? {
    let file = target.bundleDirectory(context).archive
    guard try Files.exists(file) else { return nil }
    return ArchivedNode(
      contents: try NodeArchive.list(file), file: file, tree: context.state.directory(of: context.run) + "/node")
  }

  private var files: [NodeArchive.Entry] { contents.entries.filter { $0.sha256 != nil } }

  /// Static-pod manifests by name.
  var manifests: [(name: String, entry: NodeArchive.Entry)] {
    files.filter { Files.directory(of: $0.path) == ControlPlane.manifests && !Files.name(of: $0.path).hasPrefix(".") }
      .map { (Files.name(of: $0.path), $0) }
  }

  /// What is not as it was, but for the manifests, which are left to the start.
  func differing(_ machine: any Machine) throws(Failure) -> [NodeArchive.Entry] {
    var found: [NodeArchive.Entry] = []
    for entry in files where !entry.path.hasPrefix(ControlPlane.manifests + "/") && !Self.isLeftAlone(entry.path) {
      if try !Self.isInPlace(entry, machine) { found.append(entry) }
    }
    return found
  }

  /// kubeadm's own backups, what kguard itself keeps there, and kubelet's certificates: it has them renewed, and the old ones run out.
  private static func isLeftAlone(_ path: String) -> Bool {
    ["/etc/kubernetes/tmp/", "/etc/kubernetes/kguard-", "/var/lib/kubelet/pki/"].contains { path.hasPrefix($0) }
  }

  /// True where the host has the file as the archive has it: content, owner and mode.
  static func isInPlace(_ entry: NodeArchive.Entry, _ machine: any Machine) throws(Failure) -> Bool {
    guard let info = try machine.info(entry.path), info.kind == .file, info.mode == entry.mode else { return false }
    guard info.owner == entry.owner, info.group == entry.group else { return false }
    return sha256(try machine.read(entry.path)) == entry.sha256
  }

  /// The bytes of an archived file, compared with its hash.
  func bytes(of entry: NodeArchive.Entry) throws(Failure) -> [UInt8] {
    if try !Files.exists(tree) {
      let part = tree + ".part"
      try Files.removeOwnTree(part)
      try Files.makeDirectory(Files.directory(of: tree), mode: 0o700)
      _ = try NodeArchive.extract(file, to: part)
      try Files.move(part, to: tree)
    }
    let bytes = try Files.read(tree + entry.path)
    guard sha256(bytes) == entry.sha256 else {
      throw Failure(
        .verification, what: "cannot put \(entry.path) back", why: "what was unpacked to \(tree) is not what the archive holds",
        next: "move \(tree) away, then run `kguard resume`")
    }
    return bytes
  }

  /// Takes away what was unpacked: it holds every key of the cluster.
  func discard() throws(Failure) { try Files.removeOwnTree(tree) }
}
