internal import CPosix
internal import Glibc
public import Model

/// The wall clock. A test can shift it (`KGUARD_TEST_CLOCK_OFFSET`, seconds); nothing is ever measured with it.
public func wallClock() -> Timestamp {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME, &time)
  var now = Timestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
  #if FAILPOINTS
    if let offset = environment("KGUARD_TEST_CLOCK_OFFSET").flatMap({ Int64($0) }) { now.milliseconds += offset * 1000 }
  #endif
  return now
}

/// Time since boot, sleep of the machine included; no change of the wall clock moves it.
public func monotonicNow() -> Duration {
  var time = timespec()
  clock_gettime(CLOCK_BOOTTIME, &time)
  return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
}

/// A moment in the operator's own time zone: `2026-11-21 03:15:36 CET`.
public func localTime(_ timestamp: Timestamp, _ format: String = "%Y-%m-%d %H:%M:%S %Z") -> String {
  var seconds = time_t(timestamp.milliseconds / 1000)
  var parts = tm()
  localtime_r(&seconds, &parts)
  return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
    guard let base = buffer.baseAddress, strftime(base, 128, format, &parts) > 0 else { return timestamp.description }
    return String(cString: base)
  }
}

/// Bytes of the kernel's random source.
public func randomBytes(_ count: Int) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: count)
  var done = 0
  while done < count {
    let got = bytes.withUnsafeMutableBytes { getrandom($0.baseAddress?.advanced(by: done), count - done, 0) }
    if got > 0 { done += got }
  }
  return bytes
}
