internal import Glibc

/// What this machine calls itself.
public func hostName() -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
    guard let base = buffer.baseAddress, gethostname(base, 255) == 0 else { return "localhost" }
    base[255] = 0
    return String(cString: base)
  }
}

/// The file that this process was started from.
public func ownExecutable() -> String? { Files.real("/proc/self/exe") }
