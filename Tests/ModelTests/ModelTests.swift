import Model
import Testing

@Suite struct `JSON texts` {
  @Test(arguments: [
    #"{"a":[1,-2.5,true,null,"x\n\"é😀"],"b":{}}"#, "[]", "0", #""""#,
  ])
  func `what is written is what was read`(text: String) throws {
    let value = try JSON(parsing: text)
    #expect(try JSON(parsing: value.text()) == value)
    #expect(try JSON(parsing: value.text(pretty: true)) == value)
  }

  @Test(arguments: ["", "{", "[1,]", "{\"a\"}", "01", "+1", "1.", "nul", "\"\\u12\"", "\"\\ud800\"", "[1] 2", "\"a", "\u{1}", "--1"])
  func `what is not JSON is refused`(text: String) {
    #expect(throws: Failure.self) { try JSON(parsing: text) }
  }

  @Test func `depth is bounded`() {
    #expect(throws: Failure.self) { try JSON(parsing: String(repeating: "[", count: 100_000)) }
  }
}

@Suite struct `Times and sizes` {
  @Test(arguments: [
    (0, "1970-01-01T00:00:00.000Z"), (1_795_230_936_123, "2026-11-21T03:15:36.123Z"), (951_782_400_000, "2000-02-29T00:00:00.000Z"),
    (-1, "1969-12-31T23:59:59.999Z"),
  ])
  func `a moment is written in UTC`(ms: Int64, text: String) {
    #expect(Timestamp(milliseconds: ms).description == text)
  }

  @Test(arguments: [("30m", 1_800_000), ("1h30m", 5_400_000), ("500ms", 500), ("2s", 2000), ("7d", 604_800_000)])
  func `durations are read`(text: String, ms: Int64) {
    #expect(Duration(text: text)?.milliseconds == ms)
  }

  @Test(arguments: ["", "5", "m", "-1s", "1.5s", "1s ", "99999999999999d", "10 m", "٣s"])
  func `what is no duration is refused`(text: String) {
    #expect(Duration(text: text) == nil)
  }

  @Test(arguments: [(0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (1_572_864, "1.50 MiB"), (13_314_398_617, "12.4 GiB")])
  func `sizes have three figures`(bytes: Int64, text: String) {
    #expect(sizeForPeople(bytes) == text)
  }
}

@Suite struct `Run ids` {
  @Test func `they sort by time, also when the clock jumps back`() throws {
    let first = RunID(at: Timestamp(milliseconds: 1_795_230_936_000), salt: 1023, after: nil)
    let second = RunID(at: Timestamp(milliseconds: 1_600_000_000_000), salt: 0, after: first)
    #expect(first < second)
    #expect(first.text.count == 9)
    #expect(RunID(first.text.uppercased()) == first)
    #expect(RunID("not an id") == nil)
  }
}

@Suite struct `States` {
  @Test func `a run that ended does not start again`() {
    for state in RunState.allCases where state.isFinal { #expect(transition(state, .resume) == nil) }
  }

  @Test func `every state can be reached`() {
    var reached: Set<RunState> = [.pending]
    for _ in RunState.allCases {
      for state in reached { for event in RunEvent.allCases { if let next = transition(state, event) { reached.insert(next) } } }
    }
    #expect(reached == Set(RunState.allCases))
    var steps: Set<StepState> = [.pending]
    for _ in StepState.allCases {
      for state in steps { for event in StepEvent.allCases { if let next = transition(state, event) { steps.insert(next) } } }
    }
    #expect(steps == Set(StepState.allCases))
  }
}

@Suite struct `Did you mean` {
  @Test(arguments: [("upgrad", "upgrade"), ("rollbak", "rollback"), ("stauts", "status"), ("xyzzy", nil)])
  func `the nearest name`(word: String, name: String?) {
    #expect(nearest(to: word, among: ["upgrade", "rollback", "status", "resume"]) == name)
  }
}
