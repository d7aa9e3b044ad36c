import Glibc
import Host
import Model
import Testing

/// The journal goes after the bundle, so that losing the node does not lose the record.
@Suite(.serialized) struct `The journal off-site` {
  /// Steps up to the copy, and what a test adds.
  private func run(_ node: SandboxNode, _ more: String, _ environment: [String: String] = [:]) throws -> Bench.Outcome {
    let steps = """
      name: quick
      steps:
        - {id: snapshot, action: etcd/snapshot}
        - {id: verify, action: bundle/verify}
        - {id: copy, action: bundle/copy}

      """
    let playbook = try node.bench.write("quick.yaml", steps + more)
    return try node.kguard(["playbook", "run", playbook], state: state(node), environment: environment)
  }

  private func state(_ node: SandboxNode) -> String { node.bench.path + "/state" }

  private func status(_ node: SandboxNode) throws -> JSON {
    try JSON(parsing: try node.kguard(["status", "-o", "json"], state: state(node)).output)
  }

  /// What anybody finds out with the key and without the node.
  private func shown(_ node: SandboxNode, _ key: String?, bundle: String, run: String? = nil) throws -> JSON {
    let old = node.bench.path + "/old"
    let way = key.map { "age -d -i '\($0)' '\(node.root)/srv/offsite/\(bundle)/journal.db.zst.age'" }
    let script = """
      set -e; rm -rf '\(old)'; mkdir -m 700 '\(old)'
      \(way ?? "cat '\(node.root)/srv/offsite/\(bundle)/journal.db.zst'") | zstd -dq > '\(old)/kguard.db'
      test "$(sqlite3 '\(old)/kguard.db' 'pragma integrity_check; pragma journal_mode' | tr '\\n' ' ')" = 'ok delete '
      """
    let opened = try runCaptured("/bin/sh", Command(["sh", "-c", script]))
    try #require(opened.end.isSuccess, "\(opened.errorText)")
    return try JSON(parsing: try node.kguard(["show", run ?? bundle, "-o", "json"], state: old).output)
  }

  @Test func `tells the end of an upgrade`() throws {
    let node = try `Upgrade crash matrix`.node()
    defer { node.down() }
    let key = node.bench.path + "/key.txt"
    let done = try node.kguard(["upgrade", "v1.28.0"], state: state(node))
    #expect(done.exit == 0 && !done.errors.contains("copy of the journal"), "\(done.errors)")
    let id = try #require(status(node)["run"]?.string)
    let record = try shown(node, key, bundle: id)
    #expect(record["state"] == "succeeded")
    let here = try JSON(parsing: try node.kguard(["show", id, "-o", "json"], state: state(node)).output)
    #expect(record["steps"] == here["steps"])
    #expect(try !Files.exists(state(node) + "/journal-copy.db"))
    // A bundle with it is a bundle like any other.
    #expect(try node.kguard(["bundle", "copy", id], state: state(node)).exit == 0)
    #expect(try node.kguard(["bundle", "list", "--from", "file:///srv/offsite"], state: state(node)).output.contains("\n\(id)  "))
  }

  @Test func `tells the end of a rollback, and of a run that was killed and resumed`() throws {
    let node = try SandboxNode()
    defer { node.down() }
    let key = try node.configureOffsite()
    try Files.makeDirectory(node.root + "/etc/kguard/playbooks")
    try Files.replace(
      node.root + "/etc/kguard/playbooks/back.yaml", with: Array("name: back\nsteps:\n  - {id: again, run: [\"true\"]}\n".utf8))
    let failing = "  - {id: damage, run: [\"false\"], on-failure: rollback}\nrollback: back\n"
    #expect(try run(node, failing).exit == 4)
    let first = try status(node)
    let id = try #require(first["run"]?.string)
    let record = try shown(node, key, bundle: id)
    #expect(record["state"] == "rolled-back")
    let rollback = try #require(record["rollback"]?.string)
    #expect(try shown(node, key, bundle: id, run: rollback)["state"] == "succeeded")

    let crash = ["KGUARD_FAILPOINT": "last/start.after=crash"]
    #expect(try run(node, "  - {id: last, run: [\"true\"]}\n", crash).wasKilled)
    #expect(try node.kguard(["resume"], state: state(node)).exit == 0)
    let second = try #require(status(node)["run"]?.string)
    #expect(try shown(node, key, bundle: second)["state"] == "succeeded")
    #expect(try shown(node, key, bundle: second, run: id)["state"] == "rolled-back")
  }

  @Test func `fails no run where it cannot be sent, and is told of once`() throws {
    let node = try SandboxNode()
    defer { node.down() }
    _ = try node.configureOffsite()
    // The share is gone, and nobody makes it anew.
    let script = "mv '\(node.root)/srv/offsite' '\(node.root)/srv/away'"
    let steps =
      "  - {id: away, run: [sh, -c, \"\(script)\"]}\n"
      + (1...4).map { "  - {id: more-\($0), run: [sleep, \"0.2\"]}\n" }.joined()
    let done = try run(node, steps)
    #expect(done.exit == 0, "\(done.errors)")
    let warning = "the copy of the journal at file:///srv/offsite is not up to date"
    #expect(done.errors.split(separator: "warning: \(warning)").count == 2, "\(done.errors)")
    let shown = try JSON(parsing: try node.kguard(["show", "-o", "json"], state: state(node)).output)
    let events = (shown["events"]?.array ?? []).filter { $0["type"] == "journal-not-sent" }
    #expect(events.count == 1 && events.first?.at("data", "target") == "file:///srv/offsite")
    #expect(shown["state"] == "succeeded")
  }

  @Test func `holds no run up where the target hangs`() throws {
    let node = try SandboxNode()
    defer { node.down() }
    _ = try node.configureOffsite()
    // Whoever opens a pipe that nobody reads waits for ever.
    let part = "\(node.root)/srv/offsite/${run.id}/journal.db.zst.age.part"
    let steps =
      "  - {id: hang, run: [sh, -c, \"until mkfifo '\(part)'; do :; done\"]}\n" + "  - {id: more, run: [\"true\"]}\n"
    let began = monotonicNow()
    let done = try run(node, steps)
    #expect(done.exit == 0 && done.errors.contains("is not up to date: kguard ended before it was sent"), "\(done.errors)")
    #expect(monotonicNow() - began < .seconds(20))
    #expect(try status(node)["state"] == "succeeded")
  }

  @Test func `goes with its bundle, and is only compressed where nothing is encrypted`() throws {
    let node = try SandboxNode()
    defer { node.down() }
    for directory in ["/etc/kguard", "/srv/offsite"] { try Files.makeDirectory(node.root + directory) }
    let text = """
      offsite: [{url: file:///srv/offsite, same-disk: true}]
      encryption: none
      retention: {keep-last: 1, keep-daily: 0, keep-weekly: 0, keep-monthly: 0}

      """
    try Files.replace(node.root + "/etc/kguard/config.yaml", with: Array(text.utf8), mode: 0o644)
    let prune = "  - {id: prune, action: bundle/prune}\n"
    #expect(try run(node, prune).exit == 0)
    let first = try #require(status(node)["run"]?.string)
    #expect(try shown(node, nil, bundle: first)["state"] == "succeeded")
    #expect(try run(node, prune).exit == 0)
    let second = try #require(status(node)["run"]?.string)
    #expect(try Files.list(node.root + "/srv/offsite") == [second])
    #expect(try shown(node, nil, bundle: second)["state"] == "succeeded")
  }
}
