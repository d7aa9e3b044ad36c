import Glibc
import Host
import Model
import Synchronization
import Testing

/// For every failpoint that an undisturbed run passes: killed there, resumed, and the end is the same.
@Suite struct `Crash matrix` {
  static let server = StoreServer()

  /// Steps of different kinds: files, processes, SQLite, HTTP, scripts, a condition, a retry, a failure that may be.
  static func playbook(_ server: StoreServer) -> String {
    """
    name: matrix
    description: Steps of every kind.
    inputs:
      word: {default: hello}
    steps:
      - id: directory
        run: ["mkdir", "-p", "work"]
      - id: file
        shell: |
          printf '%s\\n' "$WORD" > work/file.part
          sync work/file.part
          mv work/file.part work/file
        env: {WORD: "${inputs.word}"}
      - id: moved
        run: ["mv", "work/file", "work/moved"]
        check: ["test", "-e", "work/moved"]
      - id: database
        run: ["sqlite3", "work/db", "create table if not exists t(a primary key); insert or ignore into t values ('${run.id}' is not null)"]
      - id: skipped
        run: ["touch", "work/never"]
        when: ${inputs.word} == "other"
      - id: upload
        run: ["curl", "-sSf", "-T", "work/moved", "http://127.0.0.1:\(server.port)/${inputs.word}/moved"]
      - id: flaky
        shell: test -e work/tried || { touch work/tried; exit 3; }
        retries: {max: 3, backoff: 1ms}
      - id: may-fail
        run: ["false"]
        on-failure: continue
      - id: counter
        shell: |
          test -e work/counted || { echo counted >> work/count; touch work/counted; }
      - id: link
        run: ["ln", "-s", "moved", "work/link"]
        check: ["test", "-L", "work/link"]
      - id: last
        run: ["sh", "-c", "cat work/moved work/count > work/last"]
    """
  }

  struct End: Equatable {
    var files: String
    var steps: [String: JSON]
    var state: String
  }

  struct Trial {
    let bench = Bench()
    let playbook: String

    init() throws { playbook = try bench.write("matrix.yaml", `Crash matrix`.playbook(`Crash matrix`.server)) }

    func run(_ environment: [String: String] = [:]) throws -> Bench.Outcome {
      try bench.kguard("playbook", "run", playbook, environment: environment)
    }

    /// Resumes until there is nothing left to do; begins again where the crash came before the run was written down.
    func finish() throws {
      for _ in 0..<5 {
        if (try? bench.status()["state"]?.string) == "succeeded" { return }
        let resumed = try bench.kguard("resume")
        if resumed.exit == 2 { _ = try run() }
      }
    }

    /// What a person would see now.
    func standing() -> String { (try? bench.status()["state"]?.string) ?? "no run yet" }

    func end() throws -> End {
      let files = try runCaptured(
        "/bin/sh",
        Command(
          ["sh", "-c", "cd work && for f in *; do test $f = db || { printf '%s: ' $f; cat $f; }; done; sqlite3 db 'select * from t'"],
          directory: bench.path))
      let status = try bench.status()
      var steps: [String: JSON] = [:]
      for step in status["steps"]?.array ?? [] {
        steps[step["id"]?.string ?? ""] = ["state": step["state"] ?? .null, "evidence": step["evidence"] ?? .null]
      }
      return End(files: files.text, steps: steps, state: status["state"]?.string ?? "")
    }
  }

  /// The names of all failpoints that a run passes, each once, in order.
  static func points(_ log: String) throws -> [String] {
    var seen: Set<String> = []
    return (try Files.textIfPresent(log) ?? "").split(separator: "\n").map(String.init).filter { seen.insert($0).inserted }
  }

  static let undisturbed: (end: End, points: [String])? = {
    guard let trial = try? Trial(), let outcome = try? trial.run(["KGUARD_FAILPOINT_LOG": trial.bench.path + "/points"]), outcome.exit == 0,
      let end = try? trial.end(), let points = try? points(trial.bench.path + "/points")
    else { return nil }
    return (end, points)
  }()

  @Test func `an undisturbed run passes failpoints of every kind`() throws {
    let undisturbed = try #require(Self.undisturbed)
    #expect(undisturbed.end.state == "succeeded")
    #expect(undisturbed.points.count > 60, "\(undisturbed.points)")
    for kind in [
      "run/create.before", "run/end.after", "file/start.before", "file/effect.after", "flaky/fail.before", "child/spawn.after",
      "child/exit.before",
    ] {
      #expect(undisturbed.points.contains(kind))
    }
  }

  @Test func `killed at any point, a run resumes to the same end`() throws {
    let undisturbed = try #require(Self.undisturbed)
    for point in undisturbed.points {
      let trial = try Trial()
      let crashed = try trial.run(["KGUARD_FAILPOINT": "\(point)=crash", "KGUARD_FAILPOINT_ONCE": trial.bench.path + "/once"])
      #expect(crashed.wasKilled || point.hasPrefix("child/"), "\(point): \(crashed.errors)")
      let left = trial.standing()
      try trial.finish()
      let end = try trial.end()
      #expect(end == undisturbed.end, "killed at \(point)")
      MatrixTable.once.withLock {
        $0.append([point, crashed.wasKilled ? "kguard" : "the supervisor", left, MatrixTable.outcome(end, undisturbed.end)])
      }
    }
    try MatrixTable.write()
  }

