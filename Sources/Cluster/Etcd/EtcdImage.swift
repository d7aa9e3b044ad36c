internal import Host
internal import Model

/// The etcd image on a node of containerd. Its files are read through a read-only mount: nothing in it has to run, no shell is needed.
struct EtcdImage {
  private let machine: any Machine
  private let image: String
  private let cache: String
  private static let directories = ["/usr/local/bin", "/usr/bin", "/bin", ""]

  init(_ machine: any Machine, _ image: String, cache: String) {
    self.machine = machine
    self.image = image
    self.cache = cache
  }

  /// Copies the programs that the image has into the cache.
  func programs(_ kinds: [EtcdTool.Kind]) throws(Failure) -> [(kind: EtcdTool.Kind, path: String)] {
    guard !image.hasPrefix("-") else {
      throw Failure(what: "cannot look into the image \(image)", why: "that is no name of an image", next: "check etcd's manifest")
    }
    let ctr = try machine.require(program: "ctr")
    let prefix = "image-"
    try Files.makeDirectory(cache, mode: 0o700)
    // A crash may have left a mount.
    for name in try Files.list(cache) where name.hasPrefix(prefix) { try unmount(ctr, cache + "/" + name) }
    let mount = cache + "/" + prefix + hex(machine.random(4))
    try Files.makeDirectory(mount, mode: 0o700)
    var refusals: [String] = []
    for name in Self.names(of: image) {
      let mounted = try run([ctr, "-n", "k8s.io", "images", "mount", name, mount])
      if mounted.end.isSuccess { break }
      refusals.append(mounted.lastWords)
    }
    guard refusals.count < Self.names(of: image).count else {
      try? unmount(ctr, mount)
      throw Failure(
        what: "cannot look into the image \(image)", why: refusals.joined(separator: "; "),
        next: "check that containerd runs and holds it: ctr -n k8s.io images ls")
    }
    do throws(Failure) {
      let found = try copy(kinds, from: mount)
      try unmount(ctr, mount)
      return found
    } catch {
      try? unmount(ctr, mount)
      throw error
    }
  }

  /// containerd knows an image by its tag and by its digest, and not by both at once as a manifest may write it.
  static func names(of image: String) -> [String] {
    guard let at = image.firstIndex(of: "@") else { return [image] }
    let tagged = String(image[..<at])
    let slash = tagged.lastIndex(of: "/") ?? tagged.startIndex
    guard let colon = tagged[slash...].lastIndex(of: ":") else { return [image] }
    return [String(tagged[..<colon] + image[at...]), tagged]
  }

  private func copy(_ kinds: [EtcdTool.Kind], from mount: String) throws(Failure) -> [(kind: EtcdTool.Kind, path: String)] {
    var found: [(kind: EtcdTool.Kind, path: String)] = []
    for kind in kinds {
      for directory in Self.directories {
        let inside = "\(mount)\(directory)/\(kind.rawValue)"
        // A link in an image may point anywhere on this machine.
        guard try Files.info(inside, followLinks: false)?.kind == .file else { continue }
        let path = "\(cache)/\(kind.rawValue)"
        try Files.removeOwn(path)
        try Files.copyFile(inside, to: path, mode: 0o700)
        found.append((kind, path))
        break
      }
    }
    return found
  }

  private func unmount(_ ctr: String, _ mount: String) throws(Failure) {
    if try Files.isMountPoint(mount) {
      let result = try run([ctr, "-n", "k8s.io", "images", "unmount", "--rm", mount])
      guard result.end.isSuccess else {
        throw Failure(what: "cannot unmount \(mount)", why: result.lastWords, next: "unmount it: umount \(mount)")
      }
    }
    if try Files.exists(mount) { try Files.removeOwnTree(mount) }
  }

  private func run(_ argv: [String]) throws(Failure) -> CommandResult {
    try runCaptured(argv[0], Command(argv, environment: machine.childEnvironment), timeout: .seconds(120))
  }
}
