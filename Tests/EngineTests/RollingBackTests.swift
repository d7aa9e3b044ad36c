import Engine
import Glibc
import Host
import Journal
import Model
import Testing

@Suite struct `Rolling back` {
  static let back = """
    name: back
    inputs:
      mode: {default: auto}
    steps:
      - {id: look, action: test/look, with: {mode: "${inputs.mode}"}}
      - {id: halt, action: test/halt}
      - {id: restore, action: test/touch, with: {name: restored}}
      - {id: end, action: test/halt}

    """

  static let forth = """
    name: forth
    steps:
      - {id: change, action: test/touch, with: {name: changed}, on-failure: rollback}
      - {id: halt, action: test/halt}
    rollback: back

    """

  static func mode(_ bench: EngineBench, _ rollback: RunID) throws -> String? { try bench.record(rollback).inputs["mode"] }

  @Test func `with other inputs takes the place of one that has touched nothing yet`() throws {
    let bench = try EngineBench(library: ["back": Self.back])
    let run = try bench.run(Self.forth)
    #expect(run.exit == .interrupted)
    let first = try bench.next().rollBack(run.run)
    #expect(first.exit == .interrupted && first.state == .rollingBack)
    let underWay = try #require(try bench.rollbacks(run.run).last)
    #expect(try bench.states(underWay) == ["look succeeded", "halt started", "restore pending", "end pending"])

    // What no rollback could begin with ends none.
    #expect(throws: Failure.self) { try bench.next().rollBack(run.run, ["mood": "never"]) }
    // The same again is gone on with; another is begun.
    #expect(try bench.next().rollBack(run.run, ["mode": "auto"]).exit == .interrupted)
    #expect(try bench.rollbacks(run.run).count == 1)
    try bench.write("go")
    let second = try bench.next().rollBack(run.run, ["mode": "never"])
    #expect(second.exit == .done && second.state == .rolledBack, "\(String(describing: second.failure))")
    let rollbacks = try bench.rollbacks(run.run)
    #expect(try rollbacks.map { try Self.mode(bench, $0) } == ["auto", "never"])
    #expect(try bench.record(rollbacks[0]).state == .failed)
    #expect(try bench.states(rollbacks[0]) == ["look succeeded", "halt failed", "restore pending", "end pending"])
  }

  @Test func `with other inputs is refused once the rollback has changed something`() throws {
    let bench = try EngineBench(library: ["back": Self.back.replacing("  - {id: halt, action: test/halt}\n", with: "")])
    let run = try bench.run(Self.forth)
    #expect(try bench.next().rollBack(run.run).exit == .interrupted)
    let failure = #expect(throws: Failure.self) { try bench.next().rollBack(run.run, ["mode": "never"]) }
    #expect(failure?.exit == .usage)
    #expect(failure?.why.contains("was begun with other inputs") == true)
    #expect(try bench.rollbacks(run.run).count == 1)
    try bench.write("go")
    #expect(try bench.next().resume(run.run).exit == .done)
  }

  @Test func `an old run is refused while another one is unfinished`() throws {
    let bench = try EngineBench(library: ["back": Self.back])
    try bench.write("go")
    let old = try bench.run(Self.forth)
    #expect(old.exit == .done)
    bench.remove("go")
    let new = try bench.next().run(Self.forth)
    #expect(new.exit == .interrupted)
    let failure = #expect(throws: Failure.self) { try bench.next().rollBack(old.run) }
    #expect(failure?.exit == .held)
    #expect(failure?.why.contains(new.run.text) == true)
    #expect(try bench.record(old.run).state == .succeeded)
  }

  @Test func `goes by the playbook that was there when the run began`() throws {
    let bench = try EngineBench(library: ["back": Self.back])
    try bench.write("go")
    try bench.write("changed.refused")
    let missing = try EngineBench(in: bench.path)
    #expect(throws: Failure.self) { try missing.run(Self.forth) }

    // Edited between the start and the failure.
    let runner = try bench.runner(try bench.journal())
    let id = try runner.create(try bench.playbook(Self.forth), inputs: [:], config: ["here": .string(bench.path)])
    bench.library["back"] = "name: back\nsteps: nonsense\n"
    let result = try runner.execute(id)
    #expect(result.exit == .rolledBack, "\(String(describing: result.failure))")
    #expect(try bench.record(id).rollbackText == Self.back)
  }

