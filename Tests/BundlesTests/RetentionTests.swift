import Model
import Testing

@testable import Bundles

@Suite struct `The retention` {
  /// What bundles there are, by the times at which they were taken, and which of them stay.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let retention: Retention
    /// `!` after a time: not verified. `*`: an unfinished run needs it.
    let bundles: [String]
    let kept: [String: String]

    init(_ name: String, _ last: Int, _ daily: Int, _ weekly: Int, _ monthly: Int, _ bundles: [String], _ kept: [String: String]) {
      testDescription = name
      retention = Retention(last: last, daily: daily, weekly: weekly, monthly: monthly)
      (self.bundles, self.kept) = (bundles, kept)
    }
  }

  static let cases = [
    Case("none", 3, 1, 1, 1, [], [:]),
    Case(
      "the last", 2, 0, 0, 0, ["2026-01-01T01", "2026-01-01T02", "2026-01-01T03"],
      ["2026-01-01T03": "the newest verified one", "2026-01-01T02": "one of the last 2"]),
    Case(
      "all zero", 0, 0, 0, 0, ["2026-01-01T01", "2026-01-02T01", "2026-01-03T01!"], ["2026-01-02T01": "the newest verified one"]),
    Case("all zero, and none verified", 0, 0, 0, 0, ["2026-01-01T01!", "2026-01-02T01!"], [:]),
    Case(
      "a newest one that is not verified counts as a last, and for no day", 1, 2, 0, 0,
      ["2026-01-01T01", "2026-01-02T01", "2026-01-03T01", "2026-01-03T02!"],
      ["2026-01-03T02": "one of the last 1", "2026-01-03T01": "the newest verified one", "2026-01-02T01": "the newest of its day"]),
    Case(
      "needed", 1, 0, 0, 0, ["2025-01-01T01!*", "2025-01-02T01", "2026-01-01T01"],
      ["2025-01-01T01": "needed", "2026-01-01T01": "the newest verified one"]),
    Case(
      "a day ends at midnight UTC, and its newest stands for it", 0, 2, 0, 0,
      ["2026-03-09T00", "2026-03-09T23", "2026-03-10T00", "2026-03-10T01"],
      ["2026-03-10T01": "the newest verified one", "2026-03-09T23": "the newest of its day"]),
    Case(
      "days without a bundle do not count", 0, 3, 0, 0, ["2026-01-05T01", "2026-02-05T01", "2026-03-04T01", "2026-03-05T01"],
      ["2026-03-05T01": "the newest verified one", "2026-03-04T01": "the newest of its day", "2026-02-05T01": "the newest of its day"]),
    // 2026-03-08 is a Sunday.
    Case(
      "a week begins on Monday", 0, 0, 2, 0, ["2026-03-01T23", "2026-03-02T00", "2026-03-08T23", "2026-03-09T00", "2026-03-15T23"],
      ["2026-03-15T23": "the newest verified one", "2026-03-08T23": "the newest of its week"]),
    // The first week of 2026 begins on 2025-12-29.
    Case(
      "a week does not end with the year", 0, 0, 2, 0,
      ["2025-12-28T23", "2025-12-29T00", "2025-12-31T23", "2026-01-01T00", "2026-01-04T23"],
      ["2026-01-04T23": "the newest verified one", "2025-12-28T23": "the newest of its week"]),
    Case(
      "months, short ones and leap years", 0, 0, 0, 3, ["2024-01-31T23", "2024-02-01T00", "2024-02-29T23", "2024-03-01T00"],
      ["2024-03-01T00": "the newest verified one", "2024-02-29T23": "the newest of its month", "2024-01-31T23": "the newest of its month"]),
    Case(
      "the same month of another year is another", 0, 0, 0, 2, ["2025-03-01T00", "2026-03-01T00", "2026-03-02T00"],
      ["2026-03-02T00": "the newest verified one", "2025-03-01T00": "the newest of its month"]),
    Case(
      "all together, each for the first reason", 1, 2, 2, 2,
      ["2026-01-31T01", "2026-02-15T01", "2026-02-22T01", "2026-02-27T01", "2026-02-28T01", "2026-02-28T02"],
      [
        "2026-02-28T02": "the newest verified one", "2026-02-27T01": "the newest of its day", "2026-02-22T01": "the newest of its week",
        "2026-01-31T01": "the newest of its month",
      ]),
    Case(
      "negative numbers keep nothing", -1, -1, -1, -1, ["2026-01-01T01", "2026-01-02T01"], ["2026-01-02T01": "the newest verified one"]),
  ]

  @Test(arguments: cases) func `keeps what its numbers say, and the newest verified one`(row: Case) throws {
    let candidates = try row.bundles.map { text in
      let id = String(text.filter { $0 != "!" && $0 != "*" })
      return Retention.Candidate(
        id: id, created: try #require(Timestamp(isoDate: id + ":30:00Z")), isVerified: !text.contains("!"),
        need: text.contains("*") ? "needed" : nil)
    }
    // The order in which they come does not matter.
    for order in [candidates, candidates.reversed()] {
      let judged = row.retention.judge(order)
      #expect(judged.map(\.id) == candidates.map(\.id).sorted().reversed())
      #expect(Dictionary(uniqueKeysWithValues: judged.compactMap { entry in entry.reason.map { (entry.id, $0) } }) == row.kept)
    }
  }
}
