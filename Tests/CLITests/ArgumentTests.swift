import Glibc
import Host
import Model
import Testing

/// A command line that cannot be understood, and the whole of what is said about it.
struct WrongLine: Sendable, CustomTestStringConvertible {
  let arguments: [String]
  let errors: String
  let exit: Int32
  var testDescription: String { arguments.joined(separator: " ") }

  init(_ arguments: String..., says errors: String, exit: Int32 = 2) {
    self.arguments = arguments
    self.errors = errors
    self.exit = exit
  }

  /// The parser's own refusals, which all begin the same.
  static func line(_ arguments: String..., why: String, see command: String = "kguard") -> WrongLine {
    var line = WrongLine(says: "error: cannot understand the command line: \(why)\nhint: see `\(command) --help`\n")
    line = WrongLine(arguments: arguments, errors: line.errors, exit: 2)
    return line
  }

  private init(arguments: [String], errors: String, exit: Int32) {
    self.arguments = arguments
    self.errors = errors
    self.exit = exit
  }
}

private let wrongLines: [WrongLine] = [
  .line("upgrde", why: "there is no command `upgrde`; did you mean `upgrade`?"),
  .line("hsitory", why: "there is no command `hsitory`; did you mean `history`?"),
  .line("quit", why: "there is no command `quit`"),
  .line("-", why: "there is no command `-`"),
  .line("", why: "there is no command ``"),
  .line("up\u{1b}[31mgrade\u{7}", why: "there is no command `upgrade`"),
  .line("upgrade", why: "VERSION is missing: the version to upgrade to, for example v1.28.0", see: "kguard upgrade"),
  .line("upgrade", "v1.28.0", "v1.29.0", why: "`v1.29.0` is one argument too many", see: "kguard upgrade"),
  .line("upgrade", "v1.28.0", "--dry-rnu", why: "there is no option `--dry-rnu`; did you mean `--dry-run`?", see: "kguard upgrade"),
  .line("upgrade", "v1.28.0", "--dry-run=yes", why: "`--dry-run` takes no value", see: "kguard upgrade"),
  .line("upgrade", "v1.28.0", "--playbook", why: "`--playbook` needs a value: --playbook FILE", see: "kguard upgrade"),
  .line("upgrade", "v1.28.0", "--playbook=", why: "`--playbook` needs a value: --playbook FILE", see: "kguard upgrade"),
  .line(
    "upgrade", "v1.28.0", "--playbook", "a.yaml", "--playbook", "b.yaml", why: "`--playbook` is given twice", see: "kguard upgrade"),
  .line("status", "-z", why: "there is no option `-z`", see: "kguard status"),
  .line("status", "-wz", why: "there is no option `-z`", see: "kguard status"),
  .line("status", "a", "b", why: "`b` is one argument too many", see: "kguard status"),
  .line("status", "--watch=1", why: "`--watch` takes no value", see: "kguard status"),
  .line("status", "--limit", "5", why: "there is no option `--limit`", see: "kguard status"),
  .line("--foo", why: "there is no option `--foo`"),
  .line("--limit", "5", why: "there is no option `--limit`"),
  .line("--output", "xml", "status", why: "`--output xml`: it is `text` or `json`", see: "kguard status"),
  .line("status", "-o", why: "`-o` needs a value: -o text|json", see: "kguard status"),
  .line("status", "-oxml", why: "`--output xml`: it is `text` or `json`", see: "kguard status"),
  .line("version", "--root", why: "`--root` needs a value: --root DIR", see: "kguard version"),
  .line("version", "--root", "", why: "`--root` needs a value: --root DIR", see: "kguard version"),
  .line("version", "--config", "--", why: "`--config` needs a value: --config FILE", see: "kguard version"),
  .line("version", "extra", why: "`extra` is one argument too many", see: "kguard version"),
  .line("history", "-n", "5", "-n", "6", why: "`--limit` is given twice", see: "kguard history"),
  .line("history", "--limit", why: "`--limit` needs a value: --limit N", see: "kguard history"),
  .line("playbook", why: "`kguard playbook` needs a command: list, show, check, graph, run, schema", see: "kguard playbook"),
  .line("playbook", "sho", why: "there is no command `sho`; did you mean `show`?", see: "kguard playbook"),
  .line(
    "playbook", "check", why: "PLAYBOOK is missing: a file, or the name of a playbook that `kguard playbook list` shows",
    see: "kguard playbook check"),
  .line("config", why: "`kguard config` needs a command: check, schema", see: "kguard config"),
  .line("config", "chekc", why: "there is no command `chekc`; did you mean `check`?", see: "kguard config"),
  .line("resume", "--take-over=1", why: "`--take-over` takes no value", see: "kguard resume"),
  .line("--", "upgrade", "v1.28.0", "v1.29.0", why: "`v1.29.0` is one argument too many", see: "kguard upgrade"),
  .line(
    "bundle", "cat",
    why: "OBJECT is missing: as `objects` prints it, for example configmaps/demo/cm1, or its key, /registry/configmaps/demo/cm1",
    see: "kguard bundle cat"),
  WrongLine(
    "bundle", "cat", "configmaps/demo/cm1",
    says: "error: there is no bundle yet: the catalogue is empty\nhint: take one with `kguard backup`\n"),
  WrongLine("history", "-n", "0", says: "error: cannot understand `--limit`: it is not a number above 0\nhint: write it as `-n 20`\n"),
  WrongLine("history", "-nx", says: "error: cannot understand `--limit`: it is not a number above 0\nhint: write it as `-n 20`\n"),
  WrongLine(
    "history", "-n", "99999999999999999999",
    says: "error: cannot understand `--limit`: it is not a number above 0\nhint: write it as `-n 20`\n"),
  WrongLine(
    "playbook", "run", "p.yaml", "--set", "novalue",
    says: "error: cannot understand `--set novalue`: it is not NAME=VALUE\nhint: write it as `--set name=value`\n"),
  WrongLine(
    "playbook", "run", "p.yaml", "--set", "=x",
    says: "error: cannot understand `--set =x`: it is not NAME=VALUE\nhint: write it as `--set name=value`\n"),
  WrongLine(
    "playbook", "run", "p.yaml", "--set", "colour=red",
    says:
      "error: the playbook `p` cannot start with these inputs: it has no input `colour`; there are no inputs\nhint: start it without inputs\n"
  ),
  WrongLine(
    "playbook", "graph", "p.yaml", "--format", "svg",
    says: "error: there is no format `svg`: it is `mermaid` or `dot`\nhint: correct --format\n"),
  WrongLine(
    "playbook", "check", "nothing.yaml",
    says: "error: cannot read the playbook nothing.yaml: there is no such file\nhint: correct the path\n"),
  WrongLine(
    "config", "check", "--config", "/nope.yaml",
    says: "error: cannot read the configuration /nope.yaml: there is no such file\nhint: correct `--config`\n"),
  WrongLine(
    "version", "--root", "/nope",
    says: "error: cannot use --root /nope: No such file or directory\nhint: name a directory that is laid out as a host's root\n"),
  WrongLine("resume", says: "error: there is nothing to resume: no run in BENCH/state is unfinished\nhint: see `kguard history`\n"),
  WrongLine("abandon", says: "error: there is nothing to give up: no run in BENCH/state is unfinished\nhint: see `kguard history`\n"),
  WrongLine("upgrade", "1.28.0", says: "error: cannot upgrade to `1.28.0`: it is not a version\nhint: write it as v1.28.0\n"),
  WrongLine("upgrade", "latest", "--dry-run", says: "error: cannot upgrade to `latest`: it is not a version\nhint: write it as v1.28.0\n"),
  WrongLine(
    "upgrade", "v1.28.0", "--ignore-check", "root,clok",
    says: "error: there is no check `clok`: it cannot be ignored; did you mean `clock`?\nhint: kguard(1) lists them\n"),
  WrongLine(
    "upgrade", "v1.28.0", "--dry-run", "--ignore-check", "nothing",
    says: "error: there is no check `nothing`: it cannot be ignored\nhint: kguard(1) lists them\n"),
  WrongLine(
    "bundle", "pull",
    says:
      "error: there is no off-site copy: the configuration names no target under `offsite:`\nhint: say --from URL, or name one in /etc/kguard/config.yaml\n",
    exit: 3),
  WrongLine("check", "1.29.3", says: "error: cannot upgrade to `1.29.3`: it is not a version\nhint: write it as v1.29.3\n"),
  WrongLine("rollback", says: "error: there is nothing to roll back: no run was ever started here\nhint: see `kguard --help`\n"),
  WrongLine(
    "show", "zzz", says: "error: there is no run yet: BENCH/state holds no journal\nhint: start one with `kguard upgrade VERSION`\n"),
]

