import Host
import Model
import Testing

/// Backups that fail night after night must not fill the node's disk.
@Suite struct `Failed backups` {
  private let node: SandboxNode
  private var state: String { node.bench.path + "/state" }

  init() throws { node = try SandboxNode("--seed-objects", "5") }

  private func kguard(_ arguments: String..., failpoint: String = "") throws -> Bench.Outcome {
    try node.kguard(arguments, state: state, environment: ["KGUARD_FAILPOINT": failpoint])
  }

  private func configure(_ target: String) throws {
    for directory in ["/etc/kguard", "/srv/offsite"] { try Files.makeDirectory(node.root + directory) }
    let text = "offsite: [\(target)]\nencryption: none\nretention: {keep-last: 2, keep-daily: 0, keep-weekly: 0, keep-monthly: 0}\n"
    try Files.replace(node.root + "/etc/kguard/config.yaml", with: Array(text.utf8), mode: 0o644)
  }

  private func bundles() throws -> [String] { try Files.list(state + "/bundles") }
  private func files(_ bundle: String) throws -> [String] { try Files.list(state + "/bundles/" + bundle) }
  private func planned() throws -> JSON { try JSON(parsing: try kguard("bundle", "prune", "--dry-run", "-o", "json").output) }

  @Test func `keep no more here than the retention and their own, nor sealed files that nobody sends`() throws {
    defer { node.down() }
    // As where a share is not mounted.
    try configure("file:///srv/offsite")
    var newest = ""
    for _ in 1...4 {
      let failed = try kguard("backup", "--no-drill")
      #expect(failed.exit == 3, "\(failed.errors)")
      newest = try #require(bundles().last)
    }
    #expect(try bundles().count == 3)
    #expect(try bundles().filter { try files($0).contains("snapshot.db.zst") } == [newest])
    #expect(try planned()["removeUnfinished"] == [.string(state + "/bundles/" + newest)])
    #expect(try kguard("bundle", "prune").exit == 0)
    #expect(try bundles().count == 2)
    #expect(try files(newest).sorted() == ["SHA256SUMS", "bundle.json", "node.tar.zst", "snapshot.db", "taken.json"])

    // Off-site is there again: what is here goes there, and nothing else is missing.
    try configure("{url: file:///srv/offsite, same-disk: true}")
    #expect(try kguard("bundle", "copy").exit == 0)
    #expect(try Files.list(node.root + "/srv/offsite") == [newest])
  }

  @Test func `go on where a bundle was removed by hand, or holds somebody's file`() throws {
    defer { node.down() }
    try configure("{url: file:///srv/offsite, same-disk: true}")
    func backup() throws -> String {
      let outcome = try kguard("backup", "--no-drill")
      #expect(outcome.exit == 0, "\(outcome.errors)")
      return try #require(bundles().last)
    }
    let (first, second) = (try backup(), try backup())
    try Files.removeOwnTree(state + "/bundles/" + first)
    try Files.replace(state + "/bundles/" + second + "/notes", with: [1])
    let third = try backup()
    #expect(try kguard("bundle", "list").output.contains(first) == false)
    let fourth = try backup(), outcome = try kguard("bundle", "prune")
    #expect(outcome.errors.contains("warning: could not remove") || outcome.exit == 0, "\(outcome.errors)")
    #expect(try bundles() == [second, third, fourth] && files(second) == ["notes"])
    #expect(try planned()["remove"] == [])
  }

  @Test func `leave snapshots that never became a bundle, which go, and nothing else goes with them`() throws {
    defer { node.down() }
    try configure("{url: file:///srv/offsite, same-disk: true}")
    #expect(try kguard("backup", "--no-drill").exit == 0)
    let good = try #require(bundles().first)
    let steps = "steps:\n  - {id: snapshot, action: etcd/snapshot}\n  - {id: verify, action: bundle/verify}\n"
    let playbook = try node.bench.write("quick.yaml", "name: quick\n" + steps)
    for point in ["verify/start.before", "etcd-snapshot.commit", "bundle/manifest.before"] {
      #expect(try kguard("playbook", "run", playbook, failpoint: point + "=crash").wasKilled)
      let run = try #require(bundles().last)
      // It can still be resumed.
      #expect(try planned()["removeUnfinished"]?.array?.contains(.string(state + "/bundles/" + run)) == false, "\(point)")
      let abandoned = try kguard("abandon", run, "--yes")
      #expect(abandoned.exit == 0, "\(abandoned.errors)")
      #expect(try planned()["removeUnfinished"]?.array?.last == .string(state + "/bundles/" + run), "\(point)")
    }
    let ended = try bundles().dropFirst()
    try #require(ended.count == 3)
    let (first, second, third) = (ended[1], ended[2], ended[3])
    #expect(try files(second).contains("snapshot.db.part"))
    // Not kguard's: a directory of another name, and a file of somebody else's.
    try Files.makeDirectory(state + "/bundles/mine")
    for file in ["mine/snapshot.db", third + "/notes"] { try Files.replace(state + "/bundles/" + file, with: [1]) }

    let checks = try JSON(parsing: try kguard("check", "-o", "json").output)["checks"]?.array
    let leftovers = checks?.first { $0["name"] == "leftovers" }?["evidence"]?.string ?? ""
    for run in [first, second, third] { #expect(leftovers.contains("/bundles/" + run), "\(leftovers)") }
    #expect(!leftovers.contains(good) && !leftovers.contains("mine"), "\(leftovers)")

    let pruned = try kguard("bundle", "prune")
    #expect(pruned.exit == 0 && pruned.errors.contains("bundles/\(third) stays"), "\(pruned.errors)")
    #expect(try Set(bundles()) == [good, third, "mine"])
    #expect(try files(third) == ["notes"] && files("mine") == ["snapshot.db"])
    #expect(try kguard("bundle", "verify", good).exit == 0)
  }
}
