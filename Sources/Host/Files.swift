internal import CPosix
internal import Glibc
public import Model

/// Operations on paths of this machine. All that must outlast a power cut is durable when the function returns.
public enum Files {
  public static func info(_ path: String, followLinks: Bool = true) throws(Failure) -> FileInfo? {
    var raw = stat()
    while true {
      let result = followLinks ? stat(path, &raw) : lstat(path, &raw)
      if result == 0 { return FileInfo(raw) }
      let code = errno
      if code == ENOENT || code == ENOTDIR { return nil }
      if code != EINTR { throw systemFailure(code, "cannot look at \(path)") }
    }
  }

  public static func exists(_ path: String) throws(Failure) -> Bool { try info(path, followLinks: false) != nil }

  public static func read(_ path: String, limit: Int = 64 << 20) throws(Failure) -> [UInt8] {
    let file = try OpenFile(path, O_RDONLY)
    return try file.readToEnd(limit: limit)
  }

  /// The text of a file; nil where there is none.
  public static func textIfPresent(_ path: String, limit: Int = 1 << 20) throws(Failure) -> String? {
    guard try info(path) != nil else { return nil }
    return String(decoding: try read(path, limit: limit), as: UTF8.self)
  }

  /// Replaces the file's content at once: a temporary name beside it, fsync, rename, fsync of the directory.
  public static func replace(_ path: String, with bytes: [UInt8], mode: UInt32 = 0o600) throws(Failure) {
    var file = try DurableFile(path, mode: mode)
    try bytes.withBytes { (raw) throws(Failure) in try file.write(raw) }
    try file.commit()
  }

  /// Names in a directory, sorted, without `.` and `..`.
  public static func list(_ path: String) throws(Failure) -> [String] {
    guard let directory = opendir(path) else { throw systemFailure(errno, "cannot list \(path)") }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Makes the directory and those above it that are missing.
  public static func makeDirectory(_ path: String, mode: UInt32 = 0o755) throws(Failure) {
    if let there = try info(path) {
      guard there.kind == .directory else {
        throw Failure(
          what: "cannot make the directory \(path)", why: "something else is there", next: "move it away, or choose another path")
      }
      return
    }
    let parent = directory(of: path)
    if parent != path { try makeDirectory(parent, mode: mode) }
    if mkdir(path, mode) != 0 && errno != EEXIST { throw systemFailure(errno, "cannot make the directory \(path)") }
    try syncDirectory(parent)
  }

  /// Moves within one filesystem; durable when it returns. The target must not exist.
  public static func move(_ from: String, to: String) throws(Failure) {
    try Faults.hit(.rename, to)
    if Faults.losesRename(to) { return }
    try retrying("cannot move \(from) to \(to)") { kg_rename_noreplace(from, to) }
    try syncDirectory(directory(of: to))
    if directory(of: from) != directory(of: to) { try syncDirectory(directory(of: from)) }
  }

  /// Removes one file that kguard made. Says nothing where it is gone already.
  public static func removeOwn(_ path: String) throws(Failure) {
    if unlink(path) != 0 && errno != ENOENT { throw systemFailure(errno, "cannot remove \(path)") }
    try syncDirectory(directory(of: path))
  }

  public static func syncDirectory(_ path: String) throws(Failure) {
    let directory = try OpenFile(path, O_RDONLY | O_DIRECTORY)
    try directory.sync()
  }

  /// Bytes that a process may still write on the filesystem of `path`.
  public static func freeSpace(_ path: String) throws(Failure) -> Int64 {
    var raw = statvfs()
    try retrying("cannot ask for the free space at \(path)") { statvfs(path, &raw) }
    return Int64(clamping: UInt64(raw.f_bavail) &* UInt64(raw.f_frsize))
  }

  public static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  public static func name(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
  }
}

extension Files {
  /// Part of a file: from an offset, at most so many bytes; empty at the end.
  public static func read(_ path: String, from offset: Int64, upTo limit: Int) throws(Failure) -> [UInt8] {
    let file = try OpenFile(path, O_RDONLY)
    var bytes = [UInt8](repeating: 0, count: limit)
    let count = try retrying("cannot read \(path)") {
      bytes.withUnsafeMutableBytes { pread(file.descriptor, $0.baseAddress, $0.count, Int(offset)) }
    }
    bytes.removeLast(limit - count)
    return bytes
  }
}

extension Files {
  /// The path from the root; a relative one starts from the working directory.
  public static func absolute(_ path: String) throws(Failure) -> String {
    if path.hasPrefix("/") { return path }
    guard let here = getcwd(nil, 0) else { throw systemFailure(errno, "cannot tell the working directory") }
    defer { free(here) }
    return String(cString: here) + "/" + path
  }
}

extension Files {
  /// Removes a directory that kguard made, if nothing of anybody else is in it.
  public static func removeOwnEmptyDirectory(_ path: String) throws(Failure) {
    if rmdir(path) != 0 && errno != ENOENT { throw systemFailure(errno, "cannot remove \(path)") }
    try syncDirectory(directory(of: path))
  }
}
