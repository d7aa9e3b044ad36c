import Model
import Testing

/// `kguard logs` of steps that printed nothing.
@Suite struct `Logs of nothing` {
  @Test func `say why there is nothing`() throws {
    let bench = Bench()
    let file = try bench.write(
      "p.yaml",
      """
      name: p
      steps:
        - {id: quiet, run: ["true"], changes: false}
        - {id: not, run: ["true"], when: "false"}
        - {id: loud, run: [sh, -c, "echo x; exit 1"], changes: false}
        - {id: later, run: ["true"]}

      """)
    #expect(try bench.kguard("playbook", "run", file).exit == 1)
    for (step, says) in [
      ("quiet", "The command of the step quiet printed nothing.\n"), ("not", "The step not was skipped.\n"),
      ("later", "The step later has not begun.\n"),
    ] {
      let seen = try bench.kguard("logs", "last", step)
      #expect(seen.exit == 0 && seen.output == "" && seen.errors == says, "\(seen.errors)")
    }
    #expect(try bench.kguard("logs", "last", "loud").errors == "")
    #expect(try bench.kguard("logs").errors == "")
    // An action of kguard's own, without a command.
    let own = try bench.write("own.yaml", "name: own\nsteps:\n  - {id: copy, action: bundle/copy, with: {bundle: /nowhere}}\n")
    try bench.kguard("playbook", "run", own)
    let id = try #require(bench.status()["run"]?.string)
    #expect(try bench.kguard("logs", "last", "copy").errors == "The step copy ran no command; `kguard show \(id)` tells what it did.\n")
    #expect(try bench.kguard("logs").errors == "No step of run \(id) ran a command.\n")
  }
}
