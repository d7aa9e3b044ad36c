import Glibc
import Host
import Model

/// A throw-away kubeadm-like node with a real etcd, from `scripts/sandbox`. `down` ends it, by pid.
final class SandboxNode {
  let bench = Bench()
  var root: String { bench.path + "/node" }

  static let script: String = {
    // Tests run in the package's directory; the source's own path finds it from anywhere.
    let here = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return "/" + here + "/scripts/sandbox"
  }()

  init(_ arguments: String...) throws {
    try sandbox(["up", root] + arguments)
  }

  @discardableResult
  func sandbox(_ arguments: [String]) throws -> String {
    let python = try LocalMachine().require(program: "python3")
    let result = try runCaptured(python, Command(["python3", Self.script] + arguments), timeout: .seconds(120))
    guard result.end.isSuccess else {
      throw Failure(what: "scripts/sandbox \(arguments.joined(separator: " "))", why: result.lastWords, next: "")
    }
    return result.text
  }

  func down() { _ = try? sandbox(["down", root]) }

  /// kguard on this node, with a state directory of the caller's.
  func kguard(_ arguments: [String], state: String, environment: [String: String] = [:]) throws -> Bench.Outcome {
    var all = ["LC_ALL": "C.UTF-8", "KGUARD_CONFIG": "", "KGUARD_OUTPUT": "", "KGUARD_ROOT": root, "KGUARD_STATE": state, "TZ": "UTC"]
    all.merge(environment) { $1 }
    let result = try runCaptured(
      Bench.binary, Command(["kguard"] + arguments, environment: all, directory: bench.path), timeout: .seconds(180))
    return Bench.Outcome(end: result.end, output: result.text, errors: result.errorText)
  }

  /// Writes the node's configuration: bundles go to a directory of the node, encrypted to a new key. Gives the key's file.
  func configureOffsite(_ more: String = "") throws -> String {
    let key = bench.path + "/key.txt"
    let made = try runCaptured(Bench.binary, Command(["kguard", "key", "new", key]))
    let recipient = made.text.filter { !$0.isNewline }
    for directory in ["/etc/kguard", "/srv/offsite"] { try Files.makeDirectory(root + directory) }
    let text = "offsite: [{url: file:///srv/offsite, same-disk: true}]\nencryption:\n  recipients: [\(recipient)]\n" + more
    try Files.replace(root + "/etc/kguard/config.yaml", with: Array(text.utf8), mode: 0o644)
    return key
  }
}
