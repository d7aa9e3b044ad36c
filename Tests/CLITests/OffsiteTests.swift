import Glibc
import Host
import Model
import Testing

/// What an off-site copy is worth: where it may lie, and what the retention leaves of it.
@Suite struct `Off-site` {
  /// Backups without a drill, as many as are asked for.
  private func backups(_ node: SandboxNode, _ state: String, _ count: Int, _ environment: [String: String] = [:]) throws -> [Bench.Outcome]
  {
    let steps =
      "name: quick\nsteps:\n"
      + ["etcd/snapshot", "bundle/verify", "bundle/copy", "bundle/prune"].map {
        "  - {id: \($0.split(separator: "/")[1]), action: \($0)}\n"
      }.joined()
    let playbook = try node.bench.write("quick.yaml", steps)
    return try (0..<count).map { _ in try node.kguard(["playbook", "run", playbook], state: state, environment: environment) }
  }

  private func configure(_ node: SandboxNode, _ text: String) throws {
    try Files.makeDirectory(node.root + "/etc/kguard")
    try Files.replace(node.root + "/etc/kguard/config.yaml", with: Array(text.utf8), mode: 0o644)
  }

  private func check(_ node: SandboxNode, _ state: String) throws -> JSON? {
    let checks = try JSON(parsing: try node.kguard(["check", "-o", "json"], state: state).output)
    return checks["checks"]?.array?.first { $0["name"] == "offsite" }
  }

  @Test func `a directory on the node's own disk is refused, unless it is said to be one`() throws {
    let node = try SandboxNode("--seed-objects", "5")
    defer { node.down() }
    let state = node.bench.path + "/state"
    try Files.makeDirectory(node.root + "/srv/offsite")
    try configure(node, "offsite: [file:///srv/offsite]\nencryption: none\n")
    #expect(try check(node, state)?["result"] == "fail")
    let refused = try backups(node, state, 1)[0]
    #expect(refused.exit == 3, "\(refused.errors)")
    #expect(refused.errors.contains("same-disk: true"), "\(refused.errors)")
    #expect(try Files.list(node.root + "/srv/offsite").isEmpty)
    // By hand it is no other: the configuration does not say so.
    let byHand = try node.kguard(["bundle", "copy"], state: state)
    #expect(byHand.exit == 3, "\(byHand.errors)")

    try configure(node, "offsite: [{url: file:///srv/offsite, same-disk: true}]\nencryption: none\n")
    let said = try check(node, state)
    #expect(said?["result"] == "warn" && said?["evidence"]?.string?.contains("is not off-site") == true, "\(said?.text() ?? "")")
    let allowed = try backups(node, state, 1)[0]
    #expect(allowed.exit == 0 && allowed.errors.contains("own disk is not off-site"), "\(allowed.errors)")
  }

  @Test(.enabled(if: Mount.isPossible)) func `a share that is not mounted takes nothing, and nothing is taken from it`() throws {
    let node = try SandboxNode("--seed-objects", "5")
    defer { node.down() }
    let state = node.bench.path + "/state"
    let share = node.root + "/srv/offsite"
    try Files.makeDirectory(share)
    try configure(
      node, "offsite: [file:///srv/offsite]\nencryption: none\nretention: {keep-last: 1, keep-daily: 0, keep-weekly: 0, keep-monthly: 0}\n")
    let mount = try Mount(over: share)
    let done = try backups(node, state, 1)[0]
    #expect(done.exit == 0, "\(done.errors)")
    #expect(try check(node, state)?["result"] == "pass")
    mount.end()
    #expect(try check(node, state)?["result"] == "fail")
    #expect(try backups(node, state, 1)[0].exit == 3)
    #expect(try Files.list(share).isEmpty)
    let copies = try node.kguard(["bundle", "list", "-o", "json"], state: state)
    let rows = try copies.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
    #expect(rows.filter { $0["copies"]?.array?.isEmpty == false }.count == 1, "\(copies.output)")
  }

  @Test func `a target that takes nothing new keeps the last copies that it took`() throws {
    let node = try SandboxNode("--seed-objects", "5")
    defer { node.down() }
    let state = node.bench.path + "/state"
    for name in ["a", "b"] { try Files.makeDirectory(node.root + "/srv/" + name) }
    let target = "{url: file:///srv/a, same-disk: true}, {url: file:///srv/b, same-disk: true, required: false}"
    try configure(
      node, "offsite: [\(target)]\nencryption: none\nretention: {keep-last: 2, keep-daily: 0, keep-weekly: 0, keep-monthly: 0}\n")
    for outcome in try backups(node, state, 3) { #expect(outcome.exit == 0, "\(outcome.errors)") }
    let good = try Files.list(node.root + "/srv/b")
    #expect(good.count == 2)
    // Nothing can be written there any more, and everything can be removed.
    for outcome in try backups(node, state, 4, ["KGUARD_FAULT": "open:/srv/b/:EIO"]) { #expect(outcome.exit == 0, "\(outcome.errors)") }
    #expect(try Files.list(node.root + "/srv/b").filter { good.contains($0) } == good)
    for bundle in good { #expect(try Files.exists(node.root + "/srv/b/\(bundle)/bundle.json.zst")) }
    #expect(try Files.list(node.root + "/srv/a").count == 2)

    // Well again, it takes new ones, and the old ones go.
    for outcome in try backups(node, state, 2) { #expect(outcome.exit == 0, "\(outcome.errors)") }
    let whole = try Files.list(node.root + "/srv/b").filter { try Files.exists(node.root + "/srv/b/\($0)/bundle.json.zst") }
    #expect(try whole == Files.list(node.root + "/srv/a"))
  }
}
