import Glibc
import Host
import Model
import Testing

/// What becomes of the copies that are not, or are no longer, what they should be.
@Suite struct `Copies` {
  private let node: SandboxNode
  private let key: String
  private var state: String { node.bench.path + "/state" }
  private var share: String { node.root + "/srv/offsite" }

  init() throws {
    node = try SandboxNode("--seed-objects", "5")
    key = try node.configureOffsite()
  }

  /// The configuration of `configureOffsite`, with an identity at hand where that is asked for, and with other targets.
  private func configure(identity: Bool = false, targets: [String] = ["{url: file:///srv/offsite, same-disk: true}"]) throws {
    let recipient = try #require(
      try Files.textIfPresent(key)?.split(separator: "\n").first { $0.contains("age1") }?.split(separator: " ").last)
    var text = "offsite: [\(targets.joined(separator: ", "))]\nretention: {keep-last: 1, keep-daily: 0, keep-weekly: 0, keep-monthly: 0}\n"
    text += "encryption:\n  recipients: [\(recipient)]\n"
    if identity {
      text += "  identity: /etc/kguard/key.txt\n"
      try Files.replace(node.root + "/etc/kguard/key.txt", with: try Files.read(key))
    }
    try Files.replace(node.root + "/etc/kguard/config.yaml", with: Array(text.utf8), mode: 0o644)
  }

  private func kguard(_ arguments: String..., fault: String = "") throws -> Bench.Outcome {
    try node.kguard(arguments, state: state, environment: ["KGUARD_FAULT": fault])
  }

  /// A bundle, copied and not pruned. Gives its id.
  private func backup() throws -> String {
    let steps = ["etcd/snapshot", "bundle/verify", "bundle/copy"].map { "  - {id: \($0.split(separator: "/")[1]), action: \($0)}\n" }
    let done = try kguard("playbook", "run", try node.bench.write("quick.yaml", "name: quick\nsteps:\n" + steps.joined()))
    try #require(done.exit == 0, "\(done.errors)")
    return try #require(try shown()["bundle"]?.string)
  }

  private func shown() throws -> JSON { try JSON(parsing: try kguard("bundle", "show", "-o", "json").output) }

  /// Flips a character in the header of a sealed file, where the file's key is wrapped.
  private func damage(_ bundle: String, _ file: String = "snapshot.db") throws {
    let path = "\(share)/\(bundle)/\(file).zst.age"
    var bytes = try Files.read(path)
    let lines = bytes.indices.filter { bytes[$0] == 10 }
    let at = lines[1] + 3
    bytes[at] = bytes[at] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
    try Files.replace(path, with: bytes)
  }

  @Test(arguments: [false, true]) func `one that was damaged is sent again, and counts no more where it can't be`(identity: Bool) throws {
    defer { node.down() }
    try configure(identity: identity)
    let (older, newer) = (try backup(), try backup())
    try damage(newer)
    let sentAgain = try kguard("bundle", "copy")
    #expect(
      sentAgain.exit == 0 && sentAgain.errors.contains("snapshot.db.zst.age at file:///srv/offsite was not what"), "\(sentAgain.errors)")
    let right = try kguard("bundle", "copy")
    #expect(right.exit == 0 && !right.errors.contains("sent again"), "\(right.errors)")

    try damage(newer)
    let failed = try kguard("bundle", "copy", fault: "write:/srv/offsite/:ENOSPC")
    #expect(failed.exit == 1, "\(failed.errors)")
    let copies = try shown()["copies"]?.array ?? []
    #expect(copies.filter { $0["verified"]?.string == nil }.compactMap { $0["file"]?.string } == ["snapshot.db"], "\(copies)")
    #expect(
      try kguard("bundle", "show").output.split(separator: "\n").contains { $0.contains("snapshot.db ") && $0.hasSuffix("not read back") })
    let row = try kguard("bundle", "list").output.split(separator: "\n").first { $0.hasPrefix(newer) }
    #expect(row?.hasSuffix(" 0") == true, "\(row ?? "")")
    let pruned = try kguard("bundle", "prune")
    #expect(pruned.exit == 0, "\(pruned.errors)")
    #expect(try Files.exists("\(share)/\(older)/bundle.json.zst.age"), "\(pruned.output)")
    #expect(try Files.exists("\(share)/\(older)/snapshot.db.zst.age"))

    // The newer one whole again, the older one goes.
    #expect(try kguard("bundle", "copy").exit == 0)
    #expect(try kguard("bundle", "prune").exit == 0)
    #expect(try Files.list(share) == [newer])
    // Where a bundle and its copy go together, it was off-site.
    _ = try backup()
    let gone = try kguard("bundle", "prune").errors
    #expect(gone.contains("removed bundle \(newer) at file:///srv/offsite\n") && gone.contains("removed bundle \(newer)\n"), "\(gone)")
  }

  @Test func `one that is gone counts no more`() throws {
    defer { node.down() }
    try configure(identity: true)
    let bundle = try backup()
    try Files.removeOwn("\(share)/\(bundle)/bundle.json.zst.age")
    #expect(try kguard("bundle", "copy", fault: "write:/srv/offsite/:ENOSPC").exit == 1)
    #expect(try shown()["copies"]?.array?.first { $0["file"] == "bundle.json" }?["verified"]?.string == nil)
    #expect(try kguard("bundle", "copy").exit == 0)
    #expect(try Files.exists("\(share)/\(bundle)/bundle.json.zst.age"))
  }

  @Test func `a damaged one is not pulled, and it is said which`() throws {
    defer { node.down() }
    try configure()
    let bundle = try backup()
    try damage(bundle)
    let pulled = try kguard("bundle", "pull", bundle, "--identity", key, "--to", node.bench.path + "/pulled")
    #expect(pulled.exit == 8 && pulled.errors.contains("\(bundle)/snapshot.db.zst.age in file:///srv/offsite"), "\(pulled.errors)")
    // With the wrong key nothing can be said of the file but its name.
    let other = node.bench.path + "/other.txt"
    #expect(try kguard("key", "new", other).exit == 0)
    let wrong = try kguard("bundle", "pull", bundle, "--identity", other, "--to", node.bench.path + "/pulled")
    #expect(wrong.exit == 2 && wrong.errors.contains("\(bundle)/bundle.json.zst.age in file:///srv/offsite"), "\(wrong.errors)")
  }

  @Test(arguments: ["SHA256SUMS", "snapshot.db"]) func `a bundle that is damaged here is not sent, and can be brought back`(file: String)
    throws
  {
    defer { node.down() }
    try configure(identity: true)
    let bundle = try backup()
    let path = "\(state)/bundles/\(bundle)/\(file)"
    let good = try Files.read(path)
    var bad = good
    bad[bad.count / 2] ^= 1
    try Files.replace(path, with: bad)
    try Files.removeOwn("\(share)/\(bundle)/\(file).zst.age")
    for outcome in [try kguard("bundle", "verify"), try kguard("bundle", "copy")] {
      #expect(outcome.exit == 8 && outcome.errors.contains(file), "\(outcome.errors)")
    }
    try Files.replace(path, with: good)
    #expect(try kguard("bundle", "copy").exit == 0)
    for damaged in [bad, []] {
      try Files.replace(path, with: damaged)
      let pulled = try kguard("bundle", "pull", bundle)
      #expect(try pulled.exit == 0 && Files.read(path) == good, "\(pulled.errors)")
    }
  }

  @Test func `the bundles of a store are told apart, and it is said whose is pulled`() throws {
    defer { node.down() }
    try configure()
    let (older, newer) = (try backup(), try backup())
    func list(_ more: String...) throws -> (rows: [JSON], text: Bench.Outcome) {
      let from = ["bundle", "list", "--from", "file:///srv/offsite"] + more
      let lines = try node.kguard(from + ["-o", "json"], state: state).output.split(separator: "\n")
      return (try lines.map { try JSON(parsing: String($0)) }, try node.kguard(from, state: state))
    }
    let closed = try list()
    #expect(closed.rows.map { $0["bundle"] } == [.string(newer), .string(older)] && closed.rows.allSatisfy { $0["node"] == .null })
    #expect(closed.text.errors.contains("--identity FILE"), "\(closed.text.errors)")

    let name = try #require(try shown().at("manifest", "node")?.string)
    let revision = try #require(try shown().at("manifest", "snapshot", "revision")?.int)
    let open = try list("--identity", key)
    #expect(open.rows.allSatisfy { $0["node"] == .string(name) && $0["size"]?.int ?? 0 > 0 && $0["etcd"]?.string?.isEmpty == false })
    #expect(open.rows.first?["revision"] == .int(revision))
    #expect(
      open.text.exit == 0 && open.text.output.contains("\n\(newer) ") && open.text.output.contains(" \(name) "), "\(open.text.output)")

    try damage(older, "bundle.json")
    let one = try list("--identity", key)
    #expect(one.rows.map { $0["node"] } == [.string(name), .null] && one.text.errors.contains("warning: cannot open \(older)/bundle.json"))
    let pulled = try kguard("bundle", "pull", "--identity", key, "--to", node.bench.path + "/pulled")
    #expect(pulled.exit == 0 && pulled.errors.contains("\(newer), of node \(name), taken "), "\(pulled.errors)")
  }

  @Test func `an identity that opens nothing of what is sealed is refused before anything is sent`() throws {
    defer { node.down() }
    try configure(identity: true)
    #expect(try kguard("config", "check").exit == 0)
    let good = try JSON(parsing: try kguard("check", "-o", "json").output)["checks"]?.array?.first { $0["name"] == "offsite" }
    #expect(good?["result"] == "warn" && good?["evidence"]?.string?.contains("written and read back") == true, "\(good?.text() ?? "")")
    let recipient = try #require(
      try Files.textIfPresent(key)?.split(separator: "\n").first { $0.contains("age1") }?.split(separator: " ").last)

    let file = node.root + "/etc/kguard/key.txt"
    try Files.removeOwn(file)
    let other = try kguard("key", "new", file).output.filter { !$0.isNewline }
    for outcome in [try kguard("config", "check"), try kguard("backup", "--no-drill"), try kguard("bundle", "copy")] {
      #expect(outcome.exit == 2, "\(outcome.errors)")
      for word in [file, other, String(recipient)] { #expect(outcome.errors.contains(word), "\(outcome.errors)") }
    }
    #expect(try kguard("backup", "--dry-run").exit == 3)
    let bad = try JSON(parsing: try kguard("check", "-o", "json").output)["checks"]?.array?.first { $0["name"] == "offsite" }
    #expect(bad?["result"] == "fail" && bad?["evidence"]?.string?.contains(other) == true, "\(bad?.text() ?? "")")
    #expect(try Files.list(share).isEmpty)
  }

  @Test func `a target that fails keeps no other from its copy, and only a required one fails the command`() throws {
    defer { node.down() }
    let bundle = try backup()
    let good = "{url: file:///srv/good, same-disk: true}"
    let optional = "{url: file:///srv/optional, same-disk: true, required: false}"
    try Files.makeDirectory(node.root + "/srv/good")
    try configure(targets: [optional, good])
    let byHand = try kguard("bundle", "copy")
    #expect(byHand.exit == 0 && byHand.errors.contains("the copy to file:///srv/optional failed, and is not required"), "\(byHand.errors)")
    #expect(byHand.output == "\(bundle) is at file:///srv/good, read back\n")

    let away = ["a", "b"].map { "{url: file:///srv/\($0), same-disk: true}" }
    try configure(targets: away + [good, optional])
    let steps = "name: quick\nsteps:\n  - {id: snapshot, action: etcd/snapshot}\n  - {id: verify, action: bundle/verify}\n"
    let playbook = try node.bench.write("quick.yaml", steps + "  - {id: copy, action: bundle/copy}\n")
    for outcome in [try kguard("playbook", "run", playbook), try kguard("bundle", "copy")] {
      #expect(outcome.exit == 1, "\(outcome.errors)")
      let error = outcome.errors.split(separator: "\n").first { $0.hasPrefix("error: ") } ?? ""
      #expect(error.contains("/srv/a") && outcome.errors.contains("; and ") && outcome.errors.contains("/srv/b"), "\(outcome.errors)")
    }
    #expect(try Files.list(node.root + "/srv/good").count == 2)
  }
}
