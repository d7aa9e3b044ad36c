import Model
import Playbooks
import Testing
import YAML

let scope = Scope(
  inputs: ["version": "v1.34.1", "empty": "", "evil": "a b; $(rm -rf /) \"'`\n${run.id} *", "no": "no"],
  run: ["id": "0c4z7qk2m", "attempt": "2"],
  config: ["health": ["soak": "1m"], "values": ["velero": true, "count": 3, "list": ["a", "b"], "off": false, "none": nil]],
  steps: ["snapshot": ["revision": 4211, "members": [["name": "m0"], ["name": "m1"]], "share": .double(0.5)], "bad": ["text": "a\0b"]])

@Suite struct `Templates` {
  @Test(arguments: [
    ("", ""),
    ("plain", "plain"),
    ("pre-${run.id}-${run.attempt}", "pre-0c4z7qk2m-2"),
    ("${ inputs.version }", "v1.34.1"),
    ("${inputs.empty}", ""),
    ("$${run.id}", "${run.id}"),
    ("$$${run.id}", "$${run.id}"),
    ("$", "$"),
    ("$$", "$$"),
    ("cost: 5$ {x}", "cost: 5$ {x}"),
    ("${config.health.soak}", "1m"),
    ("${config.values.velero} ${config.values.count}", "true 3"),
    ("${config.values.list}", "[\"a\",\"b\"]"),
    ("${steps.snapshot.revision}/${steps.snapshot.members.1.name}", "4211/m1"),
    ("${steps.snapshot.members.0}", "{\"name\":\"m0\"}"),
  ])
  func `references are filled in`(text: String, result: String) throws {
    #expect(try Template(parsing: text).resolved(scope) == result)
  }

  @Test(arguments: [
    ("${inputs.other}", "cannot fill in ${inputs.other}: it has no value"),
    ("${config.values.none}", "cannot fill in ${config.values.none}: it has no value"),
    ("${steps.copy.url}", "cannot fill in ${steps.copy.url}: the step `copy` left no such evidence, or was skipped"),
    (
      "${steps.snapshot.members.7.name}",
      "cannot fill in ${steps.snapshot.members.7.name}: the step `snapshot` left no such evidence, or was skipped"
    ),
    ("${steps.bad.text}", "cannot fill in ${steps.bad.text}: the value holds a NUL character"),
  ])
  func `what has no value is a failure`(text: String, message: String) throws {
    let template = try Template(parsing: text)
    do throws(Failure) {
      _ = try template.resolved(scope)
      Issue.record("it resolved")
    } catch {
      #expect(error.description == message)
    }
  }

  @Test(arguments: ["${", "${}", "${x}", "${run}", "a ${run.id", "${HOME:-x}", "${run..id}", "${run.id.}"])
  func `what is no reference is refused`(text: String) {
    #expect(throws: Failure.self) { try Template(parsing: text) }
  }

  @Test func `a value is never split, expanded or looked at again`() throws {
    let playbook = try Playbook.load(
      text: """
        name: p
        inputs: {evil: }
        steps:
          - id: a
            run: [echo, "${inputs.evil}", "x=${inputs.evil}"]
            env: {EVIL: "${inputs.evil}"}
          - id: b
            shell: echo "$EVIL" '$${inputs}' $(date)
            env: {EVIL: "${inputs.evil}"}
        """, file: "p.yaml", catalogue: catalogue)
    guard case .run(let argv) = playbook.steps[0].work, case .shell(let script) = playbook.steps[1].work else {
      Issue.record("not what was written")
      return
    }
    let evil = "a b; $(rm -rf /) \"'`\n${run.id} *"
    #expect(try argv.map { try $0.resolved(scope) } == ["echo", evil, "x=" + evil])
    #expect(try playbook.steps[0].environment.map { try $0.value.resolved(scope) } == [evil])
    #expect(script == "echo \"$EVIL\" '$${inputs}' $(date)")
  }

  @Test(arguments: ["", "a", "${run.id}", "$${x", "a$${b}${run.id}$c", "$$${q}", "$$${run.id}"])
  func `the source reads back as the same template`(text: String) throws {
    let template = try Template(parsing: text)
    let again = try Template(parsing: template.source)
    #expect(again.source == template.source)
    #expect(again.literal == template.literal)
    #expect(again.references.map(\.path) == template.references.map(\.path))
  }

