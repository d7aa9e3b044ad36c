internal import Glibc
public import Model

/// The failure that errno stands for. `what` says what was being done, and with which path.
public func systemFailure(_ code: Int32, _ what: String, next: String? = nil) -> Failure {
  let exit: ExitStatus = .failed
  return Failure(exit, what: what, why: errorText(code), next: next ?? remedy(for: code))
}

/// `No space left on device`, and the like.
public func errorText(_ code: Int32) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
    guard let base = buffer.baseAddress, strerror_r_portable(code, base, 256) else { return "error \(code)" }
    return String(cString: base)
  }
}

private func strerror_r_portable(_ code: Int32, _ buffer: UnsafeMutablePointer<CChar>, _ size: Int) -> Bool {
  guard let text = strerror(code) else { return false }
  strncpy(buffer, text, size - 1)
  buffer[size - 1] = 0
  return true
}

private func remedy(for code: Int32) -> String {
  switch code {
  case ENOSPC, EDQUOT: "free space on that filesystem, then run the same command again"
  case EACCES, EPERM: "run it as root, or check owner and mode of the path"
  case ENOENT: "check the path"
  case EROFS: "the filesystem is mounted read-only: find out why (dmesg), then mount it writable"
  case EIO: "the disk reports an error: look at dmesg before anything else"
  case EMFILE, ENFILE: "too many open files: raise the limit (ulimit -n)"
  default: "look at the path and at dmesg, then run the same command again"
  }
}

/// Calls again while the call says EINTR; throws what errno says where the result is negative.
@discardableResult
func retrying<R: SignedInteger>(_ what: @autoclosure () -> String, _ call: () -> R) throws(Failure) -> R {
  while true {
    let result = call()
    if result >= 0 { return result }
    let code = errno
    if code != EINTR { throw systemFailure(code, what()) }
  }
}
