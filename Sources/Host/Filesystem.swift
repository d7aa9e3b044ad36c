internal import Glibc
public import Model

/// The filesystem that a path lies on, as `stat` and the mount table know it. A btrfs subvolume has a device number of its own for `stat`,
/// and shares the mount table's with the rest of its filesystem; a bind mount shares both.
public struct Filesystem: Sendable, Equatable {
  public let device: UInt64
  /// `major:minor` of the mount; nil where the kernel does not tell.
  public let mount: String?

  /// Nil where there is no such path.
  public static func of(_ path: String) throws(Failure) -> Filesystem? {
    guard let info = try Files.info(path) else { return nil }
    return Filesystem(device: info.device, mount: try mount(path))
  }

  public func isSame(as other: Filesystem) -> Bool { device == other.device || (mount != nil && mount == other.mount) }

  /// Asked by the mount's id: one mount may hide another at the same path.
  private static func mount(_ path: String) throws(Failure) -> String? {
    let file = try OpenFile(path, O_RDONLY)
    guard let words = try? text("/proc/self/fdinfo/\(file.descriptor)"), let table = try? text("/proc/self/mountinfo") else { return nil }
    let line = words.split(separator: "\n").first { $0.hasPrefix("mnt_id:") }
    guard let id = line?.dropFirst("mnt_id:".count).drop(while: \.isWhitespace) else { return nil }
    for line in table.split(separator: "\n") {
      let fields = line.split(separator: " ", maxSplits: 4)
      if fields.count > 2, fields[0] == id { return String(fields[2]) }
    }
    return nil
  }

  private static func text(_ path: String) throws(Failure) -> String { String(decoding: try Files.read(path), as: UTF8.self) }
}

extension Files {
  /// Where filesystems, or parts of them, are mounted below a directory.
  public static func mountPoints(below path: String) throws(Failure) -> [String] {
    try mountPoints().filter { $0.hasPrefix(path == "/" ? "/" : path + "/") && $0 != "/" }
  }
}

extension Files {
  /// The bytes of all files below a path; throws where that takes longer than until `end`, measured with `monotonicNow`.
  public static func sizeOfTree(_ path: String, until end: Duration) throws(Failure) -> Int64 {
    guard monotonicNow() < end else {
      throw Failure(what: "cannot count what lies in \(path)", why: "it takes too long", next: "count it with `du -sh \(path)`")
    }
    guard let info = try info(path, followLinks: false) else { return 0 }
    guard info.kind == .directory else { return info.size }
    var sum: Int64 = 0
    for name in try list(path) { sum = sum &+ (try sizeOfTree(path + "/" + name, until: end)) }
    return sum
  }
}
