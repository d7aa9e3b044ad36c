@testable import CLI
import Glibc
import Host
import Model
import Testing

/// README and docs/*.md are held to the program: what they show can be typed.
@Suite struct `What the docs show` {
  static let project = Files.directory(of: Files.directory(of: Files.directory(of: #filePath)))

  static let guides = ["docs/upgrade.md", "docs/recovery.md"]

  /// Paths of the pages, from the project's directory.
  static func pages() throws -> [String] {
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
      + (try Files.list(project + "/docs").filter { $0.hasSuffix(".md") }.sorted().map { "docs/" + $0 })
  }

  static func text(_ page: String) throws -> String { String(decoding: try Files.read(project + "/" + page), as: UTF8.self) }

  /// A mistake in a command line, or nothing. Examples within a sentence may leave arguments out.
  static func mistake(_ words: [String], isWhole: Bool) -> String? {
    do {
      _ = try Parser(root: Commands.root).parse(words + (isWhole ? [] : ["--help"]))
      return nil
    } catch { return error.description }
  }

  @Test func `every command of a block can be typed`() throws {
    var seen = 0
    for page in try Self.pages() {
      for block in ShellBlock.all(of: page, try Self.text(page)) {
        for words in block.commands(of: "kguard") {
          seen += 1
          let mistake = Self.mistake(words, isWhole: true)
          #expect(mistake == nil, "\(page):\(block.line): kguard \(words.joined(separator: " "))")
        }
      }
    }
    #expect(seen > 40)
  }

  @Test func `every command in a sentence is one`() throws {
    var seen = 0
    for page in try Self.pages() {
      for (line, span) in ShellBlock.spans(of: try Self.text(page)) {
        for words in ShellWords.commands(span) where words.first == "kguard" {
          seen += 1
          let said = Array(words.dropFirst().prefix { !$0.contains("…") })
          let mistake = Self.mistake(said, isWhole: false)
          #expect(mistake == nil, "\(page):\(line): \(span)")
        }
      }
    }
    #expect(seen > 40)
  }

  @Test func `a command or an option that does not exist would be found`() {
    let text = "```sh\nkguard frobnicate   # no\nFOO=1 kguard status --wach | kguard upgrade\n```"
    let commands = ShellBlock.all(of: "page", text).flatMap { $0.commands(of: "kguard") }
    #expect(commands == [["frobnicate"], ["status", "--wach"], ["upgrade"]])
    for words in commands { #expect(Self.mistake(words, isWhole: true) != nil) }
    #expect(Self.mistake(["status", "--wach"], isWhole: false) != nil)
    #expect(ShellWords.commands("a 'b c' \"d\"\\\n e > f; g # h\ni") == [["a", "b c", "d", "e"], ["g"], ["i"]])
  }

  /// The two guides are followed below; elsewhere each block says why it isn't. A new exception is to be counted here.
  @Test func `a block that is not run says why`() throws {
    var exceptions = 0
    for page in try Self.pages() {
      let isFollowed = Self.guides.contains(page)
      for block in ShellBlock.all(of: page, try Self.text(page)) {
        if block.notRun != nil { exceptions += 1 }
        if !isFollowed { #expect(block.notRun?.isEmpty == false, "\(page):\(block.line)") }
      }
    }
    #expect(exceptions == 19)
  }

  @Test func `links lead somewhere`() throws {
    for page in try Self.pages() {
      let text = try Self.text(page)
      let targets = text.split(separator: "](").dropFirst().map { $0.prefix { $0 != ")" } }
      let sources = ["src=\"", "srcset=\""].flatMap { text.split(separator: $0).dropFirst().map { $0.prefix { $0 != "\"" } } }
      for target in targets + sources where !target.contains("://") {
        let path = target.prefix { $0 != "#" }
        guard !path.isEmpty else { continue }
        #expect(try Files.exists(Files.directory(of: Self.project + "/" + page) + "/" + path), "\(page): \(target)")
      }
    }
  }

  /// Both guides from top to bottom, on one node: an upgrade, its rollback, that taken back, and etcd restored without kguard.
  @Test func `the guides to an upgrade and to a recovery can be followed`() throws {
    let node = try SandboxNode()
    defer { node.down() }
    try node.sandbox(["objects", node.root])
    let work = node.bench.path + "/work"
    for directory in [work, node.bench.path + "/bin"] { try Files.makeDirectory(directory) }
    try #require(symlink(Bench.binary, node.bench.path + "/bin/kguard") == 0)
    var done = 0
    for page in Self.guides {
      if page == "docs/recovery.md" { try fetchSealed(node, to: work) }
      for block in ShellBlock.all(of: page, try Self.text(page)) where block.notRun == nil {
        let result = try follow(block, node, work)
        try #require(result.end == .exited(0), "\(page):\(block.line): \(result.text) \(result.errorText)")
        // Between the key and the first look at the configuration, the reader writes the configuration.
        if block.text.contains("kguard key new") { try configure(node, key: work + "/kguard-key.txt") }
        done += 1
      }
    }
    #expect(done > 12)
    try node.bench.wait("the node is ready", .seconds(60)) { (try? node.sandbox(["status", node.root])) != nil }
    #expect(try Files.exists(node.root + "/var/lib/etcd.aside"))
    #expect(try node.sandbox(["status", node.root]).contains("kube-apiserver:v1.27.4"))
  }

  /// The paths of the host are the sandbox's here; all else is as the page has it.
  func follow(_ block: ShellBlock, _ node: SandboxNode, _ work: String) throws -> CommandResult {
    var text = block.text
    for host in ["/etc/kubernetes", "/var/lib/etcd"] {
      text = text.split(separator: host, omittingEmptySubsequences: false).joined(separator: node.root + host)
    }
    text = text.split(separator: " -C / ", omittingEmptySubsequences: false).joined(separator: " -C \(node.root) ")
    let script = "set -eu -o pipefail\neval \"$(python3 '\(SandboxNode.script)' env '\(node.root)')\"\nPATH=\(node.bench.path)/bin:$PATH\n"
    let environment = [
      "KGUARD_ROOT": node.root, "KGUARD_STATE": "", "KGUARD_CONFIG": "", "KGUARD_OUTPUT": "", "KGUARD_YES": "1", "LC_ALL": "C.UTF-8",
    ]
    return try runCaptured(
      "/bin/bash", Command(["bash", "-c", script + text], environment: environment, directory: work), timeout: .seconds(300))
  }

  /// The files of the newest bundle as they lie off-site.
  func fetchSealed(_ node: SandboxNode, to work: String) throws {
    let offsite = node.root + "/srv/offsite"
    let newest = try #require(try Files.list(offsite).max())
    for name in try Files.list(offsite + "/" + newest) {
      try Files.copyFile(offsite + "/" + newest + "/" + name, to: work + "/" + name, mode: 0o600)
    }
  }

  func configure(_ node: SandboxNode, key: String) throws {
    let recipient = try #require(
      String(decoding: try Files.read(key), as: UTF8.self).split { $0.isWhitespace }.first { $0.hasPrefix("age1") })
    for directory in ["/etc/kguard", "/srv/offsite"] { try Files.makeDirectory(node.root + directory) }
    let text = """
      offsite: [{url: file:///srv/offsite, same-disk: true}]
      encryption: {recipients: [\(recipient)]}
      health: {soak: 2s}

      """
    try Files.replace(node.root + "/etc/kguard/config.yaml", with: Array(text.utf8), mode: 0o600)
  }
}
