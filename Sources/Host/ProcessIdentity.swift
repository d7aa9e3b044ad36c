internal import CPosix
internal import Glibc
public import Model

/// Which process, beyond doubt: a pid comes again, with another start time; both come again after a reboot, with another boot id.
public struct ProcessIdentity: Sendable, Equatable {
  public let pid: Int32
  /// Clock ticks since boot (field 22 of /proc/PID/stat).
  public let start: UInt64
  public let boot: String

  public init(pid: Int32, start: UInt64, boot: String) {
    self.pid = pid
    self.start = start
    self.boot = boot
  }

  /// The process that has this pid now; nil where there is none (a zombie is none).
  public static func of(_ pid: Int32) -> ProcessIdentity? {
    guard let stat = ProcessStatus.of(pid), stat.state != "Z", stat.state != "X" else { return nil }
    return ProcessIdentity(pid: pid, start: stat.start, boot: currentBoot())
  }

  public static func current() -> ProcessIdentity {
    of(getpid()) ?? ProcessIdentity(pid: getpid(), start: 0, boot: currentBoot())
  }

  public var isAlive: Bool { Self.of(pid) == self }

  public var json: JSON { ["pid": .int(Int64(pid)), "start": .int(Int64(clamping: start)), "boot": .string(boot)] }

  public init?(json: JSON?) {
    guard let pid = json?["pid"]?.int, let start = json?["start"]?.int, let boot = json?["boot"]?.string else { return nil }
    self.init(pid: Int32(clamping: pid), start: UInt64(clamping: start), boot: boot)
  }

  /// Sends a signal to the process only, or (`toGroup`) to the group that it leads. Nothing where it is gone.
  public func signal(_ number: Int32, toGroup: Bool = false) {
    if isAlive { _ = kill(toGroup ? -pid : pid, number) }
  }

  /// Waits until the process has ended. False where the time was up first.
  public func waitForEnd(_ limit: Duration, stop: StopSignal? = nil) -> Bool {
    let end = monotonicNow() + limit
    let handle = ProcessHandle(pid)
    let descriptor = handle.descriptor
    defer { withExtendedLifetime(handle) {} }
    while isAlive {
      let left = end - monotonicNow()
      if left <= .zero || stop?.isNow == true { return !isAlive }
      let wait = min(left, descriptor >= 0 ? .seconds(1) : .milliseconds(20))
      var polls = [
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0), pollfd(fd: stop?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
      ]
      poll(&polls, 2, Int32(clamping: max(1, wait.milliseconds)))
    }
    return true
  }

  /// Changes with every boot of the machine.
  public static func currentBoot() -> String {
    #if FAILPOINTS
      if let pretended = environment("KGUARD_TEST_BOOT_ID") { return pretended }
    #endif
    return boot
  }

  private static let boot: String = {
    let bytes = (try? Files.read("/proc/sys/kernel/random/boot_id")) ?? []
    return String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)
  }()
}

/// A descriptor that becomes readable when the process ends; -1 on a kernel without them. The corresponding C function is `pidfd_open`.
public final class ProcessHandle: Sendable {
  public let descriptor: Int32
  public init(_ pid: Int32) { descriptor = pidfd_open(pid, 0) }
  deinit { if descriptor >= 0 { close(descriptor) } }
}

/// The fields of /proc/PID/stat that kguard reads.
public struct ProcessStatus: Sendable {
  public let state: String
  public let parent: Int32
  public let session: Int32
  public let start: UInt64

  public static func of(_ pid: Int32) -> ProcessStatus? {
    guard let bytes = try? Files.read("/proc/\(pid)/stat") else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    // The command's name stands in parentheses and may hold anything, parentheses too.
    guard let close = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: close)...].split(separator: " ")
    guard fields.count > 19, let parent = Int32(fields[1]), let session = Int32(fields[3]), let start = UInt64(fields[19])
    else { return nil }
    return ProcessStatus(state: String(fields[0]), parent: parent, session: session, start: start)
  }
}
