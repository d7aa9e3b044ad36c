import Engine
import Glibc
import Host
import Journal
import Model
import Testing

/// Failures of kguard's own means: they never pass for "nothing was changed", and never undo what is proven.
@Suite struct `Failures of the engine` {
  @Test func `without room for its outcome a step fails before its effect, and its rollback is begun all the same`() throws {
    let bench = try EngineBench(library: [
      "back": "name: back\nsteps:\n  - {id: restore, action: test/touch, with: {name: restored}}\n"
    ])
    let result = try bench.run(
      """
      name: forth
      steps:
        - {id: change, action: test/touch, with: {name: changed}}
        - {id: spoil, action: test/spoil}
        - {id: more, action: test/touch, with: {name: more}, on-failure: rollback}
      rollback: back

      """)
    #expect(result.exit == .rolledBack && result.state == .rolledBack, "\(String(describing: result.failure))")
    #expect(result.failure?.what.contains("cannot") == true)
    #expect(try bench.states(result.run) == ["change succeeded", "spoil succeeded", "more failed"])
    #expect(try bench.touched("more") == 0)
    #expect(try bench.touched("restored") == 1)
  }

  @Test func `a condition that cannot be answered fails its step, and on-failure decides`() throws {
    let bench = try EngineBench()
    let result = try bench.run(
      """
      name: forth
      steps:
        - {id: look, action: test/look}
        - {id: odd, action: test/touch, with: {name: odd}, when: "${steps.look.list} == a", retries: 3, on-failure: continue}
        - {id: last, action: test/touch, with: {name: last}}

      """)
    #expect(result.exit == .done, "\(String(describing: result.failure))")
    #expect(try bench.states(result.run) == ["look succeeded", "odd failed", "last succeeded"])
    #expect(try bench.touched("odd") == 0)
  }

  @Test func `what is proven and cannot be written down has not failed`() throws {
    let bench = try EngineBench(library: [
      "back": "name: back\nsteps:\n  - {id: restore, action: test/touch, with: {name: restored}}\n"
    ])
    try bench.write("changed.unrecorded")
    let result = try bench.run(
      """
      name: forth
      steps:
        - {id: change, action: test/touch, with: {name: changed}, on-failure: rollback}
        - {id: last, action: test/touch, with: {name: last}}
      rollback: back

      """)
    #expect(result.exit == .needsOperator && result.state == .interrupted, "\(result)")
    #expect(result.failure?.next.contains("kguard resume \(result.run)") == true)
    #expect(try bench.states(result.run) == ["change started", "last pending"])
    #expect(try bench.rollbacks(result.run).isEmpty)
    try bench.sqlite("DROP TRIGGER refuses")
    bench.remove("changed.unrecorded")
    let resumed = try bench.next().resume(result.run)
    #expect(resumed.exit == .done, "\(String(describing: resumed.failure))")
    #expect(try bench.touched("changed") == 1)
  }

  @Test func `an escaped failure is an interruption where nothing was touched, and needs an operator where something was`() throws {
    for (first, exit) in [
      ("{id: first, action: test/look}", ExitStatus.interrupted), ("{id: first, action: test/touch, with: {name: first}}", .needsOperator),
    ] {
      let bench = try EngineBench()
      let journal = try bench.journal()
      try bench.sqlite(
        "CREATE TRIGGER refuses BEFORE INSERT ON attempts WHEN new.position = 1 BEGIN SELECT raise(ABORT, 'a test says so'); END")
      let runner = try bench.runner(journal)
      let playbook = try bench.playbook("name: forth\nsteps:\n  - \(first)\n  - {id: second, action: test/look}\n")
      let result = try runner.execute(try runner.create(playbook, inputs: [:], config: ["here": .string(bench.path)]))
      #expect(result.exit == exit && result.state == .interrupted)
      try bench.sqlite("DROP TRIGGER refuses")
      #expect(try bench.resume(result.run).exit == .done)
    }
  }
}

@Suite struct `A run that goes on` {
  static let text = """
    name: forth
    steps:
      - {id: change, action: test/touch, with: {name: changed}}
      - {id: halt, action: test/halt}

    """

  @Test func `has nothing more to say of its interruption`() throws {
    let bench = try EngineBench()
    let run = try bench.run(Self.text)
    #expect(try bench.record(run.run).error?.exit == .interrupted)
    try bench.write("go")
    #expect(try bench.next().resume(run.run).exit == .done)
    #expect(try bench.record(run.run).error == nil)
  }

  @Test func `belongs to the kguard that tries its failed step again`() throws {
    let bench = try EngineBench()
    try bench.write("more.refused")
    let run = try bench.run(
      Self.text.replacing("{id: halt, action: test/halt}", with: "{id: more, action: test/touch, with: {name: more}}"))
    #expect(run.state == .needsOperator)
    #expect(try bench.record(run.run).error != nil)
    let journal = try bench.next().journal()
    #expect(try journal.owner().run == nil)
    try journal.record(run.run, .retry, at: wallClock())
    #expect(try journal.owner().run == run.run)
    #expect(try bench.record(run.run).error == nil)
  }
}

extension String {
  func replacing(_ part: String, with other: String) -> String {
    guard let range = firstRange(of: part) else { return self }
    return self[..<range.lowerBound] + other + self[range.upperBound...]
  }
}
