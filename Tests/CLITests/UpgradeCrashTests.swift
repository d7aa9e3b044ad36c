import Glibc
import Host
import Model
import Testing

/// The whole built-in upgrade, killed at every failpoint, comes to the end of an undisturbed one.
/// `KGUARD_WRITE_DOCS=docs swift test --filter "Upgrade crash matrix"` writes what was seen as a table.
@Suite(.serialized) struct `Upgrade crash matrix` {
  struct End: Equatable {
    var state: String
    var steps: [String: String]
    var images: [String: [String]]
    var packages: String
    var kubelet: String?
    var cordoned: Bool
    var configmaps: [String]
    var copies: Int
    var leftovers: String
  }

  /// A node of its own for each round: an upgrade can't be done twice.
  static func node() throws -> SandboxNode {
    let node = try SandboxNode("--packages", "apt")
    try node.sandbox(["objects", node.root])
    _ = try node.configureOffsite("health: {soak: 2s, timeout: 60s, interval: 500ms}\n")
    // Somewhere to go for the pods: on a sole node nothing is drained.
    try addOtherNode(node.root)
    return node
  }

  static func kguard(_ node: SandboxNode, _ arguments: [String], _ environment: [String: String] = [:]) throws -> Bench.Outcome {
    try node.kguard(arguments, state: node.bench.path + "/state", environment: environment)
  }

  static func status(_ node: SandboxNode) -> JSON? {
    (try? kguard(node, ["status", "-o", "json"])).flatMap { try? JSON(parsing: $0.output) }
  }

  /// Goes on with the run where there is an unfinished one, and begins one where there is none.
  static func go(_ node: SandboxNode, _ environment: [String: String]) throws -> Bench.Outcome {
    let state = status(node)?["state"]?.string
    if state == "succeeded" { return try kguard(node, ["status"], environment) }
    return try kguard(node, state == nil ? ["upgrade", "v1.28.0"] : ["resume"], environment)
  }

  static func end(_ node: SandboxNode) throws -> End {
    let status = try #require(Self.status(node))
    var steps: [String: String] = [:]
    for step in status["steps"]?.array ?? [] { steps[step["id"]?.string ?? ""] = step["state"]?.string }
    // Ports and paths are each node's own.
    var images: [String: [String]] = [:]
    for name in try Files.list(node.root + "/etc/kubernetes/manifests") {
      let text = try Files.textIfPresent(node.root + "/etc/kubernetes/manifests/" + name) ?? ""
      images[name] = text.split(separator: "\n").filter { $0.contains("image: ") }.map { String($0.drop { $0 == " " }) }
    }
    let packages = try runCaptured(
      node.root + "/usr/bin/dpkg-query",
      Command(["dpkg-query", "-W", "-f=${Package} ${Version} ${db:Status-Want}\\n", "kubeadm", "kubelet", "kubectl"]))
    let machine = try JSON(parsing: try node.sandbox(["get", node.root, "/api/v1/nodes/sandbox-node"]))
    let maps = try JSON(parsing: try node.sandbox(["get", node.root, "/api/v1/namespaces/demo/configmaps"]))
    let list = try kguard(node, ["bundle", "list", "-o", "json"]).output
    let bundle = try JSON(parsing: String(list.split(separator: "\n").first ?? ""))
    // A preflight that is killed while it tries the target may leave its probe there, a few bytes; and the journal may have been on its way.
    let left = try runCaptured(
      "/bin/sh",
      Command([
        "sh", "-c", "cd \"$0\" && find ../state var/lib srv -name '*.part*' -not -name 'kguard-probe-*' -not -name 'journal.db.*.part'",
        node.root,
      ]))
    return End(
      state: status["state"]?.string ?? "", steps: steps, images: images, packages: packages.text,
      kubelet: machine.at("status", "nodeInfo", "kubeletVersion")?.string, cordoned: machine.at("spec", "unschedulable") == true,
      configmaps: (maps["items"]?.array ?? []).compactMap { $0.at("metadata", "name")?.string }.sorted(),
      copies: bundle["copies"]?.array?.count ?? 0, leftovers: left.text)
  }

  @Test func `killed at any point, an upgrade resumes to the same end`() throws {
    let first = try Self.node()
    defer { first.down() }
    let log = first.bench.path + "/points"
    let outcome = try Self.go(first, ["KGUARD_FAILPOINT_LOG": log])
    #expect(outcome.exit == 0, "\(outcome.errors)")
    // Those of the supervisor, in the middle of a command, are the other matrix's.
    let points = try `Crash matrix`.points(log).filter { !$0.hasPrefix("child/") }
    let undisturbed = try Self.end(first)
    #expect(undisturbed.kubelet == "v1.28.0")
    #expect(undisturbed.leftovers == "")
    #expect(points.count > 150, "\(points.count)")
    for point in ["node-drain/cordon.before", "node-drain/evict.before", "node-uncordon/uncordon.after"] {
      #expect(points.contains(point), "\(points)")
    }

    var killed = KilledEverywhere(points: points, log: first.bench.path + "/passed")
    var ends: [String] = []
    for number in killed.rounds.indices {
      let node = try Self.node()
      defer { node.down() }
      let round = try killed.run(number, go: { try Self.go(node, $0) }, standing: { Self.status(node)?["state"]?.string ?? "no run yet" })
      let story = (try? Self.kguard(node, ["show"]))?.output ?? ""
      #expect(round.outcome.exit == 0, "after \(round.kills) kills: \(round.outcome.errors) \(story)")
      #expect(round.strange == [])
      #expect(round.kills > killed.rounds[number].count * 3 / 4, "\(round.kills) kills, left: \(round.left.sorted())")
      let end = try Self.end(node)
      #expect(end == undisturbed)
      ends.append(end == undisturbed ? "upgraded, as undisturbed" : "ANOTHER END")
    }
    guard let directory = environment("KGUARD_WRITE_DOCS") else { return }
    let text = killed.table(
      title: "Crash matrix of the upgrade",
      introduction: """
        Generated by `Tests/CLITests/UpgradeCrashTests.swift`; not written by hand. `kguard upgrade v1.28.0` on a sandbox node with a real
        etcd, killed with SIGKILL at every failpoint of kguard that an undisturbed upgrade passes, and resumed. Three upgrades die at every third
        point each, a fourth one at every point. *As undisturbed* means: the same states of the steps, images of the manifests, packages and holds,
        kubelet, objects and off-site copies, and nothing half done left behind.
        """, ends: ends)
    try Files.replace(directory + "/crash-matrix-upgrade.md", with: Array(text.utf8), mode: 0o644)
  }
}
