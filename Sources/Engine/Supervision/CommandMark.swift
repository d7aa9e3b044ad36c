internal import Host

/// A word in the environment of a command, which every process it starts inherits: so that they are found, wherever they have gone.
enum CommandMark {
  static let variable = "KGUARD_COMMAND"

  /// The processes of a command that are alive: those that bear its mark, and those of its supervisor's session that bear none. What
  /// bears another mark was left behind by an earlier command that had ended: a daemon, and none of this command's business.
  static func processes(_ mark: String, session: Int32) -> [ProcessIdentity] {
    let pids = ((try? Files.list("/proc")) ?? []).compactMap { Int32($0) }
    return pids.filter { pid in
      guard pid != session else { return false }
      if let found = Self.mark(of: pid) { return found == mark }
      return ProcessStatus.of(pid)?.session == session
    }.compactMap { ProcessIdentity.of($0) }
  }

  /// Nil: it bears none, or is not ours to look at.
  private static func mark(of pid: Int32) -> String? {
    guard let bytes = try? Files.read("/proc/\(pid)/environ", limit: 4 << 20) else { return nil }
    let name = Array((variable + "=").utf8)
    return bytes.split(separator: 0).first { $0.starts(with: name) }.map { String(decoding: $0.dropFirst(name.count), as: UTF8.self) }
  }
}
