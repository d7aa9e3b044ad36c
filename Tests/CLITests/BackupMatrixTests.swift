import Glibc
import Host
import Model
import Testing

/// `kguard backup` on a real etcd: killed at every failpoint, resumed, and the bundle is whole, proven and off-site.
@Suite struct `Backup crash matrix` {
  @Test func `killed at any point, a backup resumes to a proven bundle off-site`() throws {
    let node = try SandboxNode("--seed-objects", "40")
    defer { node.down() }
    let key = try node.configureOffsite()

    let log = node.bench.path + "/points"
    let undisturbed = try node.kguard(["backup"], state: node.bench.path + "/state-0", environment: ["KGUARD_FAILPOINT_LOG": log])
    #expect(undisturbed.exit == 0, "\(undisturbed.errors)")
    try expectWhole(node, state: node.bench.path + "/state-0", key: key)
    let points = try `Crash matrix`.points(log)
    #expect(points.count > 45, "\(points)")
    for kind in [
      "node-archive/commit.before", "etcd-snapshot.commit", "bundle/sealed-ahead.before", "bundle/sealed-discard.before",
      "bundle/manifest.before", "etcd-drill.restore",
      "bundle/copy-bundle.json.recorded",
    ] {
      #expect(points.contains(kind), "\(points)")
    }

    for (number, point) in points.enumerated() {
      let state = node.bench.path + "/state-\(number + 1)"
      let once = ["KGUARD_FAILPOINT": "\(point)=crash", "KGUARD_FAILPOINT_ONCE": state + ".once"]
      let crashed = try node.kguard(["backup"], state: state, environment: once)
      #expect(crashed.wasKilled, "\(point): \(crashed.errors)")
      let resumed = try node.kguard(["resume"], state: state)
      // Killed before the run was written down, or after it had ended: there is nothing to resume.
      if resumed.exit == 2, try !hasSucceeded(node, state) { #expect(try node.kguard(["backup"], state: state).exit == 0) }
      #expect(try hasSucceeded(node, state), "killed at \(point): \(resumed.errors)")
      try expectWhole(node, state: state, key: key, "killed at \(point)")
    }
  }

  @Test(arguments: ["flipped", "cut", "gone"])
  func `what was sealed on the way and is not right any more is sealed again`(fate: String) throws {
    let node = try SandboxNode("--seed-objects", "40")
    defer { node.down() }
    let key = try node.configureOffsite()
    let state = node.bench.path + "/state"
    let crash = ["KGUARD_FAILPOINT": "bundle/copy-snapshot.db.before=crash"]
    #expect(try node.kguard(["backup"], state: state, environment: crash).wasKilled)
    let sealed = try #require(try sealedAhead(state).first)
    switch fate {
    case "flipped": try flip(sealed)
    case "cut": try Files.replace(sealed, with: Array(try Files.read(sealed).dropLast(10)))
    default: try Files.removeOwn(sealed)
    }
    let resumed = try node.kguard(["resume"], state: state)
    #expect(resumed.exit == 0, "\(resumed.errors)")
    try expectWhole(node, state: state, key: key)
  }

  @Test func `what cannot be sealed on the way is sealed by the copy`() throws {
    let node = try SandboxNode("--seed-objects", "40")
    defer { node.down() }
    let key = try node.configureOffsite()
    let state = node.bench.path + "/state"
    let done = try node.kguard(["backup"], state: state, environment: ["KGUARD_FAILPOINT": "bundle/sealed-ahead.write=fail"])
    #expect(done.exit == 0 && done.errors.contains("could not be sealed on the way"), "\(done.errors)")
    try expectWhole(node, state: state, key: key)
  }

  @Test func `of a snapshot that is not sound nothing sealed stays, and nothing is sent`() throws {
    let node = try SandboxNode("--seed-objects", "40")
    defer { node.down() }
    _ = try node.configureOffsite()
    let state = node.bench.path + "/state"
    #expect(try node.kguard(["backup"], state: state, environment: ["KGUARD_FAILPOINT": "verify/start.before=crash"]).wasKilled)
    let sealed = try #require(try sealedAhead(state).first)
    try flip(Files.directory(of: sealed) + "/snapshot.db")
    let resumed = try node.kguard(["resume"], state: state)
    #expect(resumed.exit == 8, "\(resumed.errors)")
    #expect(try sealedAhead(state) == [])
    #expect(try Files.list(node.root + "/srv/offsite") == [])
  }

  /// A byte in its middle.
  private func flip(_ path: String) throws {
    var bytes = try Files.read(path)
    bytes[bytes.count / 2] ^= 1
    try Files.replace(path, with: bytes)
  }

  private func sealedAhead(_ state: String) throws -> [String] {
    let found = try runCaptured("/bin/sh", Command(["sh", "-c", "find \"$0\" -name 'snapshot.db.zst*'", state]))
    return found.text.split(separator: "\n").map(String.init)
  }

  private func hasSucceeded(_ node: SandboxNode, _ state: String) throws -> Bool {
    let status = try node.kguard(["status", "-o", "json"], state: state)
    return (try? JSON(parsing: status.output))?["state"] == "succeeded"
  }

  /// The newest bundle is sound, its off-site copy opens with age and zstd, and nothing half done is left anywhere.
  private func expectWhole(_ node: SandboxNode, state: String, key: String, _ note: String = "") throws {
    let listed = try node.kguard(["bundle", "list", "-o", "json"], state: state)
    let bundle = try JSON(parsing: String(listed.output.split(separator: "\n").first ?? ""))
    let id = bundle["bundle"]?.string ?? ""
    #expect(bundle["drilled"]?.string != nil, "\(note)")
    #expect(bundle["copies"]?.array?.count == 4, "\(note)")
    #expect(try node.kguard(["bundle", "verify", id], state: state).exit == 0, "\(note)")
    let compared = try runCaptured(
      "/bin/sh",
      Command([
        "sh", "-c", "age -d -i \"$0\" \"$1/srv/offsite/$2/snapshot.db.zst.age\" | zstd -d | cmp - \"$3/bundles/$2/snapshot.db\"", key,
        node.root,
        id, state,
      ]))
    #expect(compared.end.isSuccess, "\(note): \(compared.errorText)")
    let left = try runCaptured(
      "/bin/sh",
      // A journal that was on its way when kguard was killed is sent again by the next checkpoint; after the last one there is none.
      Command([
        "sh", "-c",
        "find \"$0\" \"$1/var/lib\" \"$1/srv\" '(' -name '*.part' -o -name '*kguard-staged*' ')' -not -name 'journal.db.zst.age.part'",
        state,
        node.root,
      ]))
    #expect(left.text == "", "\(note)")
    #expect(try sealedAhead(state) == [], "\(note)")
  }
}
