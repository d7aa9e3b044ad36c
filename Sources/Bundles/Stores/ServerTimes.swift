internal import Model

extension Timestamp {
  /// `Sat, 21 Nov 2026 03:46:27 GMT`, as HTTP writes it.
  init?(httpDate text: String) {
    let parts = text.split(separator: " ")
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    guard parts.count == 6, parts[5] == "GMT", let day = Int64(parts[1]), let month = months.firstIndex(of: String(parts[2])),
      let year = Int64(parts[3])
    else { return nil }
    let clock = parts[4].split(separator: ":").compactMap { Int64($0) }
    guard clock.count == 3 else { return nil }
    self.init(year: year, month: Int64(month + 1), day: day, hour: clock[0], minute: clock[1], second: clock[2])
  }

  /// `2026-11-21T03:46:27.000Z`, as S3 writes it; parts of a second are dropped.
  init?(isoDate text: String) {
    let numbers = text.prefix(19).split { !$0.isASCII || !$0.isNumber }.compactMap { Int64($0) }
    guard numbers.count == 6, text.utf8.count >= 19 else { return nil }
    self.init(year: numbers[0], month: numbers[1], day: numbers[2], hour: numbers[3], minute: numbers[4], second: numbers[5])
  }

  /// UTC. Nil where a field is out of its range. (Howard Hinnant's algorithm.)
  init?(year: Int64, month: Int64, day: Int64, hour: Int64, minute: Int64, second: Int64) {
    guard 1970...9999 ~= year, 1...12 ~= month, 1...31 ~= day, 0...23 ~= hour, 0...59 ~= minute, 0...60 ~= second else { return nil }
    let shifted = month <= 2 ? year - 1 : year
    let era = shifted / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    self.init(milliseconds: (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000)
  }
}
