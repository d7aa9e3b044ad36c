import Glibc
import Host
import Model
import Testing

/// Another machine that has kguard and etcd's programs: no journal, no configuration, no cluster. The off-site share is mounted there.
@Suite(.serialized) struct `A bare machine` {
  private let node: SandboxNode
  private let key: String
  private let id: String
  private var bare: String { node.bench.path + "/bare" }
  private var pulled: String { bare + "/pulled/" + id }

  /// A backup on the node, and a machine that knows nothing of it.
  init() throws {
    node = try SandboxNode("--seed-objects", "20")
    key = try node.configureOffsite()
    let state = node.bench.path + "/state"
    let done = try node.kguard(["backup", "--no-drill"], state: state)
    try #require(done.exit == 0, "\(done.errors)")
    id = try #require(JSON(parsing: try node.kguard(["bundle", "show", "-o", "json"], state: state).output)["bundle"]?.string)
    try Files.makeDirectory(node.bench.path + "/bare/srv")
    let share = try runCaptured("/bin/cp", Command(["cp", "-a", node.root + "/srv/offsite", node.bench.path + "/bare/srv/offsite"]))
    try #require(share.end.isSuccess, "\(share.errorText)")
  }

  private func kguard(_ arguments: String..., environment: [String: String] = [:]) throws -> Bench.Outcome {
    try node.kguard(arguments, state: bare + "/state", environment: ["KGUARD_ROOT": bare].merging(environment) { $1 })
  }

  private func pull(_ more: [String]) throws -> Bench.Outcome {
    try node.kguard(
      ["bundle", "pull", "--from", "file:///srv/offsite", "--identity", key] + more, state: bare + "/state",
      environment: ["KGUARD_ROOT": bare])
  }

  @Test func `drills what it has pulled into its catalogue`() throws {
    defer { node.down() }
    let came = try pull([])
    #expect(came.exit == 0, "\(came.errors)")
    for which in [[], [id], [String(id.suffix(4))]] {
      let drilled = try node.kguard(["drill"] + which, state: bare + "/state", environment: ["KGUARD_ROOT": bare])
      #expect(drilled.exit == 0 && drilled.errors.contains("keys the same"), "\(which): \(drilled.errors)")
    }
    #expect(try JSON(parsing: try kguard("bundle", "show", "-o", "json").output)["drilled"]?.string != nil)
    #expect(try left() == "")
  }

  @Test func `drills a directory, restores it, and etcd serves from it what the cluster held`() throws {
    defer { node.down() }
    let came = try pull(["--to", bare + "/pulled"])
    #expect(came.exit == 0, "\(came.errors)")
    // As a person types it, and as a shell completes it.
    for path in [pulled, pulled + "/", bare + "/pulled/../pulled/" + id] {
      let drilled = try kguard("drill", path)
      #expect(drilled.exit == 0 && drilled.errors.contains("keys the same"), "\(path): \(drilled.errors)")
    }
    let foretold = try kguard("drill", pulled, "--dry-run")
    #expect(foretold.exit == 0 && foretold.errors.contains(id), "\(foretold.output) \(foretold.errors)")
    let restored = try kguard("bundle", "restore", pulled, "--to", bare + "/etcd")
    #expect(restored.exit == 0, "\(restored.errors)")
    #expect(try left() == "")

    let key = "/registry/namespaces/kube-system"
    let value = try Restored.etcd(bare + "/etcd") { (endpoint) in
      try runCaptured(
        "/usr/bin/etcdctl",
        Command(["etcdctl", "--endpoints", endpoint, "get", "--print-value-only", key], environment: ["ETCDCTL_API": "3"])
      ).output
    }
    let stored = try runCaptured(
      Bench.binary, Command(["kguard", "bundle", "cat", pulled, key, "--raw", "--state", bare + "/state", "--root", bare]))
    #expect(!stored.output.isEmpty && value.dropLast() == stored.output[...], "\(stored.errorText)")
  }

