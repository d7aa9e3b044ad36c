import Glibc
import Host
import Model
import Testing

/// The manual, the pages in docs/manual and the help texts come from one description; these tests hold the rest to it.
@Suite struct `The manual` {
  let bench = Bench()
  static let project = Files.directory(of: Files.directory(of: Files.directory(of: Files.directory(of: #filePath))))

  func pages() throws -> [(name: String, text: String)] {
    let directory = bench.path + "/man"
    try Files.makeDirectory(directory)
    let made = try bench.kguard("docs", "man", directory, environment: ["SOURCE_DATE_EPOCH": "1700000000"])
    #expect(made.exit == 0, "\(made.errors)")
    return try Files.list(directory).sorted().map { ($0, String(decoding: try Files.read(directory + "/" + $0), as: UTF8.self)) }
  }

  /// A page as a reader sees it, on one line.
  func read(_ name: String) throws -> String {
    let result = try runCaptured(
      "/usr/bin/man",
      Command(
        ["man", "-l", bench.path + "/man/" + name], environment: ["MANWIDTH": "200", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""]))
    return result.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  @Test func `has three pages that man takes without a warning`() throws {
    let pages = try pages()
    #expect(pages.map(\.name) == ["kguard-playbook.5", "kguard.1", "kguard.yaml.5"])
    for page in pages {
      let file = bench.path + "/man/" + page.name
      let result = try runCaptured("/usr/bin/man", Command(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", file]))
      #expect(result.errorText == "", "\(page.name)")
      #expect(result.end == .exited(0))
      #expect(page.text.utf8.allSatisfy { $0 < 0x80 }, "\(page.name) is not ASCII")
      #expect(page.text.contains("2023-11-14"), "\(page.name) does not bear the date of its source")
      #expect(try self.read(page.name).contains("NAME"))
    }
  }

  @Test func `tells of every command and option that help tells of`() throws {
    _ = try pages()
    let text = try read("kguard.1")
    for command in try Help.commands() where !command.isEmpty {
      let help = try runCaptured(Bench.binary, Command(["kguard"] + command + ["--help"])).text
      if Help.section("Commands", of: help).isEmpty { #expect(text.contains("kguard " + command.joined(separator: " "))) }
      for line in Help.section("Options", of: help) + Help.section("Everywhere", of: help) where line.hasPrefix("  -") {
        let entry = line.dropFirst(2).split(separator: " ").prefix { $0.hasPrefix("-") }.joined(separator: " ")
        #expect(text.contains(entry), "\(entry) of \(command)")
      }
    }
    for status in ExitStatus.allCases { #expect(text.contains("\(status.rawValue) \(status.meaning.prefix(20))")) }
  }

  @Test func `tells of every variable of the environment that kguard reads`() throws {
    _ = try pages()
    let text = try read("kguard.1")
    let found = try runCaptured("/bin/grep", Command(["grep", "-rhoE", #"environment\("[A-Z_]+""#, Self.project + "/Sources"])).text
    // What tests set, and what is the same in every program.
    let own = ["KGUARD_FAILPOINT", "KGUARD_FAILPOINT_LOG", "KGUARD_FAILPOINT_ONCE", "KGUARD_FAULT", "SOURCE_DATE_EPOCH", "USER"]
    let names = Set(found.split(separator: "\n").compactMap { $0.split(separator: "\"").dropFirst().first.map(String.init) })
    #expect(names.count > 10)
    for name in names where !own.contains(name) && !name.hasPrefix("KGUARD_TEST_") { #expect(text.contains(name), "\(name)") }
  }

  @Test func `lists the checks that a preflight makes`() throws {
    _ = try pages()
    let text = try read("kguard.1")
    let found = try runCaptured(
      "/bin/grep",
      Command(["grep", "-rhoE", #"Check\("[a-z-]+""#, Self.project + "/Sources/Cluster/Preflight", "--exclude=PreflightCheck.swift"]))
    let names = Set(found.text.split(separator: "\n").compactMap { $0.split(separator: "\"").dropFirst().first.map(String.init) })
    let offered = try bench.kguardCompletes("check", "--ignore-check", "")
    #expect(names == Set(offered))
    // And in the order of a report, which leaves some out where there is no cluster.
    let root = bench.path + "/root"
    try Files.makeDirectory(root)
    let report = try JSON(parsing: try bench.kguard("check", "--root", root, "--ignore-check", "control-plane", "-o", "json").output)
    let reported = report["checks"]?.array?.compactMap { $0["name"]?.string } ?? []
    #expect(reported.count > 10)
    #expect(offered.filter { reported.contains($0) } == reported)
    for name in names { #expect(text.contains(" \(name) ")) }
  }

  /// The tables of these pages are written by hand; no key that the checker knows may be missing from them.
  @Test(arguments: [("config", "configuration.md"), ("playbook", "playbooks.md")])
  func `and the pages in docs tell of every key`(command: String, page: String) throws {
    let schema = try JSON(parsing: try bench.kguard(command, "schema").output)
    let text = String(decoding: try Files.read(Self.project + "/docs/" + page), as: UTF8.self)
    let words = Set(text.split { !($0.isLetter || $0.isNumber || $0 == "-") }.map(String.init))
    for key in Self.keys(schema) { #expect(words.contains(key), "docs/\(page) does not tell of `\(key)`") }
  }

  static func keys(_ schema: JSON) -> Set<String> {
    var found: Set<String> = []
    for (key, value) in schema["properties"]?.object?.pairs ?? [] { found.formUnion([key] + keys(value)) }
    for part in ["items", "additionalProperties"] { if let inner = schema[part] { found.formUnion(keys(inner)) } }
    for inner in schema["anyOf"]?.array ?? [] { found.formUnion(keys(inner)) }
    return found
  }

  /// `KGUARD_WRITE_EXPECTED=1` writes the pages anew; the difference is then read before it is committed.
  @Test func `in docs reads as kguard writes it`() throws {
    let directory = Self.project + "/docs/manual"
    let fresh = bench.path + "/markdown"
    for target in [fresh] + (environment("KGUARD_WRITE_EXPECTED") == nil ? [] : [directory]) {
      try Files.makeDirectory(target)
      #expect(try bench.kguard("docs", "markdown", target).exit == 0)
    }
    for name in try Files.list(fresh) { #expect(try Files.read(fresh + "/" + name) == Files.read(directory + "/" + name), "\(name)") }
    #expect(try Files.list(directory).sorted() == Files.list(fresh).sorted())
  }
}

extension Bench {
  /// The words that `kguard __complete` offers.
  func kguardCompletes(_ words: String...) throws -> [String] {
    let result = try runCaptured(Self.binary, Command(["kguard", "__complete"] + words, environment: ["LC_ALL": "C.UTF-8"]))
    return result.text.split(separator: "\n", omittingEmptySubsequences: false).dropFirst().compactMap { $0.split(separator: "\t").first }
      .map(String.init)
  }
}
