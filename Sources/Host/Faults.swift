internal import Glibc
internal import Model

#if FAILPOINTS
  internal import Synchronization
#endif

/// Faults of the disk that a test can't cause otherwise: `KGUARD_FAULT=write:substring:ENOSPC@BYTES`, `sync:…:EIO`,
/// `rename:…:EIO`, `rename:…:lost`, `open:…:EACCES`. Nothing of it is in a release build.
enum Faults {
  enum Call: String { case open, read, write, sync, rename }

  @inline(__always)
  static func hit(_ call: Call, _ path: String) throws(Failure) {
    #if FAILPOINTS
      if let fault = active, fault.call == call, path.contains(fault.path), !fault.isLost {
        throw systemFailure(fault.code, "cannot \(call.rawValue) \(path)")
      }
    #endif
  }

  /// How many of the bytes may be written before the disk is full; throws where it is none.
  @inline(__always)
  static func allowance(_ call: Call, _ path: String, _ count: Int) throws(Failure) -> Int {
    #if FAILPOINTS
      guard let fault = active, fault.call == call, path.contains(fault.path) else { return count }
      let left = written.withLock { written -> Int in
        let left = max(0, min(count, fault.after - written))
        written += left
        return left
      }
      if left == 0 && count > 0 { throw systemFailure(fault.code, "cannot \(call.rawValue) \(path)") }
      return left
    #else
      return count
    #endif
  }

  /// True where a rename should say that it worked and not do it, as a filesystem does that loses its cache.
  @inline(__always)
  static func losesRename(_ path: String) -> Bool {
    #if FAILPOINTS
      active.map { $0.call == .rename && $0.isLost && path.contains($0.path) } ?? false
    #else
      false
    #endif
  }

  #if FAILPOINTS
    private struct Fault { var call: Call, path: String, code: Int32, isLost: Bool, after: Int }
    private static let codes = ["ENOSPC": ENOSPC, "EIO": EIO, "EACCES": EACCES, "EROFS": EROFS, "lost": 0]
    private static let written = Mutex(0)
    private static let active: Fault? = {
      let parts = (environment("KGUARD_FAULT") ?? "").split(separator: ":").map(String.init)
      guard parts.count == 3, let call = Call(rawValue: parts[0]) else { return nil }
      let how = parts[2].split(separator: "@").map(String.init)
      guard let name = how.first, let code = codes[name] else { return nil }
      return Fault(call: call, path: parts[1], code: code, isLost: name == "lost", after: how.count > 1 ? Int(how[1]) ?? 0 : 0)
    }()
  #endif
}
