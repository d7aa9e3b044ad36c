internal import Host
internal import Model

/// Collects what an archive of the node takes.
///
/// What the node's programs read is *named*: compared by a rollback, and put back. Links among it are followed, and what they lead to is
/// named too. The rest of `/etc/kubernetes` is taken along where it is small, since somebody put it there; it decides nothing.
struct NodeFiles {
  struct Omission: Equatable {
    let path: String
    let why: String
    /// A link among the named files that leads nowhere.
    var isDangling = false

    var text: String { "\(path) (\(why))" }
    var json: JSON { ["path": .string(path), "why": .string(why), "dangling": .bool(isDangling)] }
  }

  /// Of a named file; a larger one is no file that kubeadm or kubelet reads.
  static let largest: Int64 = 64 << 20
  /// Of all named files, and how many entries a directory that a link leads to may have.
  static let largestSum: Int64 = 512 << 20
  static let mostLinked = 2000
  /// Of one file of the rest, of all of it, and how many entries.
  static let largestRest: Int64 = 4 << 20
  static let largestRestSum: Int64 = 32 << 20
  static let mostRest = 5000

  private(set) var entries: [NodeArchive.Entry] = []
  private(set) var omissions: [Omission] = []
  /// The usual places, where they really are, whether or not something is there.
  private(set) var roots: [String] = []
  /// Contents of the rest, read once: a log there changes at any moment.
  private(set) var contents: [String: [UInt8]] = [:]

  private let machine: any Machine
  private let references: Set<String>
  private var places: [String: Int] = [:]
  /// Links that were met on the way to something else, and not looked at for themselves yet.
  private var noted: Set<String> = []
  private var sum: Int64 = 0
  private var restSum: Int64 = 0
  private var restCount = 0
  /// How many links lead to what is looked at now.
  private var depth = 0

  /// `extra`: more named paths.
  static func collect(_ machine: any Machine, extra: [String]) throws(Failure) -> NodeFiles {
    var files = NodeFiles(machine, references: try NodeScope.references(machine))
    for path in NodeScope.roots + extra + files.references.sorted() {
      guard let place = try files.walk(from: "/", path, isNamed: false) else { continue }
      if NodeScope.roots.contains(path), !NodeScope.isOpen(path), path != NodeScope.changing { files.roots.append(place) }
      try files.visit(path, at: place, isNamed: extra.contains(path))
    }
    return files
  }

  private init(_ machine: any Machine, references: Set<String>) {
    self.machine = machine
    self.references = references
  }

  /// Where a path leads, every link above its last name followed and noted. Nil where it leads out of the host's root, or in circles.
  private mutating func walk(from base: String, _ path: String, isNamed: Bool) throws(Failure) -> String? {
    // The kernel follows an absolute link from its own root, whatever the host's is; a path that the host names begins at the host's.
    guard var rest = isNamed ? inside(path) : path else { return nil }
    var done = rest.hasPrefix("/") || base == "/" ? "" : base
    var links = 0
    while let name = rest.split(separator: "/").first {
      let left = rest.drop { $0 == "/" }.dropFirst(name.count).drop { $0 == "/" }
      rest = String(left)
      if name == "." { continue }
      if name == ".." {
        done = Files.directory(of: done)
        if done == "/" || done == "." { done = "" }
        continue
      }
      let next = done + "/" + name
      if rest.isEmpty { return next }
      guard let info = try machine.info(next, followLinks: false), info.kind == .link else {
        done = next
        continue
      }
      links += 1
      guard links < 40, let target = inside(try Files.linkTarget(machine.locate(next))) else { return nil }
      note(next, info, try Files.linkTarget(machine.locate(next)), isNamed: isNamed)
      if target.hasPrefix("/") { done = "" }
      rest = target + "/" + rest
    }
    return done.isEmpty ? "/" : done
  }

  /// A link's target as the host calls it.
  private func inside(_ target: String) -> String? {
    guard machine.root != "/", target.hasPrefix("/") else { return target }
    return target.hasPrefix(machine.root + "/") ? String(target.dropFirst(machine.root.count)) : nil
  }

