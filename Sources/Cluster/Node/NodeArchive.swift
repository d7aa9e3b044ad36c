internal import Bundles
internal import Host
public import Model
internal import Playbooks

/// What makes this node a control-plane node, besides etcd's data: `/etc/kubernetes` and kubelet's files, as one compressed tar.
/// Its first entry, `kguard.json`, lists every file with its hash, and the packages.
public enum NodeArchive {
  static let manifestName = "kguard.json"
  static let format: Int64 = 1
  static let largest = 64 << 20

  static let paths = [
    "/etc/kubernetes", "/var/lib/kubelet/config.yaml", "/var/lib/kubelet/kubeadm-flags.env", "/var/lib/kubelet/pki", "/etc/default/kubelet",
    "/etc/sysconfig/kubelet", "/etc/systemd/system/kubelet.service", "/etc/systemd/system/kubelet.service.d",
    "/usr/lib/systemd/system/kubelet.service", "/usr/lib/systemd/system/kubelet.service.d",
    "/usr/local/lib/systemd/system/kubelet.service.d",
    "/etc/crictl.yaml",
  ]
  /// kubeadm's own copies, hundreds of megabytes; and what an earlier rollback moved aside.
  private static func isLeftOut(_ path: String) -> Bool {
    path == "/etc/kubernetes/tmp" || path.hasPrefix("/etc/kubernetes/kguard-")
  }

  /// Writes the archive. `packages` goes into its manifest.
  static func write(_ machine: any Machine, to file: String, packages: JSON, extra: [String]) throws(Failure) -> Contents {
    var entries: [Entry] = []
    for path in paths + extra where !entries.contains(where: { $0.path == path }) { try collect(machine, path, &entries) }
    let contents = Contents(entries: entries, packages: packages)
    let manifest = Array((contents.json.text() + "\n").utf8)
    let archive = try ZstdFile(file, mode: 0o600)
    func put(_ entry: TarEntry, _ bytes: [UInt8]) throws(Failure) {
      try archive.write(Tar.header(entry))
      try archive.write(bytes)
      try archive.write(Tar.padding(Int64(bytes.count)))
    }
    try put(TarEntry(kind: .file, path: manifestName, mode: 0o600, owner: 0, group: 0, size: Int64(manifest.count)), manifest)
    for entry in entries {
      let bytes = entry.sha256 == nil ? [] : try machine.read(entry.path, limit: largest)
      if let digest = entry.sha256, sha256(bytes) != digest {
        throw Failure(
          what: "cannot archive \(entry.path)", why: "it changed while it was read", next: "try again", isTransient: true)
      }
      try put(entry.tar(size: Int64(bytes.count)), bytes)
    }
    try archive.write(Tar.end)
    try failpoint("node-archive/commit.before")
    try archive.commit()
    try failpoint("node-archive/commit.after")
    return contents
  }

  /// A path and all that is below it; nothing where there is nothing. Sockets and devices are passed over.
  private static func collect(_ machine: any Machine, _ path: String, _ entries: inout [Entry]) throws(Failure) {
    if isLeftOut(path) { return }
    guard let info = try machine.info(path, followLinks: false), let kind = Entry.kind(info.kind) else { return }
    var entry = Entry(path: path, kind: kind, mode: info.mode, owner: info.owner, group: info.group)
    entry.modified = info.modified.milliseconds / 1000
    switch kind {
    case .link: entry.target = try Files.linkTarget(machine.locate(path))
    case .file: entry.sha256 = sha256(try machine.read(path, limit: largest))
    case .directory: break
    }
    entries.append(entry)
    if kind == .directory {
      for name in try machine.list(path) { try collect(machine, path + "/" + name, &entries) }
    }
  }

  /// What the archive says of itself, every file compared with its hash. Nothing is written.
  public static func list(_ file: String) throws(Failure) -> Contents { try read(file, into: nil) }

  /// Unpacks it below a directory that must not exist, owners and modes as they were, and gives what it holds. What is not whole is
  /// refused, and then nothing of it may be used.
  public static func extract(_ file: String, to directory: String) throws(Failure) -> Contents {
    guard try !Files.exists(directory) else {
      throw Failure(what: "cannot unpack the node archive", why: "\(directory) exists already", next: "move it away")
    }
    try Files.makeDirectory(directory, mode: 0o700)
    let contents = try read(file, into: directory)
    try Files.syncTree(directory)
    return contents
  }

  private static func read(_ file: String, into directory: String?) throws(Failure) -> Contents {
    let unpacking = Unpacking(directory)
    let reader = TarReader(
      begin: { (entry) throws(Failure) in try unpacking.begin(entry) },
      content: { (bytes) throws(Failure) in unpacking.take(bytes) }, finish: { () throws(Failure) in try unpacking.finish() })
    try decompressZstd(file) { (bytes) throws(Failure) in try reader.write(bytes) }
    try reader.end()
    return try unpacking.contents()
  }
}

