internal import Host
internal import Model

/// From moments to places on a line of length 1. A long time in which nothing was done takes a little room only, and says how long it was.
struct TimeScale {
  struct Tick {
    let at: Double
    let label: String
  }
  struct Pause {
    let from: Double
    let to: Double
    let length: Duration
  }

  private struct Stretch {
    let begin: Int64
    let end: Int64
    var from = 0.0
    var to = 0.0
  }

  private var stretches: [Stretch] = []
  private(set) var pauses: [Pause] = []
  private(set) var ticks: [Tick] = []

  static let pauseWidth = 0.05
  private static let mostPauses = 6

  /// `spans`: when something was done, in milliseconds since 1970.
  init(_ spans: [ClosedRange<Int64>]) {
    var merged: [ClosedRange<Int64>] = []
    let sorted = spans.sorted { $0.lowerBound < $1.lowerBound }
    guard let first = sorted.first, let end = sorted.map(\.upperBound).max() else { return }
    // A pause is left out where it would press what was done against the edges.
    let busy = sorted.reduce(Int64(0)) { $0 &+ ($1.upperBound &- $1.lowerBound) }
    var gap = max(60_000, busy / 3)
    repeat {
      merged = [first]
      for span in sorted.dropFirst() {
        let last = merged[merged.count - 1]
        if span.lowerBound - last.upperBound <= gap {
          merged[merged.count - 1] = last.lowerBound...max(last.upperBound, span.upperBound)
        } else {
          merged.append(span)
        }
      }
      gap = gap &* 2
    } while merged.count > Self.mostPauses + 1 && gap < end - first.lowerBound
    lay(merged)
    mark()
  }

  private mutating func lay(_ merged: [ClosedRange<Int64>]) {
    let lengths = merged.map { Double(max(1, $0.upperBound - $0.lowerBound)) }
    let total = lengths.reduce(0, +)
    let room = 1 - Self.pauseWidth * Double(merged.count - 1)
    var at = 0.0
    for (span, length) in zip(merged, lengths) {
      if let last = stretches.last {
        pauses.append(Pause(from: at, to: at + Self.pauseWidth, length: .milliseconds(span.lowerBound - last.end)))
        at += Self.pauseWidth
      }
      let width = room * length / total
      stretches.append(Stretch(begin: span.lowerBound, end: max(span.upperBound, span.lowerBound + 1), from: at, to: min(1, at + width)))
      at += width
    }
  }

  func place(_ time: Int64) -> Double {
    guard let first = stretches.first, let last = stretches.last else { return 0 }
    if time <= first.begin { return 0 }
    var before = first
    for stretch in stretches {
      if time < stretch.begin { return (before.to + stretch.from) / 2 }
      if time <= stretch.end {
        return stretch.from + (stretch.to - stretch.from) * Double(time - stretch.begin) / Double(stretch.end - stretch.begin)
      }
      before = stretch
    }
    return last.to
  }

  var begin: Timestamp { Timestamp(milliseconds: stretches.first?.begin ?? 0) }
  var end: Timestamp { Timestamp(milliseconds: stretches.last?.end ?? 0) }

  private static let steps: [Int64] = [
    100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000,
    10_800_000, 21_600_000, 43_200_000, 86_400_000, 172_800_000, 604_800_000,
  ]
  private static let mostTicks = 7.0

  private mutating func mark() {
    let length = stretches.reduce(0.0) { $0 + Double($1.end - $1.begin) }
    let step = Self.steps.first { length / Double($0) <= Self.mostTicks } ?? Int64(length / Self.mostTicks)
    let isOneDay = localTime(begin, "%Y-%m-%d") == localTime(end, "%Y-%m-%d")
    let clock = step < 60_000 ? "%H:%M:%S" : "%H:%M"
    for stretch in stretches {
      var time = (stretch.begin + step - 1) / step * step
      while time <= stretch.end, ticks.count < 64 {
        let at = place(time)
        let fraction = step < 1000 ? "." + String(time % 1000 / 100) : ""
        // Labels that would run into each other are left out; the line stays.
        let isFree = ticks.last { !$0.label.isEmpty }.map { at - $0.at > 0.09 } ?? true
        let label = localTime(Timestamp(milliseconds: time), isOneDay ? clock : "%m-%d " + clock) + fraction
        ticks.append(Tick(at: at, label: isFree ? label : ""))
        time += step
      }
    }
    if ticks.isEmpty, !stretches.isEmpty { ticks.append(Tick(at: 0, label: localTime(begin, "%H:%M:%S"))) }
  }
}

/// A part of the whole, as an SVG attribute.
func percent(_ fraction: Double) -> String { fixed(min(max(fraction, 0), 1) * 100, 3) + "%" }