@Suite struct `Wrong command lines` {
  @Test(arguments: wrongLines)
  func `are answered with why and what to do, and change nothing`(line: WrongLine) throws {
    let bench = Bench()
    _ = try bench.write("p.yaml", "name: p\nsteps:\n  - {id: a, run: [\"true\"]}\n")
    // `--state` goes first here, so that the end of the line is the test's.
    let result = try runCaptured(
      Bench.binary,
      Command(["kguard", "--state", bench.state] + line.arguments, environment: bench.command([]).environment, directory: bench.path))
    #expect(result.errorText.split(separator: bench.path).joined(separator: "BENCH") == line.errors)
    #expect(result.end == .exited(line.exit))
    #expect(result.text == "")
    #expect(try !Files.exists(bench.state))
  }

  @Test func `are answered on standard output too where another program reads`() throws {
    let result = try Bench().kguard("status", "--bogus", "-o", "json")
    #expect(
      result.output
        == #"{"type":"error","error":{"what":"cannot understand the command line","why":"there is no option `--bogus`","#
        + #""next":"see `kguard status --help`","exit":2},"exit":2}"# + "\n")
    #expect(result.exit == 2)
  }
}

@Suite struct `Help` {
  let bench = Bench()

  /// `kguard`, and every command below it that help names.
  static func commands() throws -> [[String]] {
    var found: [[String]] = [[]]
    var at = 0
    while at < found.count {
      let path = found[at]
      at += 1
      let text = try runCaptured(Bench.binary, Command(["kguard"] + path + ["--help"])).text
      for name in section("Commands", of: text).filter({ !$0.hasPrefix("   ") }).compactMap({ $0.split(separator: " ").first }) {
        found.append(path + [String(name)])
      }
    }
    return found
  }

