import Engine
import Host
import Journal
import Model
import Testing

/// `kguard` alone.
@Suite struct `Where things stand` {
  let bench = Bench()
  var root: [String: String] { ["KGUARD_ROOT": bench.path + "/root"] }

  func run(_ playbook: String) throws -> String {
    let done = try bench.kguard("playbook", "run", try bench.write("p.yaml", playbook), environment: root)
    let errors = done.errors
    return try #require(errors.split(separator: "run ").dropFirst().first.map { String($0.prefix { $0 != ":" }) }, "\(errors)")
  }

  init() throws { try Files.makeDirectory(bench.path + "/root/etc/kguard/playbooks") }

  @Test func `on a new machine the way to the first upgrade is told, and later only what is left of it`() throws {
    let new = try bench.kguard(environment: root)
    #expect(
      new.output == """
        No run yet: the journal in \(bench.state) is empty.
        Next:
          kguard key new FILE     to make a key, whose FILE you keep off this node
          edit config.yaml        to say in \(bench.path)/root/etc/kguard/config.yaml where bundles go, and the public half of the key
          kguard check VERSION    to see whether this node could be upgraded
          kguard upgrade VERSION  to upgrade it
          kguard --help           for everything else

        """, "\(new.output)")
    _ = try bench.write("root/etc/kguard/config.yaml", "offsite: []\n")
    let configured = try bench.kguard(environment: root).output
    #expect(!configured.contains("key new") && configured.contains("Next:\n  kguard check VERSION "), "\(configured)")
  }

  @Test func `after a failure it is told again, with what to do`() throws {
    _ = try run("name: bad\nsteps:\n  - {id: a, run: [\"false\"], changes: false}\n")
    let failed = try bench.kguard(environment: root).output
    #expect(failed.contains("error: `false` failed: exit status 1\nhint: ") && failed.contains("  kguard show         to see what it did"))
  }

  @Test func `after a success the report is offered, and the way back where there is one`() throws {
    _ = try bench.write("root/etc/kguard/playbooks/back.yaml", "name: back\nsteps:\n  - {id: a, run: [\"true\"]}\n")
    let playbook = "name: there\nsteps:\n  - {id: a, run: [\"true\"], on-failure: rollback}\n"
    let id = try run(playbook + "rollback: back\n")
    let offered = try bench.kguard(environment: root).output
    #expect(offered.contains("  kguard report -o report.html  for the whole story, as a page\n"), "\(offered)")
    #expect(offered.contains("  kguard rollback \(id)     to take it back\n"), "\(offered)")
    // Of an older one it is not.
    let newer = try run(playbook + "rollback: back\n")
    #expect(try !bench.kguard("status", id, environment: root).output.contains("kguard rollback"))
    #expect(try bench.kguard("status", newer, environment: root).output.contains("kguard rollback \(newer)"))
  }

  @Test func `the newest bundle is named, with its age and what is known of it`() throws {
    let id = try run("name: good\nsteps:\n  - {id: a, run: [\"true\"]}\n")
    #expect(try bench.kguard(environment: root).output.contains("is succeeded, 1 of 1 steps done"))
    #expect(try !bench.kguard(environment: root).output.contains("rollback"))
    let journal = try #require(try RunJournal.open(in: bench.state, .write))
    let claim = try NodeClaim.take(StateDirectory(bench.state), journal, takeOver: false, at: wallClock())
    let taken = Timestamp(milliseconds: wallClock().milliseconds - 3 * 86_400_000)
    let manifest: JSON = ["created": .string(taken.description)]
    try journal.bundleVerified(id, run: RunID(id), directory: bench.state + "/bundles/\(id)", manifest: manifest, at: wallClock())
    _ = consume claim
    let text = try bench.kguard(environment: root).output
    #expect(text.contains("The newest bundle, \(id), is 3 d old: verified, not drilled, not off-site.\n"), "\(text)")
    let json = try JSON(parsing: try bench.kguard("-o", "json", environment: root).output)
    #expect(json.at("bundle", "bundle") == .string(id) && json.at("run", "state") == "succeeded" && json["configured"] == false)
    #expect(json["next"]?.array?.first?["command"] == "kguard show")
  }
}
