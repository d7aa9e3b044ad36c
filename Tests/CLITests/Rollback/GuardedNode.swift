import Cluster
import Glibc
import Host
import Model

/// A sandbox node with a real etcd, and a playbook that guards it: baseline, archive, snapshot, drill, then a script that does damage.
final class GuardedNode: Sendable {
  let bench = Bench()
  var root: String { bench.path + "/node" }

  static let repository = Files.directory(of: Files.directory(of: Files.directory(of: Files.directory(of: #filePath))))

  init(_ options: String...) throws {
    try sandbox("up", options)
    try sandbox("objects")
  }

  deinit {
    _ = try? sandbox("down")
  }

  @discardableResult
  func sandbox(_ command: String, _ options: [String] = []) throws -> String {
    let result = try runCaptured(
      Self.repository + "/scripts/sandbox", Command(["sandbox", command, root] + options), timeout: .seconds(120))
    guard result.end.isSuccess else { throw Failure(what: "sandbox \(command)", why: result.lastWords, next: "") }
    return result.text
  }

  /// Shell functions for the damage: `put NAME`, `delete NAME` (configmaps of demo, straight into etcd), `until COMMAND…`.
  private var prelude: String {
    """
    #!/bin/sh
    export ETCDCTL_API=3
    P=\(root)/etc/kubernetes/pki/etcd
    PORT=$(sed -n 's/.*"etcd": \\([0-9]*\\).*/\\1/p' \(root)/.kguard-sandbox)
    e() { etcdctl --endpoints https://127.0.0.1:$PORT --cacert $P/ca.crt --cert $P/healthcheck-client.crt --key $P/healthcheck-client.key "$@"; }
    put() {
      e put /registry/configmaps/demo/$1 '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"'$1'","namespace":"demo","uid":"'$1'","creationTimestamp":"2026-01-01T00:00:00Z"},"data":{"a":"b"}}'
    }
    delete() { e del /registry/configmaps/demo/$1; }
    until_true() { n=0; until "$@"; do n=$((n+1)); [ $n -gt 400 ] && exit 9; sleep 0.05; done; }
    PATH=\(root)/usr/bin:$PATH
    cd \(root)

    """
  }

  /// The same functions, outside of a run.
  func shell(_ commands: String) throws {
    let result = try runCaptured("/bin/sh", Command(["sh", try bench.write("shell.sh", prelude + commands + "\n")]), timeout: .seconds(60))
    guard result.end.isSuccess else { throw Failure(what: "shell", why: result.lastWords, next: "") }
  }

  static func playbook(_ script: String, baseline: Bool) -> String {
    let before = """
        - id: baseline
          action: cluster/baseline
        - id: archive
          action: node/archive

      """
    return """
      name: guarded
      steps:
      \(baseline ? before : "")  - id: snapshot
          action: etcd/snapshot
        - id: sealed
          action: bundle/verify
        - id: drill
          action: etcd/drill
        - id: damage
          run: ["sh", "\(script)"]
          on-failure: rollback
      rollback: rollback

      """
  }

  /// Runs the playbook with this damage.
  func run(_ damage: String, baseline: Bool = true, environment: [String: String] = [:]) throws -> Bench.Outcome {
    let script = try bench.write("damage.sh", prelude + damage + "\nexit 3\n")
    let playbook = try bench.write("guarded.yaml", Self.playbook(script, baseline: baseline))
    return try kguard("playbook", "run", playbook, environment: environment)
  }

  func kguard(_ arguments: String..., environment: [String: String] = [:]) throws -> Bench.Outcome {
    try kguard(arguments, environment: environment)
  }

  func kguard(_ arguments: [String], environment: [String: String] = [:]) throws -> Bench.Outcome {
    var all = environment
    all["KGUARD_ROOT"] = root
    let result = try runCaptured(Bench.binary, bench.command(arguments, environment: all), timeout: .seconds(180))
    return Bench.Outcome(end: result.end, output: result.text, errors: result.errorText)
  }

  /// One request with the admin's certificate; its status.
  @discardableResult
  func request(_ method: String, _ path: String, _ body: String, type: String = "application/json") throws -> Int {
    try requestAsAdmin(root, method, path, body, type: type)
  }

  func get(_ path: String) throws -> JSON { try JSON(parsing: try sandbox("get", [path])) }

  func configure(_ text: String) throws {
    try Files.makeDirectory(root + "/etc/kguard")
    try Files.replace(root + "/etc/kguard/config.yaml", with: Array(text.utf8), mode: 0o644)
  }

  /// Names of the configmaps in demo, as the API server has them.
  func configmaps() throws -> [String] {
    let list = try JSON(parsing: try sandbox("get", ["/api/v1/namespaces/demo/configmaps"]))
    return (list["items"]?.array ?? []).compactMap { $0.at("metadata", "name")?.string }.sorted()
  }

  func show(_ run: String) throws -> JSON { try JSON(parsing: try kguard("show", run, "-o", "json").output) }

  struct Ended {
    let run: String
    let rollback: String
    let state: String
    let steps: [String: JSON]
    func evidence(_ step: String) -> JSON? { steps[step]?["evidence"] }
    func state(_ step: String) -> String? { steps[step]?["state"]?.string }
  }

  /// How the newest run and its rollback ended.
  func ended() throws -> Ended {
    let status = try JSON(parsing: try kguard("status", "-o", "json").output)
    let run = try show(status["run"]?.string ?? "")
    let rollback = run["rollback"]?.string ?? ""
    var steps: [String: JSON] = [:]
    for step in rollback.isEmpty ? [] : try show(rollback)["steps"]?.array ?? [] { steps[step["id"]?.string ?? ""] = step }
    return Ended(run: run["run"]?.string ?? "", rollback: rollback, state: run["state"]?.string ?? "", steps: steps)
  }

  /// Every file below a directory of the node with its hash, kguard's own left out.
  func files(_ directory: String) throws -> [String: Digest] {
    var found: [String: Digest] = [:]
    func walk(_ path: String) throws {
      for name in try Files.list(path) where !name.hasPrefix("kguard-") && name != "tmp" {
        let full = path + "/" + name
        if try Files.info(full, followLinks: false)?.kind == .directory {
          try walk(full)
        } else {
          found[full] = sha256(try Files.read(full))
        }
      }
    }
    try walk(root + directory)
    return found
  }

  func exists(_ path: String) -> Bool { (try? Files.exists(root + path)) == true }

  /// Names in a directory of the node that have a part.
  func names(_ directory: String, containing part: String) throws -> [String] {
    try Files.list(root + directory).filter { $0.contains(part) }
  }
}
