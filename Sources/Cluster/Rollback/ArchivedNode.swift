internal import Bundles
internal import Engine
internal import Host
internal import Model

/// The node's files as they were before the run: what the archive in its bundle holds.
struct ArchivedNode {
  /// What is not as it was.
  enum Difference {
    /// It is another, or gone.
    case changed(NodeArchive.Entry)
    /// It was not there.
    case added(String)

    var path: String {
      switch self {
      case .changed(let entry): entry.path
      case .added(let path): path
      }
    }
  }

  let contents: NodeArchive.Contents
  private let file: String
  /// Where the archive is unpacked; made when the first file is wanted.
  private let tree: String
  /// The manifests directory, where it really was.
  private let manifestsDirectory: String

  /// Nil where the run has no archive.
  static func find(_ context: some StepSight, _ target: RollbackTarget) throws(Failure) -> ArchivedNode? {
    let file = target.bundleDirectory(context).archive
    guard try Files.exists(file) else { return nil }
    return ArchivedNode(try NodeArchive.list(file), file: file, tree: context.state.directory(of: context.run) + "/node")
  }

  init(_ contents: NodeArchive.Contents, file: String, tree: String) {
    self.contents = contents
    self.file = file
    self.tree = tree
    manifestsDirectory = contents.real(ControlPlane.manifests) ?? ControlPlane.manifests
  }

  /// Static-pod manifests by name, links among them as links.
  var manifests: [(name: String, entry: NodeArchive.Entry)] {
    contents.entries.filter { $0.kind != .directory && isManifest($0.path) }.map { (Files.name(of: $0.path), $0) }
  }

  /// kubelet runs it as it stands there.
  private func isManifest(_ path: String) -> Bool {
    Files.directory(of: path) == manifestsDirectory && !Files.name(of: path).hasPrefix(".")
  }

  /// What is not as it was, the directories before what is in them; but for the manifests, which are left to the start.
  func differing(_ machine: any Machine) throws(Failure) -> [Difference] {
    var found: [Difference] = []
    for entry in contents.entries where entry.isNamed && !isManifest(entry.path) && !NodeScope.isLeftOut(entry.path) {
      if try !Self.isInPlace(entry, machine) { found.append(.changed(entry)) }
    }
    return try found + added(machine).map { .added($0) }
  }

  /// What has come into the places that are put back: `super-admin.conf`, a new key, another drop-in of kubelet's.
  private func added(_ machine: any Machine) throws(Failure) -> [String] {
    let omitted = Set(contents.omissions.map(\.path))
    func isNew(_ path: String, beside device: UInt64?) throws(Failure) -> Bool {
      guard contents.entry(path) == nil, !omitted.contains(path), !NodeScope.isLeftOut(path), !isManifest(path) else { return false }
      // Sockets come and go; what is mounted there can't be moved.
      guard let info = try machine.info(path, followLinks: false), info.kind != .other else { return false }
      return device == nil || info.device == device
    }
    var found: [String] = []
    for path in contents.roots ?? [] {
      if try isNew(path, beside: machine.info(Files.directory(of: path))?.device) { found.append(path) }
    }
    for entry in contents.entries where entry.kind == .directory {
      let isOpen = entry.path == contents.real("/etc/kubernetes")
      guard entry.isNamed || isOpen, let info = try machine.info(entry.path, followLinks: false), info.kind == .directory else { continue }
      for name in try machine.list(entry.path) {
        let path = entry.path + "/" + name
        if isOpen && !name.hasSuffix(".conf") { continue }
        if try isNew(path, beside: info.device) { found.append(path) }
      }
    }
    return found
  }

  /// True where the host has the entry as the archive has it: content, owner and mode of a file, the target of a link.
  static func isInPlace(_ entry: NodeArchive.Entry, _ machine: any Machine) throws(Failure) -> Bool {
    guard let info = try machine.info(entry.path, followLinks: false) else { return false }
    switch entry.kind {
    case .directory: return info.kind == .directory
    case .link:
      guard info.kind == .link else { return false }
      return try Files.linkTarget(machine.locate(entry.path)) == entry.target
    case .file:
      guard info.kind == .file, info.mode == entry.mode, info.owner == entry.owner, info.group == entry.group else { return false }
      // Another one may be of any size.
      guard info.size <= NodeFiles.largest else { return false }
      return sha256(try machine.read(entry.path)) == entry.sha256
    }
  }

  /// Makes the entry where there is nothing yet.
  func make(_ entry: NodeArchive.Entry, at path: String, label: [UInt8]?) throws(Failure) {
    switch entry.kind {
    case .directory: try Files.makeDirectory(path, mode: entry.mode)
    case .file: try Files.replace(path, with: try bytes(of: entry), mode: entry.mode)
    case .link:
      // Cut short, it is made anew: it is a link of kguard's own.
      if try !Files.exists(path) { try Files.makeLink(path, to: entry.target) }
      try Files.setOwner(path, owner: entry.owner, group: entry.group)
      return try Files.syncDirectory(Files.directory(of: path))
    }
    try Access(owner: entry.owner, group: entry.group, mode: entry.mode, label: label).apply(to: path)
  }

  /// The bytes of an archived file, compared with its hash.
  private func bytes(of entry: NodeArchive.Entry) throws(Failure) -> [UInt8] {
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
