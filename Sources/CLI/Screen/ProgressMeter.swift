internal import Host
internal import Model

/// Progress and its pace: measured over the last seconds, and begun anew where another piece of work begins.
struct ProgressMeter {
  /// How far, how fast, and for how long still; as far as that can be told.
  struct Reading: Equatable {
    var progress: Progress
    var bytesPerSecond: Double?

    var fraction: Double? {
      guard let total = progress.total, total > 0 else { return nil }
      return min(1, Double(progress.done) / Double(total))
    }

    var left: Duration? {
      guard let rate = bytesPerSecond, rate > 0, let total = progress.total, total > progress.done else { return nil }
      let seconds = Double(total - progress.done) / rate
      return seconds < 8_640_000 ? .milliseconds(Int64(seconds * 1000)) : nil
    }
  }

  private var latest = Progress(done: 0, total: nil)
  private var marks: [(at: Duration, done: Int64)] = []

  private static let window = Duration.seconds(5)
  private static let interval = Duration.milliseconds(250)
  /// A shorter time says nothing about a pace.
  private static let least = Duration.seconds(1)

  mutating func update(_ progress: Progress, at now: Duration) {
    if marks.isEmpty || progress.done < latest.done || progress.total != latest.total { marks = [(now, progress.done)] }
    latest = progress
    guard let last = marks.last, now - last.at >= Self.interval else { return }
    marks.append((now, progress.done))
    while marks.count > 2, now - marks[1].at > Self.window { marks.removeFirst() }
  }

  func reading(at now: Duration) -> Reading {
    guard let first = marks.first, now - first.at >= Self.least, latest.done > first.done else { return Reading(progress: latest) }
    return Reading(progress: latest, bytesPerSecond: Double(latest.done - first.done) / (now - first.at).inSeconds)
  }
}

extension Words {
  /// `45.0 MiB of 120 MiB, 23.1 MiB/s, 3.2 s left`
  static func progress(_ reading: ProgressMeter.Reading) -> String {
    var text = sizeForPeople(reading.progress.done)
    if let total = reading.progress.total, total > 0 { text += " of \(sizeForPeople(total))" }
    if let rate = reading.bytesPerSecond { text += ", \(sizeForPeople(Int64(rate)))/s" }
    if let left = reading.left { text += ", \(left < .seconds(1) ? "1 s" : left.forPeople) left" }
    return text
  }
}