  @Test func `a reference knows where it stands`() throws {
    let playbook = try Playbook.load(
      text:
        "name: p\nsteps:\n  - id: a\n    run:\n      - echo\n      - \"é ${run.id}\"\n      - >-\n        folded\n        ${run.step}\n",
      file: "p.yaml", catalogue: catalogue)
    guard case .run(let argv) = playbook.steps[0].work else { return }
    #expect(
      argv.flatMap(\.references).map { "\($0.text) \($0.position.line):\($0.position.column)" } == ["${run.id} 6:12", "${run.step} 7:9"])
  }
}

@Suite struct `Conditions` {
  @Test(arguments: [
    ("true", true), ("false", false), ("not true", false), ("!false", true),
    ("${inputs.version}", true), ("${inputs.empty}", false), ("${inputs.no}", false), ("${inputs.missing}", false),
    ("${config.values.velero}", true), ("${config.values.off}", false), ("${config.values.none}", false),
    ("${config.values.count}", true), ("${config.values.list}", true), ("${steps.skipped.x}", false),
    ("!${inputs.empty}", true), ("not ${inputs.empty}", true), ("!!${inputs.version}", true), ("not not ${inputs.version}", true),
    ("${run.attempt} == 2", true), ("${run.attempt} == \"2\"", true), ("'3' == ${run.attempt}", false), ("${run.attempt} != 3", true),
    ("${inputs.missing} == ''", true), ("${config.values.velero} == true", true), ("${config.values.none} != x", true),
    ("${steps.snapshot.share} == 0.5", true), ("${inputs.version} == v1.34.1", true), ("${inputs.version}==v1.34.1", true),
    ("not ${run.attempt} == 2", false),
    ("${inputs.version} and ${inputs.empty}", false), ("${inputs.version} or ${inputs.empty}", true),
    ("${inputs.version} or ${inputs.version} and ${inputs.empty}", true),
    ("${inputs.empty} and ${inputs.empty} or ${inputs.version}", true),
    ("not ${inputs.empty} and ${inputs.version}", true), ("not ${inputs.version} or ${inputs.version}", true),
    ("!${inputs.empty} and ${run.attempt} != 1 and ${run.attempt} != 3", true),
    ("${inputs.version}\n  and\n  ${run.id}", true), ("${run.id} == ${run.id}", true), ("${run.id} == ${run.attempt}", false),
    ("${inputs.empty} and ${config.values.list} == x", false),
  ])
  func `a condition holds or does not`(text: String, holds: Bool) throws {
    #expect(try Condition(parsing: text).holds(scope) == holds)
  }

  @Test(arguments: [
    "", " ", "and", "not", "!", "==", "${run.id} and", "${run.id} or or ${run.id}", "x", "1", "\"true\" == 'x'", "${run.id} == ==",
    "${run.id} & ${run.id}", "${nope.x}", "${run.id", "'", String(repeating: "!", count: 999) + "!!", "${run.id} == x == y",
  ])
  func `anything else is refused`(text: String) {
    #expect(throws: Failure.self) { try Condition(parsing: text) }
  }

  @Test func `a list is not compared with a text`() throws {
    let condition = try Condition(parsing: "${config.values.list} == a")
    #expect(throws: Failure.self) { try condition.holds(scope) }
  }
}

@Suite struct `Conditions before a run` {
  @Test(
    arguments: [
      ("${inputs.no}", false), ("${inputs.version}", true), ("${steps.later.etcd}", nil), ("${steps.snapshot.revision}", true),
      ("not ${steps.later.etcd}", nil), ("not ${inputs.no}", true), ("${steps.later.a} and ${inputs.no}", false),
      ("${inputs.no} and ${steps.later.a}", false), ("${steps.later.a} and ${inputs.version}", nil),
      ("${steps.later.a} or ${inputs.version}", true), ("${steps.later.a} or ${inputs.no}", nil),
      ("${steps.later.a} == \"1\"", nil), ("${steps.snapshot.revision} == \"4211\"", true),
    ] as [(String, Bool?)])
  func `only what is known decides`(text: String, answer: Bool?) throws {
    #expect(try Condition(parsing: text).foreseen(scope, known: ["snapshot"]) == answer)
  }

  @Test func `a template shows values that are known, and none of the configuration`() throws {
    func shown(_ text: String) throws -> String { try Template(parsing: text).foreseen(scope, known: ["snapshot"]) }
    #expect(try shown("${inputs.version} ${steps.snapshot.revision}") == "v1.34.1 4211")
    #expect(try shown("${steps.later.a}") == "${steps.later.a}")
    #expect(try shown("a ${config.health.soak}") == "a ${config.health.soak}")
  }
}