  static func section(_ title: String, of help: String) -> [Substring] {
    help.split(separator: "\n", omittingEmptySubsequences: false).drop { $0 != title + ":" }.dropFirst().prefix { !$0.isEmpty }.map { $0 }
  }

  @Test func `of every command has a usage, options, examples and exit codes, and fits a terminal`() throws {
    let commands = try Self.commands()
    #expect(commands.count > 15)
    for command in commands {
      let name = (["kguard"] + command).joined(separator: " ")
      let result = try runCaptured(Bench.binary, Command(["kguard"] + command + ["--help"]))
      #expect(result.end == .exited(0), "\(name)")
      #expect(result.errorText == "", "\(name)")
      #expect(result.text.contains("\nUsage: \(name) "), "\(name)")
      #expect(Self.section("Everywhere", of: result.text).count >= 8, "\(name)")
      #expect(Self.section("Examples", of: result.text).contains { $0.hasPrefix("  kguard") }, "\(name)")
      let codes = Self.section("Exit codes", of: result.text).compactMap { Int32($0.prefix(4).trimmingSpaces()) }
      #expect(codes == ExitStatus.allCases.map(\.rawValue), "\(name)")
      for line in result.text.split(separator: "\n") { #expect(line.count <= 100, "\(name): \(line)") }
      // `-h` says the same, wherever it stands.
      #expect(try runCaptured(Bench.binary, Command(["kguard", "-h"] + command)).text == result.text, "\(name)")
    }
  }

  /// `KGUARD_WRITE_EXPECTED=1` writes the texts anew; the difference is then read before it is committed.
  @Test(arguments: [("root", []), ("upgrade", ["upgrade"])])
  func `of the most used commands reads as it was approved`(file: String, command: [String]) throws {
    let expected = Files.directory(of: #filePath) + "/Expected/help-\(file).txt"
    let text = try runCaptured(Bench.binary, Command(["kguard"] + command + ["--help"])).text
    if environment("KGUARD_WRITE_EXPECTED") != nil { try Files.replace(expected, with: Array(text.utf8), mode: 0o644) }
    #expect(text == String(decoding: try Files.read(expected), as: UTF8.self))
  }

  @Test func `is given to those who ask otherwise, and so is the version`() throws {
    let (whole, upgrade) = (try bench.kguard("--help").output, try bench.kguard("upgrade", "--help").output)
    #expect(try bench.kguard("help").output == whole)
    #expect(try bench.kguard("help", "help").output == whole)
    #expect(try bench.kguard("help", "upgrade").output == upgrade)
    #expect(try bench.kguard("help", "bundle", "cat").output == bench.kguard("bundle", "cat", "--help").output)
    let wrong = try bench.kguard("help", "upgrde")
    #expect(wrong.exit == 2 && wrong.errors.contains("did you mean `upgrade`?"), "\(wrong.errors)")
    let version = try bench.kguard("version")
    #expect(version.exit == 0 && version.output.hasPrefix("kguard "))
    let asked = try runCaptured(Bench.binary, Command(["kguard", "--version"]))
    #expect(asked.end == .exited(0) && asked.text == version.output)
  }

  @Test func `is given even where the rest of the line is wrong`() throws {
    #expect(try bench.kguard("upgrade", "--help").exit == 0)
    #expect(try bench.kguard("upgrade", "a", "b", "c", "--help").exit == 0)
    #expect(try bench.kguard("playbook", "--help").exit == 0)
  }
}

@Suite struct `A look at the configuration` {
  static let recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

  @Test(arguments: [
    (
      "encryption: {recipients: [\(recipient)], identity: /etc/nope.txt}", "BENCH/root/etc/nope.txt (`identity`) is not there",
      "make the file, or correct the path"
    ),
    (
      "offsite: [{url: \"s3://b/c\", credentials-file: /no}]\nencryption: none\netcd: {ca-file: /ca}",
      "BENCH/root/no (`credentials-file`) is not there; BENCH/root/ca (`ca-file`) is not there", "make these files"
    ),
    ("offsite: [\"file:///srv\"]", "the configuration does not say how bundles are encrypted", "kguard key new FILE"),
  ])
  func `says what could not be used`(text: String, why: String, next: String) throws {
    let bench = Bench()
    try Files.makeDirectory(bench.path + "/root")
    let file = try bench.write("c.yaml", text)
    let seen = try bench.kguard("config", "check", "--config", file, environment: ["KGUARD_ROOT": bench.path + "/root"])
    let errors = seen.errors.split(separator: bench.path).joined(separator: "BENCH")
    #expect(seen.exit == 2 && seen.output == "" && errors.contains(why) && errors.contains(next), "\(seen.errors)")
  }

  @Test func `gives each mistake a line of its own`() throws {
    let bench = Bench()
    let file = try bench.write("c.yaml", "offsite: [x]\nencryption: {recipients: [age2\(Self.recipient.dropFirst(4))]}\n")
    let seen = try bench.kguard("config", "check", "--config", file)
    let errors = seen.errors.split(separator: bench.path).joined(separator: "BENCH").split(separator: "\n")
    #expect(seen.exit == 2 && errors.first == "error: the configuration BENCH/c.yaml has 2 mistakes:", "\(seen.errors)")
    #expect(errors.dropFirst().first?.hasPrefix("  BENCH/c.yaml:1:11: ") == true, "\(seen.errors)")
    #expect(
      errors.dropFirst(2).first
        == "  BENCH/c.yaml:2:27: an entry of `recipients` is not an age recipient: `age1` and 58 more characters, as `kguard key new` prints it"
    )
  }

  @Test func `names the file that is not there`() throws {
    let bench = Bench()
    try Files.makeDirectory(bench.path + "/root")
    let seen = try bench.kguard("config", "check", environment: ["KGUARD_ROOT": bench.path + "/root"])
    #expect(seen.exit == 0 && seen.output == "There is no \(bench.path)/root/etc/kguard/config.yaml; the defaults are in force.\n")
  }
}

/// What a hint names is the file that is in use.
@Suite struct `A missing target` {
  @Test func `is to be named in the configuration in use`() throws {
    let bench = Bench()
    let root = bench.path + "/root"
    try Files.makeDirectory(root)
    let other = try bench.write("alt.yaml", "offsite: []\n")
    let named = try bench.kguard("bundle", "pull", "--config", other)
    #expect(named.exit == 3 && named.errors.hasSuffix("hint: say --from URL, or name one in \(other)\n"), "\(named.errors)")
    let rooted = try bench.kguard("bundle", "pull", "--root", root)
    #expect(rooted.exit == 3 && rooted.errors.hasSuffix("or name one in \(root)/etc/kguard/config.yaml\n"), "\(rooted.errors)")
    // A run is not told where it got its configuration from.
    let copy = try bench.write("copy.yaml", "name: copy\nsteps:\n  - {id: copy, action: bundle/copy, with: {bundle: /nowhere}}\n")
    let run = try bench.kguard("playbook", "run", copy, "--config", other, "--root", root)
    #expect(
      run.errors.contains("name one in the configuration (--config, or else \(root)/etc/kguard/config.yaml), or say"), "\(run.errors)")
  }
}

