import Cluster
import Glibc
import Host
import Model
import Testing

/// A sandbox of a test's own, and kguard on it. What runs in it is ended with it, by pid.
final class UpgradeNode: Sendable {
  let root: String
  let playbook: String

  /// `steps`: the way up, after the bundle that `kubeadm/apply` asks for.
  init(_ options: [String] = [], steps: String = UpgradeNode.short) throws {
    var template = Array("/tmp/kguard-node-XXXXXX".utf8CString)
    root = String(cString: try #require(mkdtemp(&template)))
    playbook = root + ".yaml"
    try Files.replace(playbook, with: Array((Self.head + steps).utf8), mode: 0o644)
    try sandbox(["up", root] + options)
    try Files.makeDirectory(root + "/etc/kguard")
    try Files.replace(
      root + "/etc/kguard/config.yaml", with: Array("health: {soak: 2s, timeout: 30s, interval: 500ms}\n".utf8), mode: 0o644)
  }

  deinit {
    _ = try? sandbox(["down", root, "--delete"])
    unlink(playbook)
    unlink(root + ".log")
  }

  static let head = """
    name: up
    inputs:
      version: {required: true}
    steps:
      - id: baseline
        action: cluster/baseline
      - id: snapshot
        action: etcd/snapshot
      - id: bundle
        action: bundle/verify
      - id: drill
        action: etcd/drill
      - id: copy
        action: bundle/copy
        with: {no-offsite: "true"}

    """

  static let short = """
      - id: pull
        action: images/pull
        with: {version: "${inputs.version}"}
      - id: apply
        action: kubeadm/apply
        with: {version: "${inputs.version}"}
        timeout: 5m
      - id: verify
        action: cluster/verify
        with: {version: "${inputs.version}"}
    """

  static let whole = """
      - id: preflight
        action: node/preflight
        with: {version: "${inputs.version}", no-offsite: "true"}
      - id: archive
        action: node/archive
      - id: kubeadm
        action: packages/kubeadm
        with: {version: "${inputs.version}"}
      - id: plan
        action: kubeadm/plan
        with: {version: "${inputs.version}"}
      - id: pull
        action: images/pull
        with: {version: "${inputs.version}"}
      - id: apply
        action: kubeadm/apply
        with: {version: "${inputs.version}"}
        timeout: 5m
      - id: drain
        action: node/drain
      - id: packages
        action: packages/kubelet
        with: {version: "${inputs.version}"}
      - id: kubelet
        action: kubelet/restart
      - id: uncordon
        action: node/uncordon
      - id: verify
        action: cluster/verify
        with: {version: "${inputs.version}"}
    """

  /// The repository's own script; tests run in its top directory.
  @discardableResult
  func sandbox(_ arguments: [String]) throws -> String {
    let script = try #require(Self.script)
    let result = try runCaptured(script, Command([script] + arguments), timeout: .seconds(90))
    guard result.end.isSuccess else { throw Failure(what: "sandbox \(arguments[0])", why: result.lastWords, next: "") }
    return result.text
  }

  private static let script: String? = {
    let here = String(#filePath).split(separator: "/").dropLast(3).joined(separator: "/")
    let path = "/" + here + "/scripts/sandbox"
    return (try? Files.exists(path)) == true ? path : nil
  }()

  /// One request with the admin's certificate; its status.
  func request(_ method: String, _ path: String, _ body: String) throws -> Int {
    try requestAsAdmin(root, method, path, body)
  }

  func get(_ path: String) throws -> JSON { try JSON(parsing: try sandbox(["get", root, path])) }

  private func command(_ arguments: [String], _ environment: [String: String] = [:]) -> Command {
    let plain = ["LC_ALL": "C.UTF-8", "KGUARD_STATE": "", "KGUARD_CONFIG": "", "KGUARD_OUTPUT": "", "TZ": "UTC"]
    return Command(["kguard"] + arguments + ["--root", root, "--no-color"], environment: plain.merging(environment) { $1 })
  }

  @discardableResult
  func kguard(
    _ arguments: String..., environment: [String: String] = [:], timeout: Duration = .seconds(120)
  ) throws -> Bench.Outcome {
    let result = try runCaptured(Bench.binary, command(arguments, environment), timeout: timeout)
    return Bench.Outcome(end: result.end, output: result.text, errors: result.errorText)
  }

  func upgrade(_ version: String = "v1.28.0") throws -> Bench.Outcome {
    try kguard("playbook", "run", playbook, "--set", "version=\(version)")
  }

  /// Starts an upgrade and does not wait for it.
  func startUpgrade(_ environment: [String: String] = [:]) throws -> Int32 {
    let log = try OpenFile(root + ".log", O_WRONLY | O_CREAT | O_APPEND)
    return try Spawn.start(
      Bench.binary, command(["playbook", "run", playbook, "--set", "version=v1.28.0"], environment), output: .descriptor(log.descriptor),
      error: .descriptor(log.descriptor), leads: .session)
  }

  /// As if five hours had passed since the snapshot.
  func makeBundleOld() throws {
    let sql = "UPDATE bundles SET created = created - 5 * 3600 * 1000; SELECT changes()"
    let result = try runCaptured("/usr/bin/sqlite3", Command(["sqlite3", root + "/var/lib/kguard/kguard.db", sql]))
    guard result.text == "1\n" else { throw Failure(what: "sqlite3", why: result.text + result.lastWords, next: "") }
  }

  func evidence(of step: String) throws -> JSON {
    let text = try kguard("show", "-o", "json").output
    let steps = try JSON(parsing: text)["steps"]?.array ?? []
    return steps.first { $0["id"]?.string == step }?["evidence"] ?? .null
  }

  func wait(_ what: String, _ limit: Duration = .seconds(40), until condition: () throws -> Bool) throws {
    let end = monotonicNow() + limit
    let never = StopSignal()
    while try !condition() {
      if monotonicNow() > end { throw Failure(what: "waited for \(what)", why: "it did not come within \(limit.forPeople)", next: "") }
      _ = never.sleep(.milliseconds(50))
    }
  }

  /// kubeadm's own processes in this sandbox, by what they registered.
  func kubeadms() throws -> [ProcessIdentity] {
    try Files.list(root + "/run").filter { $0.hasPrefix("kubeadm-") && $0.hasSuffix(".pid.json") }.compactMap { name in
      ProcessIdentity(json: try JSON(parsing: try Files.textIfPresent(root + "/run/" + name) ?? "{}"))
    }.filter(\.isAlive)
  }

  func bundles() throws -> [String] { try Files.list(root + "/var/lib/kguard/bundles").sorted() }

  /// One directory a run of kubeadm that came as far as the manifests.
  func applies() throws -> Int { try Files.list(root + "/etc/kubernetes/tmp").filter { $0.hasPrefix("kubeadm-backup-manifests") }.count }

  func image(of component: String) throws -> String {
    let text = try Files.textIfPresent(root + "/etc/kubernetes/manifests/\(component).yaml") ?? ""
    return text.split(separator: "\n").first { $0.contains("image: ") }.map { String($0.drop { $0 == " " }) } ?? ""
  }

  func manifests() throws -> [String: Digest] {
    var found: [String: Digest] = [:]
    for name in try Files.list(root + "/etc/kubernetes/manifests") {
      found[name] = sha256(try Files.read(root + "/etc/kubernetes/manifests/" + name))
    }
    return found
  }
}
