import Glibc
import Host
import Model
import Testing

@Suite struct `A run that is given up` {
  @Test func `makes room for the next one, and what it left behind is waited for`() throws {
    let bench = Bench()
    let playbook = try bench.write(
      "p.yaml",
      """
      name: p
      steps:
        - id: long
          run: ["sh", "-c", "touch begun; until test -e go; do sleep 0.05; done; touch done"]

      """)
    let pid = try bench.start("playbook", "run", playbook)
    try bench.wait("the command") { try Files.exists(bench.path + "/begun") }
    kill(pid, SIGKILL)
    var status: Int32 = 0
    waitpid(pid, &status, 0)
    let refused = try bench.kguard("playbook", "run", playbook)
    #expect(refused.exit == 6)
    #expect(refused.errors.contains("`kguard abandon` gives it up"), "\(refused.errors)")
    // Nobody can be asked here.
    #expect(try bench.kguard("abandon").exit == 2)
    _ = try bench.write("go", "")
    let given = try bench.kguard("abandon", "--yes")
    #expect(given.exit == 0, "\(given.errors)")
    #expect(given.errors.contains("is given up"))
    #expect(try Files.exists(bench.path + "/done"), "the command was not waited for")
    #expect(try bench.status()["state"] == "failed")
    #expect(try bench.kguard("abandon", "--yes").exit == 2)
    #expect(try bench.kguard("playbook", "run", playbook).exit == 0)
  }

  @Test func `killed before it is written down, it is given up by the next try`() throws {
    let bench = Bench()
    let playbook = try bench.write("p.yaml", "name: p\nsteps:\n  - {id: quick, run: [\"true\"], changes: false}\n")
    #expect(try bench.kguard("playbook", "run", playbook, environment: ["KGUARD_FAILPOINT": "quick/start.after=crash"]).wasKilled)
    #expect(try bench.kguard("abandon", "--yes", environment: ["KGUARD_FAILPOINT": "run/end.before=crash"]).wasKilled)
    #expect(try bench.status()["state"] == "running")
    let given = try bench.kguard("abandon", "--yes")
    #expect(given.exit == 0, "\(given.errors)")
    #expect(try bench.status()["state"] == "failed")
    #expect(try bench.kguard("playbook", "run", playbook).exit == 0)
  }
}
