import Glibc
import Host
import Model
import Testing

/// Backups that a timer starts: nobody is there to type `resume`.
@Suite struct `Backups by themselves` {
  func history(_ node: SandboxNode, _ state: String) throws -> [String] {
    try node.kguard(["history", "-o", "json"], state: state).output.split(separator: "\n").map {
      let run = try JSON(parsing: String($0))
      return "\(run["playbook"]?.string ?? "") \(run["state"]?.string ?? "")"
    }
  }

  @Test func `finish what was interrupted, take a new bundle where that is old, and leave everything else to a person`() throws {
    let node = try SandboxNode("--seed-objects", "5")
    defer { node.down() }
    _ = try node.configureOffsite()
    let state = node.bench.path + "/state"
    let crash = ["KGUARD_FAILPOINT": "copy/effect.before=crash"]
    #expect(try node.kguard(["backup", "--resume"], state: state, environment: crash).wasKilled)
    // Without the option it is as for a person.
    #expect(try node.kguard(["backup"], state: state).exit == 6)
    #expect(try node.kguard(["backup", "--resume"], state: state).exit == 0)
    #expect(try history(node, state) == ["backup succeeded"])

    #expect(try node.kguard(["backup", "--resume"], state: state, environment: crash).wasKilled)
    let later = ["KGUARD_TEST_CLOCK_OFFSET": "7200"]
    let next = try node.kguard(["backup", "--resume"], state: state, environment: later)
    #expect(next.exit == 0, "\(next.errors)")
    #expect(try history(node, state) == ["backup succeeded", "backup succeeded", "backup succeeded"])

    // A drill finishes an interrupted backup too, and then does its own work.
    #expect(try node.kguard(["backup", "--resume"], state: state, environment: crash).wasKilled)
    #expect(try node.kguard(["drill", "--resume"], state: state).exit == 0)
    #expect(try history(node, state).prefix(2) == ["drill succeeded", "backup succeeded"])

    // An own step may do anything: it is not gone on with unasked.
    let own = try node.bench.write("own.yaml", "name: backup\nsteps:\n  - {id: a, run: [\"true\"]}\n")
    #expect(try node.kguard(["playbook", "run", own], state: state, environment: ["KGUARD_FAILPOINT": "a/effect.before=crash"]).wasKilled)
    let refused = try node.kguard(["backup", "--resume"], state: state)
    #expect(refused.exit == 6 && refused.errors.contains("kguard resume"), "\(refused.errors)")
    #expect(try history(node, state).first == "backup running")
  }

  @Test(.enabled(if: access("/usr/bin/setpriv", X_OK) == 0 && getuid() == 0, "giving powers up needs root and setpriv"))
  func `need no more powers than the service gives them`() throws {
    let node = try SandboxNode("--seed-objects", "5")
    defer { node.down() }
    _ = try node.configureOffsite()
    for (number, options) in [[], ["--no-drill"]].enumerated() {
      let service = try node.kguard(["schedule", "systemd"] + options, state: "").output
      let line = try #require(service.split(separator: "\n").first { $0.hasPrefix("CapabilityBoundingSet=") })
      let powers = line.split(separator: "=")[1].split(separator: " ").map { "+" + $0.dropFirst("CAP_".count).lowercased() }
      let argv =
        ["setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=" + (["-all"] + powers).joined(separator: ","), Bench.binary]
        + ["backup", "--resume"] + options
      let result = try runCaptured(
        "/usr/bin/setpriv",
        Command(
          argv,
          environment: [
            "KGUARD_ROOT": node.root, "KGUARD_STATE": node.bench.path + "/state-\(number)", "KGUARD_CONFIG": "", "KGUARD_OUTPUT": "",
          ]),
        timeout: .seconds(120))
      #expect(result.end.isSuccess, "\(options): \(result.errorText)")
    }
  }
}

@Suite struct `Notifications of a rollback` {
  @Test func `come at its beginning and its end, and one that hangs holds nothing up`() throws {
    let node = try GuardedNode()
    let hook = try Webhook(node.bench, "200")
    let hangs = try Webhook(node.bench, "hang")
    try Files.makeDirectory(node.root + "/etc/kguard")
    let text = "notify:\n" + [hook, hangs].map { "  - {webhook: 'http://127.0.0.1:\($0.port)/x'}\n" }.joined()
    try Files.replace(node.root + "/etc/kguard/config.yaml", with: Array(text.utf8), mode: 0o600)
    try node.sandbox("break", ["apply-late"])
    let run = try node.run("put late\ndelete cm1\nkubeadm upgrade apply v1.28.0 -y")
    #expect(run.exit == 4, "\(run.errors)")
    #expect(try hook.events() == ["start running 200", "rollback rolling-back 200", "rollback rolled-back 200"])
    let ended = try node.ended()
    #expect(try hook.requests().allSatisfy { $0.at("body", "run")?.string == ended.run })
    #expect(try hook.requests().map { $0.at("body", "error", "what") } == [nil, "`sh` failed", "`sh` failed"])
    #expect(try hook.requests().last?.at("body", "text")?.string?.contains("is rolled back: the cluster is as it was: `sh` failed") == true)
    #expect(run.errors.contains("warning: webhook 2 (127.0.0.1:\(hangs.port)) was not told of start"), "\(run.errors)")
  }
}
