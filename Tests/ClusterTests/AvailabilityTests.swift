import Model
import Testing

@testable import Cluster

@Suite struct `The record of availability` {
  func record(_ lines: String, written: Int64 = 0) -> AvailabilityRecord {
    AvailabilityRecord(lines, lastWritten: Timestamp(milliseconds: written))
  }

  func spans(_ record: AvailabilityRecord) -> [String] {
    record.spans.map { "\($0.from.milliseconds)-\($0.to.milliseconds) \($0.answer.rawValue)" }
  }

  @Test func `is by the clock on the wall, and joins samples that say the same`() {
    let record = record("boot a\nwall 100 50100\n1000 up\n2000 up\n3000 down\n4000 down\n5000 up\n")
    #expect(spans(record) == ["51000-53000 up", "53000-55000 down", "55000-55000 up"])
    #expect(record.outage == .seconds(2))
    #expect(record.samples == 5)
  }

  @Test func `of an older kguard ends when its file was written last`() {
    #expect(spans(record("boot a\n1000 up\n3000 down\n", written: 9000)) == ["7000-9000 up", "9000-9000 down"])
  }

  @Test func `does not call a time in which nobody looked an outage, nor a reboot`() {
    let record = record("boot a\nwall 0 0\n1000 down\n30000 up\nboot b\nwall 0 100000\n500 up\n1500 up\n")
    #expect(spans(record) == ["1000-30000 unobserved", "30000-30000 up", "30000-100500 unobserved", "100500-101500 up"])
    #expect(record.outage == .zero)
  }

  @Test(arguments: [
    "", "boot", "wall x y", "1000", "9223372036854775807 up\n-9223372036854775808 down\n",
    "wall 9223372036854775807 -9223372036854775808\n5 up",
    "boot a\nwall -1 9223372036854775807\n1 up\n9223372036854775807 down\n", "5 up\n4 down\n", "\u{0}\n1 sideways\n",
  ])
  func `survives what nobody wrote`(text: String) {
    _ = record(text, written: 1).outage
  }

  @Test func `is bounded, and says what it left out`() {
    let lines = (0..<10_000).map { "\($0 * 1000) \($0 % 2 == 0 ? "up" : "down")" }.joined(separator: "\n")
    let record = record("boot a\nwall 0 0\n" + lines)
    #expect(record.spans.count == AvailabilityRecord.mostSpans)
    #expect(record.leftOut == 8000)
  }
}
