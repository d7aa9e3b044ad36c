internal import Glibc
internal import Host
internal import Model

/// `file:///path`: a directory of a filesystem that is kept elsewhere, such as an NFS mount.
struct FileStore: Store {
  let url: String
  /// Where it really is on this machine.
  let directory: String
  /// Must be a mount point, so that an unmounted share is not mistaken for an empty one.
  let mountPoint: String?

  var abilities: StoreAbilities { .all }

  private func path(_ name: String) throws(Failure) -> String {
    try StoreName.check(name)
    try checkDirectory()
    return directory + "/" + name
  }

  private func checkDirectory() throws(Failure) {
    guard let there = try Files.info(directory), there.kind == .directory else {
      throw Failure(
        what: "cannot use \(url)", why: "\(directory) is not a directory", next: "mount the share, or make the directory")
    }
    guard let mountPoint else { return }
    let above = try Files.info(mountPoint + "/..")
    guard let here = try Files.info(mountPoint), let above, here.device != above.device || here.inode == above.inode else {
      throw Failure(
        what: "cannot use \(url)", why: "nothing is mounted at \(mountPoint)",
        next: "mount the share, then run the same command again")
    }
  }

  func put(_ name: String, _ source: UploadSource, _ transfer: Transfer) throws(Failure) -> Receipt {
    let path = try path(name)
    try Files.makeDirectory(Files.directory(of: path), mode: 0o700)
    let file = Writing(try DurableFile(path))
    let made: (size: Int64, sha256: Digest)
    do throws(Failure) {
      var done: Int64 = 0
      made = try source.run { (bytes) throws(Failure) in
        try transfer.check("cannot write \(path)")
        try file.write(bytes)
        done += Int64(bytes.count)
        transfer.progress(Progress(done: done, total: source.size))
      }
      try failpoint("store.file.before-rename")
    } catch {
      file.abandon()
      throw error
    }
    try file.commit()
    return Receipt(name: name, size: made.size, sha256: made.sha256)
  }

  func get(_ name: String, from offset: Int64, _ transfer: Transfer, into sink: @escaping ByteSink) throws(Failure) {
    let path = try path(name)
    guard let info = try Files.info(path), info.kind == .file else { throw missing(name) }
    try forgetCache(path)
    var done = offset
    try readFile(path, from: offset) { (bytes) throws(Failure) in
      try transfer.check("cannot read \(path)")
      try sink(bytes)
      done += Int64(bytes.count)
      transfer.progress(Progress(done: done, total: info.size))
    }
  }

  /// What is read back should come from the disk or the server, not from this machine's memory.
  private func forgetCache(_ path: String) throws(Failure) {
    let file = try OpenFile(path, O_RDONLY)
    posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_DONTNEED)
  }

  func head(_ name: String) throws(Failure) -> StoredObject? {
    guard let info = try Files.info(try path(name)), info.kind == .file else { return nil }
    return StoredObject(name: name, size: info.size, modified: info.modified)
  }

  func list(_ prefix: String) throws(Failure) -> [StoredObject] {
    try StoreName.check(prefix: prefix)
    try checkDirectory()
    return try walk(prefix, depth: 0).sorted { $0.name < $1.name }
  }

  private func walk(_ prefix: String, depth: Int) throws(Failure) -> [StoredObject] {
    let here = directory + "/" + prefix
    guard depth < 8, let info = try Files.info(here), info.kind == .directory else { return [] }
    var found: [StoredObject] = []
    for entry in try Files.list(here) where StoreName.isOurs(entry) {
      guard let info = try Files.info(here + "/" + entry, followLinks: false) else { continue }
      switch info.kind {
      case .file: found.append(StoredObject(name: prefix + entry, size: info.size, modified: info.modified))
      case .directory: found += try walk(prefix + entry + "/", depth: depth + 1)
      case .link, .other: continue
      }
    }
    return found
  }

  func delete(_ name: String) throws(Failure) {
    let path = try path(name)
    guard let info = try Files.info(path, followLinks: false) else { return }
    guard info.kind == .file else {
      throw Failure(what: "cannot delete \(path)", why: "it is not a file that kguard wrote", next: "look at it; kguard leaves it alone")
    }
    try Files.removeOwn(path)
    // A bundle's directory goes with its last file; one that still holds something stays.
    if name.contains("/") { _ = rmdir(Files.directory(of: path)) }
  }
}

/// The file of one put, for the closure that writes it and the function that ends it.
private final class Writing {
  private var file: DurableFile?

  init(_ file: consuming DurableFile) { self.file = consume file }
  func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) { try file?.write(bytes) }
  func commit() throws(Failure) { try file.take()?.commit() }
  func abandon() { file.take()?.abandon() }
}