  @Test func `reads what became of the run that took the bundle`() throws {
    defer { node.down() }
    let came = try pull(["--to", bare + "/pulled"])
    #expect(came.exit == 0 && came.errors.contains(pulled + "/journal.db"), "\(came.errors)")
    let old = bare + "/old"
    let made = try runCaptured("/bin/sh", Command(["sh", "-c", "mkdir -m 700 '\(old)' && cp '\(pulled)/journal.db' '\(old)/kguard.db'"]))
    #expect(made.end.isSuccess)
    let shown = try node.kguard(["show", id, "-o", "json"], state: old)
    #expect(try JSON(parsing: shown.output)["state"] == "succeeded", "\(shown.errors)")
    #expect(try kguard("bundle", "verify", pulled).exit == 0)

    // In the catalogue it goes with its bundle; damaged, it is left out, and the bundle is here all the same.
    let sealed = bare + "/srv/offsite/\(id)/journal.db.zst.age"
    var bytes = try Files.read(sealed)
    bytes[bytes.count - 20] ^= 1
    try Files.replace(sealed, with: bytes)
    let damaged = try pull([])
    #expect(damaged.exit == 0 && damaged.errors.contains("the journal beside the bundle was not pulled"), "\(damaged.errors)")
    #expect(try !Files.list(bare + "/state/bundles/" + id).contains { $0.hasPrefix("journal") })
    try Files.removeOwn(sealed)
    let without = try pull([])
    #expect(without.exit == 0 && !without.errors.contains("journal"), "\(without.errors)")
  }

  @Test func `says what it cannot drill`() throws {
    defer { node.down() }
    #expect(try pull(["--to", bare + "/pulled"]).exit == 0)
    let none = try kguard("drill", bare + "/nothing/")
    #expect(none.exit == 2 && none.errors.contains("there is no such file"), "\(none.errors)")
    let noBundle = try kguard("drill", bare + "/pulled")
    #expect(noBundle.exit == 2 && noBundle.errors.contains("it is no bundle"), "\(noBundle.errors)")
    let empty = try kguard("drill")
    #expect(empty.exit == 2 && empty.errors.contains("there is no bundle yet"), "\(empty.errors)")
    // One that is not what its name says, and one with a bit flipped.
    try Files.move(pulled, to: bare + "/pulled/other")
    let renamed = try kguard("drill", bare + "/pulled/other")
    #expect(renamed.exit == 8 && renamed.errors.contains("its manifest is that of \(id)"), "\(renamed.errors)")
    try Files.move(bare + "/pulled/other", to: pulled)
    var bytes = try Files.read(pulled + "/snapshot.db")
    bytes[bytes.count / 2] ^= 1
    try Files.replace(pulled + "/snapshot.db", with: bytes)
    let damaged = try kguard("drill", pulled)
    #expect(damaged.exit == 8, "\(damaged.errors)")
    #expect(try kguard("bundle", "restore", pulled, "--to", bare + "/etcd").exit == 8)
    #expect(try !Files.exists(bare + "/etcd"))
    #expect(try left() == "")
  }

  /// Nothing of a drill stays.
  private func left() throws -> String {
    try runCaptured("/bin/sh", Command(["sh", "-c", "find \"$0\" -name '*kguard-staged*' -o -name '*.part'", bare])).text
  }
}

/// etcd on a restored data directory, without TLS, on Unix sockets of its own.
enum Restored {
  static func etcd<T>(_ data: String, _ body: (_ endpoint: String) throws -> T) throws -> T {
    // Names of sockets are relative to the directory in which etcd runs.
    let directory = Files.directory(of: data)
    let log = try OpenFile(directory + "/etcd.log", O_WRONLY | O_CREAT | O_TRUNC)
    let pid = try Spawn.start(
      "/usr/bin/etcd",
      Command(
        [
          "etcd", "--data-dir", data, "--name", "restored", "--force-new-cluster", "--listen-client-urls", "unix://client:1",
          "--advertise-client-urls", "unix://client:1", "--listen-peer-urls", "unix://peer:1",
        ], directory: directory), output: .descriptor(log.descriptor), error: .descriptor(log.descriptor), leads: .group)
    defer {
      kill(pid, SIGKILL)
      _ = Spawn.wait(pid)
    }
    let endpoint = "unix://\(directory)/client:1"
    let end = monotonicNow() + .seconds(30)
    let never = StopSignal()
    while true {
      let health = try runCaptured(
        "/usr/bin/etcdctl", Command(["etcdctl", "--endpoints", endpoint, "endpoint", "health"], environment: ["ETCDCTL_API": "3"]))
      if health.end.isSuccess { return try body(endpoint) }
      if monotonicNow() > end {
        let words = try Files.textIfPresent(directory + "/etcd.log") ?? ""
        throw Failure(what: "etcd does not come up", why: String(words.suffix(600)) + health.errorText, next: "")
      }
      _ = never.sleep(.milliseconds(50))
    }
  }
}
