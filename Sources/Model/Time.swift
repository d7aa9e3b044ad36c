/// A moment of the wall clock, in milliseconds since 1970 UTC: for people and records, never for measuring.
public struct Timestamp: Sendable, Hashable, Comparable {
  public var milliseconds: Int64

  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  public static func < (a: Self, b: Self) -> Bool { a.milliseconds < b.milliseconds }
  public static func - (a: Self, b: Self) -> Duration { .milliseconds(a.milliseconds - b.milliseconds) }
  public static func + (a: Self, b: Duration) -> Self { Self(milliseconds: a.milliseconds + b.milliseconds) }
}

extension Timestamp: CustomStringConvertible {
  /// RFC 3339 in UTC with milliseconds.
  public var description: String {
    let (day, time) = milliseconds.quotientAndRemainderFloored(by: 86_400_000)
    let (year, month, dayOfMonth) = Self.civil(fromDays: day)
    let seconds = time / 1000
    return "\(pad(year, 4))-\(pad(month, 2))-\(pad(dayOfMonth, 2))T\(pad(seconds / 3600, 2)):\(pad(seconds / 60 % 60, 2)):"
      + "\(pad(seconds % 60, 2)).\(pad(time % 1000, 3))Z"
  }

  /// Days since 1970 to a date of the proleptic Gregorian calendar (Howard Hinnant's algorithm).
  private static func civil(fromDays days: Int64) -> (Int64, Int64, Int64) {
    let shifted = days + 719_468
    let (era, dayOfEra) = shifted.quotientAndRemainderFloored(by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }
}

extension Int64 {
  fileprivate func quotientAndRemainderFloored(by divisor: Int64) -> (Int64, Int64) {
    let (q, r) = quotientAndRemainder(dividingBy: divisor)
    return r < 0 ? (q - 1, r + divisor) : (q, r)
  }
}

/// A number in decimal, with zeros in front up to a width.
public func pad(_ number: some BinaryInteger, _ width: Int) -> String {
  let digits = String(number)
  return String(repeating: "0", count: max(0, width - digits.count)) + digits
}

extension Duration {
  public var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    let (ms, overflow) = seconds.multipliedReportingOverflow(by: 1000)
    return overflow ? (seconds < 0 ? .min : .max) : ms + attoseconds / 1_000_000_000_000_000
  }

  public var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) / 1e18
  }

  /// Reads `500ms`, `2s`, `30m`, `1h30m`, `7d`. Nil where the text is anything else, or over ten years.
  public init?(text: String) {
    let units: [(String, Int64)] = [("ms", 1), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)]
    var rest = Substring(text)
    var total: Int64 = 0
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      guard digits.count <= 12, let number = Int64(digits) else { return nil }
      rest = rest.dropFirst(digits.count)
      guard let (unit, scale) = units.first(where: { rest.hasPrefix($0.0) }) else { return nil }
      rest = rest.dropFirst(unit.count)
      let (part, overflow) = number.multipliedReportingOverflow(by: scale)
      total += part
      guard !overflow, total <= 315_360_000_000 else { return nil }
    }
    self = .milliseconds(total)
  }

  /// For people: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
  public var forPeople: String {
    let ms = Swift.max(0, milliseconds)
    let s = ms / 1000
    switch ms {
    case ..<1000: return "\(ms) ms"
    case ..<10_000: return "\(s).\(ms % 1000 / 100) s"
    case ..<60_000: return "\(s) s"
    case ..<3_600_000: return s % 60 == 0 ? "\(s / 60) min" : "\(s / 60) min \(s % 60) s"
    case ..<86_400_000: return s / 60 % 60 == 0 ? "\(s / 3600) h" : "\(s / 3600) h \(s / 60 % 60) min"
    default: return s / 3600 % 24 == 0 ? "\(s / 86_400) d" : "\(s / 86_400) d \(s / 3600 % 24) h"
    }
  }

  /// For files: the shortest text that `init(text:)` reads back.
  public var forFiles: String {
    let ms = milliseconds
    for (unit, scale) in [("d", Int64(86_400_000)), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] where ms != 0 && ms % scale == 0 {
      return "\(ms / scale)\(unit)"
    }
    return ms == 0 ? "0s" : "\(ms)ms"
  }
}

/// Bytes in binary units, three figures: `512 B`, `1.50 MiB`, `12.4 GiB`.
public func sizeForPeople(_ bytes: Int64) -> String {
  var value = Double(bytes)
  for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
    if value < 1023.5 || unit == "TiB" {
      if unit == "B" { return "\(bytes) B" }
      let decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
      return "\(fixed(value, decimals)) \(unit)"
    }
    value /= 1024
  }
  return "\(bytes) B"
}

/// A number with a fixed count of decimals (0 to 3).
public func fixed(_ value: Double, _ decimals: Int) -> String {
  let scale: Int64 = [1, 10, 100, 1000][min(max(decimals, 0), 3)]
  guard value.isFinite, abs(value) < 1e15 else { return String(value) }
  let scaled = Int64((abs(value) * Double(scale)).rounded())
  let sign = value < 0 && scaled != 0 ? "-" : ""
  return sign + (decimals <= 0 ? String(scaled) : "\(scaled / scale).\(pad(scaled % scale, decimals))")
}
