internal import CPosix
internal import Glibc
public import Model

/// Operations on a directory with all that is in it. None follows a symbolic link.
extension Files {
  /// Writes every file and directory below `path` to disk.
  public static func syncTree(_ path: String) throws(Failure) {
    guard let info = try info(path, followLinks: false) else { return }
    switch info.kind {
    case .directory:
      for name in try list(path) { try syncTree(path + "/" + name) }
      try syncDirectory(path)
    case .file: try OpenFile(path, O_RDONLY).sync()
    case .link, .other: break
    }
  }

  /// Removes a directory that kguard made, with all that is in it. Another filesystem that is mounted in it is not touched.
  public static func removeOwnTree(_ path: String) throws(Failure) {
    guard let top = try info(path, followLinks: false) else { return }
    try remove(path, device: top.device)
    try syncDirectory(directory(of: path))
  }

  private static func remove(_ path: String, device: UInt64) throws(Failure) {
    guard let info = try info(path, followLinks: false) else { return }
    guard info.device == device else {
      throw Failure(what: "cannot remove \(path)", why: "another filesystem is mounted there", next: "unmount it: umount \(path)")
    }
    if info.kind == .directory {
      for name in try list(path) { try remove(path + "/" + name, device: device) }
      try retrying("cannot remove \(path)") { rmdir(path) }
    } else {
      try retrying("cannot remove \(path)") { unlink(path) }
    }
  }

  /// Gives everything in a directory to an owner.
  public static func giveTree(_ path: String, owner: UInt32, group: UInt32) throws(Failure) {
    guard let info = try info(path, followLinks: false) else { return }
    if info.owner != owner || info.group != group {
      try retrying("cannot change the owner of \(path)") { lchown(path, owner, group) }
    }
    guard info.kind == .directory else { return }
    for name in try list(path) { try giveTree(path + "/" + name, owner: owner, group: group) }
  }

  public static func setMode(_ path: String, _ mode: UInt32) throws(Failure) {
    try retrying("cannot set the mode of \(path)") { chmod(path, mode) }
  }

  /// The bytes of all files below a path.
  public static func sizeOfTree(_ path: String) throws(Failure) -> Int64 {
    guard let info = try info(path, followLinks: false) else { return 0 }
    guard info.kind == .directory else { return info.size }
    var sum: Int64 = 0
    for name in try list(path) { sum += try sizeOfTree(path + "/" + name) }
    return sum
  }

  /// Copies files and directories, sharing blocks where the filesystem can. Not durable: for what is thrown away again.
  public static func copyTree(_ from: String, to: String) throws(Failure) {
    guard let info = try info(from, followLinks: false) else { return }
    switch info.kind {
    case .directory:
      try retrying("cannot make the directory \(to)") { mkdir(to, 0o700) }
      for name in try list(from) { try copyTree(from + "/" + name, to: to + "/" + name) }
    case .file: try copyFile(from, to: to, mode: info.mode)
    case .link, .other: break
    }
  }

  /// Copies one file, sharing its blocks where the filesystem can. The target must not exist.
  public static func copyFile(_ from: String, to: String, mode: UInt32) throws(Failure) {
    let source = try OpenFile(from, O_RDONLY)
    let target = try OpenFile(to, O_WRONLY | O_CREAT | O_EXCL, mode: mode)
    if kg_clone(target.descriptor, source.descriptor) != 0 { try copy(source, target) }
    try target.close()
  }

  private static func copy(_ source: borrowing OpenFile, _ target: borrowing OpenFile) throws(Failure) {
    while true {
      let count = copy_file_range(source.descriptor, nil, target.descriptor, nil, 64 << 20, 0)
      if count == 0 { return }
      guard count < 0 else { continue }
      switch errno {
      case EINTR: continue
      case EXDEV, EINVAL, ENOSYS, EOPNOTSUPP: break
      default: throw systemFailure(errno, "cannot write \(target.path)")
      }
      break
    }
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = try buffer.withMutableBytes { (raw) throws(Failure) in try source.read(into: raw) }
      if count == 0 { return }
      try buffer.withBytes { (raw) throws(Failure) in try target.write(UnsafeRawBufferPointer(rebasing: raw[..<count])) }
    }
  }

  /// A path with every symbolic link followed; nil where it does not exist.
  public static func real(_ path: String) -> String? {
    guard let found = realpath(path, nil) else { return nil }
    defer { free(found) }
    return String(cString: found)
  }

  /// True where a filesystem, or a part of one, is mounted at exactly this path.
  public static func isMountPoint(_ path: String) throws(Failure) -> Bool {
    try mountPoints().contains(path)
  }

  static func mountPoints() throws(Failure) -> [String] {
    let table = String(decoding: try read("/proc/self/mountinfo"), as: UTF8.self)
    return table.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: " ", maxSplits: 5)
      return fields.count > 4 ? unescaped(fields[4]) : nil
    }
  }

  /// The kernel writes a space as `\040`.
  private static func unescaped(_ text: Substring) -> String {
    var out: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      let digits = rest.prefix(3)
      if byte == UInt8(ascii: "\\"), digits.count == 3, let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8) {
        out.append(value)
        rest = rest.dropFirst(3)
      } else {
        out.append(byte)
      }
    }
    return String(decoding: out, as: UTF8.self)
  }
}