  private mutating func note(_ path: String, _ info: FileInfo, _ target: String, isNamed: Bool) {
    if let place = places[path] {
      if isNamed { entries[place].isNamed = true }
      return
    }
    var entry = NodeArchive.Entry(path: path, kind: .link, mode: info.mode, owner: info.owner, group: info.group)
    entry.modified = info.modified.milliseconds / 1000
    entry.target = target
    entry.isNamed = isNamed
    places[path] = entries.count
    noted.insert(path)
    entries.append(entry)
  }

  /// `logical`: the path as programs name it. `path`: where that really is, every link above it followed.
  private mutating func visit(_ logical: String, at path: String, isNamed: Bool) throws(Failure) {
    if NodeScope.isLeftOut(logical) || NodeScope.isLeftOut(path) { return }
    guard let info = try machine.info(path, followLinks: false), let kind = NodeArchive.Entry.kind(info.kind) else { return }
    let isNamed = isNamed || NodeScope.isNamed(logical) || references.contains(logical)
    if let place = places[path] {
      let isNew = noted.remove(path) != nil
      guard isNew || (isNamed && !entries[place].isNamed) else { return }
      // It was met as part of the rest, and is named as well.
      if isNamed { entries[place].isNamed = true }
    } else {
      var entry = NodeArchive.Entry(path: path, kind: kind, mode: info.mode, owner: info.owner, group: info.group)
      entry.modified = info.modified.milliseconds / 1000
      entry.isNamed = isNamed
      switch kind {
      case .link: entry.target = try Files.linkTarget(machine.locate(path))
      case .file: guard try take(&entry, info) else { return }
      case .directory: break
      }
      if !isNamed {
        restCount += 1
        if restCount == Self.mostRest + 1 { omit(path, "and what follows: there are more than \(Self.mostRest) files beside kubeadm's") }
        if restCount > Self.mostRest { return }
      }
      places[path] = entries.count
      entries.append(entry)
    }
    switch kind {
    case .directory:
      for name in try machine.list(path) {
        try visit(logical + "/" + name, at: path + "/" + name, isNamed: isNamed && !NodeScope.isOpen(logical))
      }
    case .link where isNamed: try follow(logical, at: path)
    case .link, .file: break
    }
  }

  /// Reads a file's hash; false where it is left out.
  private mutating func take(_ entry: inout NodeArchive.Entry, _ info: FileInfo) throws(Failure) -> Bool {
    let path = entry.path
    if entry.isNamed {
      omissions.removeAll { $0.path == path }
      guard info.size <= Self.largest, sum + info.size <= Self.largestSum else {
        omit(path, "\(sizeForPeople(info.size)) are too much for a file of the node")
        return false
      }
      entry.sha256 = sha256(try machine.read(path, limit: Int(Self.largest)))
      sum += info.size
      return true
    }
    guard info.size <= Self.largestRest, restSum + info.size <= Self.largestRestSum else {
      omit(path, "\(sizeForPeople(info.size)), and neither kubeadm nor kubelet needs it")
      return false
    }
    do throws(Failure) {
      let bytes = try machine.read(path, limit: Int(Self.largestRest))
      restSum += Int64(bytes.count)
      contents[path] = bytes
      entry.sha256 = sha256(bytes)
      return true
    } catch {
      omit(path, error.why)
      return false
    }
  }

  /// One link after the other, so that each of a chain is archived.
  private mutating func follow(_ logical: String, at path: String) throws(Failure) {
    let target = try Files.linkTarget(machine.locate(path))
    guard Files.real(machine.locate(path)) != nil else { return omit(path, "the link leads nowhere: \(target)", isDangling: true) }
    guard let destination = try walk(from: Files.directory(of: path), target, isNamed: true) else {
      return omit(path, "the link leads out of \(machine.root)")
    }
    guard depth < 16 else { return omit(path, "it leads through too many links") }
    if try machine.info(destination, followLinks: false)?.kind == .directory {
      // A link to a directory above, or to a large one, is no place of kubeadm's.
      guard !path.hasPrefix(destination + "/"), destination != "/", count(destination, Self.mostLinked) < Self.mostLinked else {
        return omit(path, "what it leads to is not archived: \(destination) holds too much, or the link itself")
      }
    }
    depth += 1
    try visit(logical, at: destination, isNamed: true)
    depth -= 1
  }

