internal import Host
internal import Model
internal import Synchronization

/// Tells how much of a file is there, while a program that says nothing writes it.
final class FileGrowth: Sendable {
  private let followed = Mutex<(path: String, total: Int64)?>(nil)
  private let tell: @Sendable (Progress) -> Void

  private static let period = Duration.milliseconds(250)

  init(_ tell: @escaping @Sendable (Progress) -> Void) {
    self.tell = tell
    startThread("growth") { [weak self] in
      let never = StopSignal()
      while never.sleep(Self.period), let self { self.look() }
    }
  }

  func follow(_ path: String, total: Int64) { followed.withLock { $0 = (path, total) } }
  func end() { followed.withLock { $0 = nil } }

  private func look() {
    // Told under the lock: after `end` nothing comes any more.
    followed.withLock { followed in
      guard let (path, total) = followed, let size = try? Files.info(path)?.size else { return }
      tell(Progress(done: min(size, total), total: total))
    }
  }
}
