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

  /// Writes the archive. `packages` goes into its manifest.
  static func write(_ machine: any Machine, to file: String, packages: JSON, extra: [String]) throws(Failure) -> Contents {
    let files = try NodeFiles.collect(machine, extra: extra)
    let contents = Contents(entries: files.entries, packages: packages, omissions: files.omissions, roots: files.roots)
    let manifest = Array((contents.json.text() + "\n").utf8)
    let archive = try ZstdFile(file, mode: 0o600)
    func put(_ entry: TarEntry, _ bytes: [UInt8]) throws(Failure) {
      try archive.write(Tar.header(entry))
      try archive.write(bytes)
      try archive.write(Tar.padding(Int64(bytes.count)))
    }
    try put(TarEntry(kind: .file, path: manifestName, mode: 0o600, owner: 0, group: 0, size: Int64(manifest.count)), manifest)
    for entry in files.entries {
      var bytes = files.contents[entry.path] ?? []
      if entry.sha256 != nil, files.contents[entry.path] == nil { bytes = try machine.read(entry.path, limit: largest) }
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
    /// The node's programs read it: a rollback compares it and puts it back.
    public internal(set) var isNamed = true

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
      if !isNamed { json["named"] = false }
      return json
    }
  }

  /// What an archive holds.
  public struct Contents: Sendable, Equatable {
    public let entries: [Entry]
    /// Exact versions and holds, by package; which manager.
    public let packages: JSON
    /// What was there and is not in it, with the reason.
    let omissions: [NodeFiles.Omission]
    /// The paths that were looked at; nil: the archive does not say.
    let roots: [String]?
    private let places: [String: Int]

    public func entry(_ path: String) -> Entry? { places[path].map { entries[$0] } }

    /// Where a path of the host really was, by the archive's links; nil where they lead in circles.
    func real(_ path: String) -> String? {
      var (done, rest) = ("", path.split(separator: "/").map(String.init)[...])
      var links = 0
      while let name = rest.popFirst() {
        if name == "." { continue }
        if name == ".." {
          done = done.isEmpty || Files.directory(of: done) == "/" ? "" : Files.directory(of: done)
          continue
        }
        let next = done + "/" + name
        guard let entry = entry(next), entry.kind == .link else {
          done = next
          continue
        }
        links += 1
        if links > 40 { return nil }
        if entry.target.hasPrefix("/") { done = "" }
        rest = (entry.target.split(separator: "/").map(String.init) + rest)[...]
      }
      return done.isEmpty ? "/" : done
    }

    /// True where the content of a path of the host is in it, by whatever links.
    func holds(_ path: String) -> Bool { real(path).flatMap(entry)?.sha256 != nil }

    var json: JSON {
      [
        "format": .int(format), "packages": packages, "roots": JSON(roots ?? []), "omissions": .array(omissions.map(\.json)),
        "entries": .array(entries.map(\.json)),
      ]
    }

    init(entries: [Entry], packages: JSON, omissions: [NodeFiles.Omission], roots: [String]?) {
      self.entries = entries
      self.packages = packages
      self.omissions = omissions
      self.roots = roots
      places = Dictionary(entries.indices.map { (entries[$0].path, $0) }) { first, _ in first }
    }

    init(json: JSON) throws(Failure) {
      guard json["format"]?.int == format, let list = json["entries"]?.array else {
        throw Failure(
          .verification, what: "cannot read the node archive", why: "its \(manifestName) is not of a format that this kguard knows",
          next: "use a newer kguard")
      }
      let entries = list.compactMap { entry -> Entry? in
        guard let path = entry["path"]?.string, let kind = entry["kind"]?.string.flatMap(Entry.Kind.init), let mode = entry["mode"]?.int,
          let owner = entry["owner"]?.int, let group = entry["group"]?.int
        else { return nil }
        var found = Entry(
          path: path, kind: kind, mode: UInt32(clamping: mode), owner: UInt32(clamping: owner), group: UInt32(clamping: group))
        found.target = entry["target"]?.string ?? ""
        found.sha256 = entry["sha256"]?.string.flatMap { Digest(hex: $0) }
        found.isNamed = entry["named"]?.bool ?? true
        return found
      }
      let omissions = (json["omissions"]?.array ?? []).compactMap { omission -> NodeFiles.Omission? in
        guard let path = omission["path"]?.string else { return nil }
        return .init(path: path, why: omission["why"]?.string ?? "", isDangling: omission["dangling"]?.bool ?? false)
      }
      self.init(
        entries: entries, packages: json["packages"] ?? [:], omissions: omissions,
        roots: json["roots"]?.array.map { $0.compactMap(\.string) })
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