  /// How many entries a directory has with all below it, as far as `most`.
  private func count(_ path: String, _ most: Int) -> Int {
    var (found, open) = (0, [path])
    while let next = open.popLast(), found < most {
      for name in (try? machine.list(next)) ?? [] {
        found += 1
        if found >= most { return most }
        if (try? machine.info(next + "/" + name, followLinks: false))?.kind == .directory { open.append(next + "/" + name) }
      }
    }
    return found
  }

  private mutating func omit(_ path: String, _ why: String, isDangling: Bool = false) {
    guard omissions.count < 200 else { return }
    omissions.append(Omission(path: path, why: why, isDangling: isDangling))
  }
}

/// Which paths of the host make it this node.
enum NodeScope {
  static let roots = [
    "/etc/kubernetes", "/var/lib/kubelet/config.yaml", "/var/lib/kubelet/kubeadm-flags.env", "/var/lib/kubelet/pki", "/etc/default/kubelet",
    "/etc/sysconfig/kubelet", "/etc/systemd/system/kubelet.service", "/etc/systemd/system/kubelet.service.d",
    "/usr/lib/systemd/system/kubelet.service", "/usr/lib/systemd/system/kubelet.service.d",
    "/usr/local/lib/systemd/system/kubelet.service.d",
    "/etc/crictl.yaml",
  ]

  /// kubeadm's own copies, hundreds of megabytes; and what rollbacks have moved aside.
  static func isLeftOut(_ path: String) -> Bool {
    if path == "/etc/kubernetes/tmp" || path.hasPrefix("/etc/kubernetes/kguard-") { return true }
    let name = Files.name(of: path)
    return ["kguard-aside-", "kguard-undone-", "kguard-stopped-", "kguard-start-"].contains { name.hasPrefix($0) }
  }

  /// True for what the node's programs read, by its place.
  static func isNamed(_ path: String) -> Bool {
    guard path.hasPrefix("/etc/kubernetes/") else {
      return roots.contains(path) && path != "/etc/kubernetes" && path != changing
    }
    for place in ["/etc/kubernetes/pki", "/etc/kubernetes/manifests"] where path == place || path.hasPrefix(place + "/") { return true }
    return isKubeconfig(path)
  }

  /// `/etc/kubernetes/admin.conf`
  static func isKubeconfig(_ path: String) -> Bool {
    Files.directory(of: path) == "/etc/kubernetes" && path.hasSuffix(".conf")
  }

  /// A directory that holds named files and others.
  static func isOpen(_ path: String) -> Bool { path == "/etc/kubernetes" }

  /// kubelet renews its certificates there, and the old ones run out: archived, and never put back.
  static let changing = "/var/lib/kubelet/pki"

  /// Files below `/etc/kubernetes` that static pods are told to read: by a flag, or by a volume that they cannot write to. What they
  /// write themselves (an audit log) is none.
  static func references(_ machine: any Machine) throws(Failure) -> Set<String> {
    var found: Set<String> = []
    func isBelow(_ path: String) -> Bool { path.hasPrefix("/etc/kubernetes/") && !isLeftOut(path) }
    for name in try StaticPodFiles.names(machine) {
      guard let manifest = try? StaticPodManifest.read(machine, "\(ControlPlane.manifests)/\(name)") else { continue }
      for flag in manifest.flags.flags where !isOutput(flag.name) {
        for part in (flag.value ?? "").split(separator: ",") where part.hasPrefix("/") {
          let path = manifest.hostPath(String(part)) ?? StaticPodManifest.normal(String(part))
          if isBelow(path) { found.insert(path) }
        }
      }
      for volume in manifest.volumes where volume.isReadOnly {
        if let path = volume.hostPath, isBelow(path) { found.insert(path) }
      }
    }
    return found
  }

  private static func isOutput(_ flag: String) -> Bool { flag.contains("log") || flag.hasSuffix("-dir") }
}