extension Substring {
  fileprivate func trimmingSpaces() -> String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}

/// A journal in which a kguard died half-way, and one that nobody may read: seen from the command line.
@Suite struct `A journal seen from outside` {
  let bench = Bench()

  func playbook() throws -> String { try bench.write("p.yaml", "name: p\nsteps:\n  - {id: a, run: [\"true\"]}\n") }

  @Test(arguments: ["journal/migrate.before", "journal/migrate.after"], 1...3)
  func `killed while it is made, the journal is none or whole, and the next command makes it`(point: String, passing: Int) throws {
    let file = try playbook()
    #expect(try bench.kguard("playbook", "run", file, environment: ["KGUARD_FAILPOINT": "\(point)=crash@\(passing)"]).wasKilled)
    let version = try runCaptured("/usr/bin/sqlite3", Command(["sqlite3", "-readonly", bench.state + "/kguard.db", "PRAGMA user_version"]))
      .text
    let formats = point.hasSuffix("after") ? passing : passing - 1
    #expect(version == "\(formats)\n")
    let standing = try bench.kguard("status")
    #expect(standing.exit == ((1...2).contains(formats) ? 1 : 2), "\(standing.errors)")
    let resumed = try bench.kguard("resume")
    #expect(resumed.errors.hasPrefix("error: there is nothing to resume"), "\(resumed.errors)")
    #expect(try bench.kguard("playbook", "run", file).exit == 0)
    #expect(try bench.status()["state"] == "succeeded")
  }

  @Test(.enabled(if: getuid() == 0, "becoming another user needs root"))
  func `of root is not read by another user`() throws {
    // Under /tmp, since another user may not reach the build directory.
    let binary = bench.path + "/kguard"
    #expect(try runCaptured("/bin/cp", Command(["cp", Bench.binary, binary])).end.isSuccess)
    #expect(try bench.kguard("playbook", "run", try playbook()).exit == 0)
    chmod(bench.path, 0o755)
    let result = try runCaptured(
      "/usr/bin/setpriv",
      Command(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary, "history", "--state", bench.state],
        environment: bench.command([]).environment, directory: bench.path))
    #expect(
      result.errorText.split(separator: bench.path).joined(separator: "BENCH")
        == "error: cannot look at BENCH/state/kguard.db: Permission denied\nhint: run it as root, or check owner and mode of the path\n")
    #expect(result.end == .exited(1))
  }
}