  @Test func `killed again while it resumes, a run still comes to the same end`() throws {
    let undisturbed = try #require(Self.undisturbed)
    for (number, point) in undisturbed.points.enumerated() {
      let trial = try Trial()
      _ = try trial.run(["KGUARD_FAILPOINT": "\(point)=crash", "KGUARD_FAILPOINT_ONCE": trial.bench.path + "/once"])
      // The second kill: at the point itself, or anywhere after it; which one changes from point to point.
      let later = undisturbed.points[number...]
      let second = later[number + (number * 7) % later.count]
      let resumed = try trial.bench.kguard(
        "resume", environment: ["KGUARD_FAILPOINT": "\(second)=crash", "KGUARD_FAILPOINT_ONCE": trial.bench.path + "/twice"])
      let left = trial.standing()
      try trial.finish()
      let end = try trial.end()
      #expect(end == undisturbed.end, "killed at \(point), then at \(second)")
      let again = resumed.wasKilled ? second : "not reached: \(second)"
      MatrixTable.twice.withLock { $0.append([point, again, left, MatrixTable.outcome(end, undisturbed.end)]) }
    }
    try MatrixTable.write()
  }
}

/// `KGUARD_WRITE_DOCS=docs swift test --filter "Crash matrix"` writes what was seen as a table.
enum MatrixTable {
  static let once = Mutex<[[String]]>([]), twice = Mutex<[[String]]>([])

  static func outcome(_ end: `Crash matrix`.End, _ expected: `Crash matrix`.End) -> String {
    end == expected ? "the same end" : "ANOTHER END"
  }

  static func write() throws {
    let single = once.withLock { $0 }, double = twice.withLock { $0 }
    guard let directory = environment("KGUARD_WRITE_DOCS"), !single.isEmpty, !double.isEmpty else { return }
    let text = """
      # Crash matrix

      Generated by `Tests/CLITests/CrashMatrixTests.swift`; not written by hand. The playbook of that test has steps of every kind. For
      every failpoint that an undisturbed run passes, a new run is killed there with SIGKILL, and resumed (or begun again, where nothing
      was written down yet) until it has ended. *The same end* means: the same files with the same content, the same database rows, and
      for every step the same state and evidence as the undisturbed run's.

      \(single.count) failpoints.

      | step | killed at | who | what `kguard status` said then | after resume |
      |---|---|---|---|---|
      \(single.map { "| " + (place($0[0]) + $0[1...]).joined(separator: " | ") + " |" }.joined(separator: "\n"))

      ## Killed again while it resumes

      The second kill is at the same point, or at one that comes after it.

      | step | killed at | then at | what `kguard status` said then | after the next resume |
      |---|---|---|---|---|
      \(double.map { "| " + (place($0[0]) + $0[1...]).joined(separator: " | ") + " |" }.joined(separator: "\n"))

      """
    try Files.replace(directory + "/crash-matrix.md", with: Array(text.utf8), mode: 0o644)
  }

  private static func place(_ point: String) -> [String] {
    let parts = point.split(separator: "/", maxSplits: 1).map(String.init)
    return [parts[0], parts.count > 1 ? parts[1] : ""]
  }
}

/// A tiny HTTP server that keeps what is PUT, so that the matrix has an effect across a network. Ends with the tests.
final class StoreServer: Sendable {
  let port: String
  /// The server lives as long as this end of its standard input is open: it cannot outlive the tests.
  private let lifeline: Int32

  init() {
    let script = """
      import http.server, os, sys, threading
      threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
      kept = {}
      class H(http.server.BaseHTTPRequestHandler):
          def do_PUT(self):
              kept[self.path] = self.rfile.read(int(self.headers['Content-Length'])); self.send_response(201); self.send_header('Content-Length', '0'); self.end_headers()
          def do_GET(self):
              body = kept.get(self.path); self.send_response(200 if body is not None else 404); self.send_header('Content-Length', str(len(body or b''))); self.end_headers(); self.wfile.write(body or b'')
          def log_message(self, *a): pass
      s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H)
      print(s.server_port, flush=True)
      s.serve_forever()
      """
    var ends: [Int32] = [-1, -1], life: [Int32] = [-1, -1]
    pipe(&ends)
    pipe(&life)
    for end in [ends[0], life[1]] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    lifeline = life[1]
    let python = (try? LocalMachine().find(program: "python3")) ?? "/usr/bin/python3"
    _ = try? Spawn.start(
      python, Command(["python3", "-c", script]), input: .descriptor(life[0]), output: .descriptor(ends[1]), error: .inherit)
    close(ends[1])
    close(life[0])
    var text: [UInt8] = []
    var byte: UInt8 = 0
    while read(ends[0], &byte, 1) == 1, byte != 0x0a { text.append(byte) }
    close(ends[0])
    port = String(decoding: text, as: UTF8.self)
  }

  deinit { close(lifeline) }
}
