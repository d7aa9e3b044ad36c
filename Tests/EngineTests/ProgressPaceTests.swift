import Model
import Testing

@testable import Engine

@Suite struct `The pace of progress` {
  @Test func `is passed on twenty times a second, and at the end`() {
    let pace = ProgressPace()
    func isDue(_ done: Int64, _ milliseconds: Int64) -> Bool {
      pace.isDue(Progress(done: done, total: 100), at: .milliseconds(milliseconds))
    }
    #expect(isDue(0, 1000))
    #expect(!isDue(1, 1049))
    #expect(isDue(2, 1050))
    #expect(isDue(100, 1051))
    #expect(!isDue(1, 1060))
    #expect(pace.isDue(Progress(done: 5, total: nil), at: .milliseconds(1200)))
  }
}