extension NodeArchive {
  /// One file, directory or link of the archive, by its path on the host.
  public struct Entry: Sendable, Equatable {
    enum Kind: String { case file, directory, link }
    public let path: String
    let kind: Kind
    public let mode: UInt32
    public let owner: UInt32
    public let group: UInt32
    var modified: Int64 = 0
    var target = ""
    /// Of a file.
    public internal(set) var sha256: Digest?

    static func kind(_ kind: FileInfo.Kind) -> Kind? {
      switch kind {
      case .file: .file
      case .directory: .directory
      case .link: .link
      case .other: nil
      }
    }

    func tar(size: Int64) -> TarEntry {
      let kinds: [Kind: TarEntry.Kind] = [.file: .file, .directory: .directory, .link: .link]
      return TarEntry(
        kind: kinds[kind] ?? .file, path: String(path.dropFirst()), mode: mode, owner: owner, group: group, size: size, modified: modified,
        target: target)
    }

    var json: JSON {
      var json: JSON = [
        "path": .string(path), "kind": .string(kind.rawValue), "mode": .int(Int64(mode)), "owner": .int(Int64(owner)),
        "group": .int(Int64(group)),
      ]
      if kind == .link { json["target"] = .string(target) }
      if let sha256 { json["sha256"] = .string(sha256.description) }
      return json
    }
  }

  /// What an archive holds.
  public struct Contents: Sendable, Equatable {
    public let entries: [Entry]
    /// Exact versions and holds, by package; which manager.
    public let packages: JSON

    public func entry(_ path: String) -> Entry? { entries.first { $0.path == path } }

    var json: JSON { ["format": .int(format), "packages": packages, "entries": .array(entries.map(\.json))] }

    init(entries: [Entry], packages: JSON) {
      self.entries = entries
      self.packages = packages
    }

    init(json: JSON) throws(Failure) {
      guard json["format"]?.int == format, let list = json["entries"]?.array else {
        throw Failure(
          .verification, what: "cannot read the node archive", why: "its \(manifestName) is not of a format that this kguard knows",
          next: "use a newer kguard")
      }
      entries = list.compactMap { entry in
        guard let path = entry["path"]?.string, let kind = entry["kind"]?.string.flatMap(Entry.Kind.init), let mode = entry["mode"]?.int,
          let owner = entry["owner"]?.int, let group = entry["group"]?.int
        else { return nil }
        var found = Entry(
          path: path, kind: kind, mode: UInt32(clamping: mode), owner: UInt32(clamping: owner), group: UInt32(clamping: group))
        found.target = entry["target"]?.string ?? ""
        found.sha256 = entry["sha256"]?.string.flatMap { Digest(hex: $0) }
        return found
      }
      packages = json["packages"] ?? [:]
    }
  }

  /// Reads entries one after the other, compares them with the manifest, and writes them where a directory is given.
  private final class Unpacking {
    private let directory: String?
    private var current: TarEntry?
    private var bytes: [UInt8] = []
    private var manifest: Contents?
    private var seen: Set<String> = []

    init(_ directory: String?) { self.directory = directory }

    func begin(_ entry: TarEntry) throws(Failure) {
      guard entry.size <= Int64(NodeArchive.largest) else { throw TarReader.damaged("\(entry.path) is too large") }
      current = entry
      bytes = []
    }

    func take(_ part: UnsafeRawBufferPointer) { bytes.append(contentsOf: part) }

    func finish() throws(Failure) {
      guard let entry = current else { return }
      current = nil
      guard let manifest else {
        guard entry.path == NodeArchive.manifestName, entry.kind == .file else {
          throw TarReader.damaged("it does not begin with its list")
        }
        self.manifest = try Contents(json: try JSON(parsing: bytes))
        return
      }
      let path = "/" + entry.path
      guard let listed = manifest.entry(path), listed.tar(size: 0).kind == entry.kind, listed.target == entry.target,
        listed.sha256 == (entry.kind == .file ? sha256(bytes) : nil), seen.insert(path).inserted
      else { throw TarReader.damaged("\(path) is not what its list says") }
      if let directory { try unpack(listed, at: directory + path) }
    }

    private func unpack(_ entry: Entry, at path: String) throws(Failure) {
      // Nothing in the archive may lead through a link out of the directory: every directory above is a real one.
      let parent = Files.directory(of: path)
      try Files.makeDirectory(parent, mode: 0o755)
      guard let directory, Files.real(parent) == Files.real(directory).map({ $0 + parent.dropFirst(directory.count) }) else {
        throw TarReader.damaged("\(entry.path) lies behind a link")
      }
      switch entry.kind {
      case .directory: try Files.makeDirectory(path, mode: entry.mode)
      case .link: try Files.makeLink(path, to: entry.target)
      case .file: try Files.replace(path, with: bytes, mode: entry.mode)
      }
      try Files.setOwner(path, owner: entry.owner, group: entry.group)
      if entry.kind != .link { try Files.setMode(path, entry.mode) }
    }

    func contents() throws(Failure) -> Contents {
      guard let manifest else { throw TarReader.damaged("it is empty") }
      if let missing = manifest.entries.first(where: { !seen.contains($0.path) }) { throw TarReader.damaged("\(missing.path) is missing") }
      return manifest
    }
  }
}