  @Test func `ends well where a person asked for it, whatever had stopped the run`() throws {
    let bench = try EngineBench(library: ["back": Self.back])
    let interrupted = try bench.run(Self.forth)
    #expect(try bench.record(interrupted.run).error?.exit == .interrupted)
    try bench.write("go")
    let asked = try bench.next().rollBack(interrupted.run)
    #expect(asked.exit == .done && asked.failure == nil)
    #expect(try bench.record(interrupted.run).error == nil)

    // By itself after a failure, and gone on with by `resume`: the run has failed, and says of what.
    try bench.write("changed.refused")
    for name in ["changed", "restored", "go"] { bench.remove(name) }
    let failed = try bench.next().run(Self.forth)
    #expect(failed.exit == .interrupted && failed.state == .rollingBack)
    try bench.write("go")
    let resumed = try bench.next().resume(failed.run)
    #expect(resumed.exit == .rolledBack && resumed.failure?.what == "refused")
    #expect(try bench.record(failed.run).error?.what == "refused")
  }

  @Test func `that failed keeps the cause of the run`() throws {
    let bench = try EngineBench(library: ["back": Self.back])
    for name in ["changed.refused", "restored.refused", "go"] { try bench.write(name) }
    let run = try bench.run(Self.forth)
    #expect(run.exit == .needsOperator && run.state == .needsOperator)
    bench.remove("restored.refused")
    let again = try bench.next().resume(run.run)
    #expect(again.exit == .rolledBack && again.state == .rolledBack)
    #expect(again.failure?.next == "mend it", "\(String(describing: again.failure))")
    #expect(try bench.record(run.run).error?.next == "mend it")
  }

  @Test func `of a run on which a later one lies is refused until that one is rolled back`() throws {
    let bench = try EngineBench(library: ["back": Self.back])
    try bench.write("go")
    let (old, new) = (try bench.run(Self.forth).run, try bench.next().run(Self.forth.replacing("changed", with: "changed-more")).run)
    let failure = #expect(throws: Failure.self) { try bench.next().rollBack(old) }
    #expect(failure?.exit == .usage && failure?.why == "run \(new) (forth) has changed the cluster since")
    #expect(failure?.next == "roll that one back first: `kguard rollback \(new)`")
    #expect(try bench.rollbacks(old).isEmpty && bench.record(old).state == .succeeded)

    #expect(try bench.next().rollBack(new).state == .rolledBack)
    // One that was refused before it changed anything is not in the way, nor one without a way back.
    let looks = "name: looks\nsteps:\n  - {id: look, action: test/look, on-failure: rollback}\n"
    #expect(try bench.next().run(looks + "rollback: back\n").exit == .done)
    #expect(try bench.next().run("name: own\nsteps:\n  - {id: own, action: test/touch, with: {name: mine}}\n").exit == .done)
    bench.remove("restored")
    #expect(try bench.next().rollBack(old).state == .rolledBack)
  }

  @Test func `that finds nothing to put back leaves the end of the run where it was`() throws {
    let bench = try EngineBench(library: ["back": "name: back\nsteps:\n  - {id: look, action: test/look}\n"])
    let fails = "name: forth\nsteps:\n  - {id: fails, run: [\"false\"], changes: false}\n"
    let run = try bench.run(fails + "  - {id: look, action: test/look, on-failure: rollback}\nrollback: back\n").run
    let ended = try bench.record(run).ended
    usleep(20_000)
    let result = try bench.next().rollBack(run)
    #expect(result.exit == .done && result.state == .failed)
    #expect(try ended != nil && bench.record(run).ended == ended)
  }

  @Test func `that finds nothing to put back does not make a run that had succeeded one that failed`() throws {
    let bench = try EngineBench(library: ["back": "name: back\nsteps:\n  - {id: look, action: test/look}\n"])
    let run = try bench.run("name: forth\nsteps:\n  - {id: look, action: test/look, on-failure: rollback}\nrollback: back\n").run
    let result = try bench.next().rollBack(run)
    #expect(result.exit == .done && result.state == .rolledBack && result.failure == nil)
    #expect(try bench.record(run).error == nil)
  }
}
