internal import Host
internal import Model

/// Makes a package file of an installed Debian package, as it is on this node: what dpkg's database knows of it, and its files with what is
/// in them now. A conffile that was edited is in it as it was edited; from then on dpkg takes that for the package's own.
struct Repacking {
  private let machine: any Machine
  private let package: String
  /// Where dpkg has put the files, without a slash at the end.
  private let top: String

  init(_ machine: any Machine, _ package: String) {
    self.machine = machine
    self.package = package
    top = Self.top(machine)
  }

  func pack(in tree: String, to file: String) throws(Failure) {
    try Files.removeOwnTree(tree)
    try Files.makeDirectory(tree, mode: 0o755)
    try Files.setMode(tree, 0o755)
    try copyFiles(to: tree)
    try writeControl(tree)
    // Little compression: it is needed once, or never.
    try asked(["dpkg-deb", "-Zgzip", "-z1", "--build", tree, file], timeout: .seconds(600))
    try Files.removeOwnTree(tree)
  }

  // MARK: - Files

  private func copyFiles(to tree: String) throws(Failure) {
    let paths = try paths()
    let parents = Set(paths.map { Files.directory(of: $0.name) })
    var count = 0
    for (name, place) in paths {
      // Excluded by dpkg's configuration, or a conffile that somebody removed.
      guard let info = try Files.info(place, followLinks: false) else { continue }
      let copy = tree + name
      switch info.kind {
      case .directory: try makeDirectory(copy, like: info)
      // `/lib` is a directory to the package, and a link here.
      case .link where parents.contains(name):
        if let real = try Files.info(place) { try makeDirectory(copy, like: real) }
      case .link: try Files.makeLink(copy, to: try Files.linkTarget(place))
      case .file:
        try Files.copyFile(place, to: copy, mode: 0o600)
        try give(copy, info)
        count += 1
      case .other: break
      }
    }
    if count > 0 { return }
    throw failure("none of its files is below \(top.isEmpty ? "/" : top)")
  }

  private func makeDirectory(_ path: String, like info: FileInfo) throws(Failure) {
    try Files.makeDirectory(path, mode: 0o755)
    try give(path, info)
  }

  private func give(_ path: String, _ info: FileInfo) throws(Failure) {
    if Files.isRoot { try Files.setOwner(path, owner: info.owner, group: info.group) }
    try Files.setMode(path, info.mode)
  }

  /// Each path of the package, and where it is here: dpkg tells of a diversion in the line that follows.
  private func paths() throws(Failure) -> [(name: String, place: String)] {
    var found: [(name: String, place: String)] = []
    for line in try asked(["dpkg-query", "-L", package]).text.split(separator: "\n").map(String.init) {
      if line.hasPrefix("/") {
        if line != "/." { found.append((line, top + line)) }
      } else if let other = line.split(separator: " to: ").last, line.contains("diverted "), other.hasPrefix("/"),
        !line.hasPrefix("package diverts"), let last = found.indices.last
      {
        found[last].place = top + other
      }
    }
    return found
  }

  // MARK: - Control

  private func writeControl(_ tree: String) throws(Failure) {
    let directory = tree + "/DEBIAN"
    try Files.makeDirectory(directory, mode: 0o755)
    try Files.setMode(directory, 0o755)
    func write(_ name: String, _ bytes: [UInt8], mode: UInt32) throws(Failure) {
      try Files.replace(directory + "/" + name, with: bytes, mode: mode)
      try Files.setMode(directory + "/" + name, mode)
    }
    try write("control", Array(Self.control(ofStatus: try asked(["dpkg-query", "-s", package]).text).utf8), mode: 0o644)
    for name in try asked(["dpkg-query", "--control-list", package]).text.split(whereSeparator: \.isWhitespace).map(String.init) {
      if name.contains("/") || name == "control" { continue }
      let content = try asked(["dpkg-query", "--control-show", package, name])
      if name == "conffiles" {
        let kept = try Self.conffiles(content.text) { (path) throws(Failure) in try Files.exists(tree + path) }
        if !kept.isEmpty { try write(name, Array(kept.utf8), mode: 0o644) }
      } else {
        let isScript = ["preinst", "postinst", "prerm", "postrm", "config"].contains(name)
        try write(name, content.output, mode: isScript ? 0o755 : 0o644)
      }
    }
  }

  /// What the package itself says, without what dpkg knows of its state here.
  static func control(ofStatus status: String) -> String {
    let own = ["Status:", "Conffiles:", "Config-Version:", "Triggers-Pending:", "Triggers-Awaited:"]
    var lines: [Substring] = []
    var isOwn = false
    for line in status.split(separator: "\n") {
      if line.first?.isWhitespace != true { isOwn = own.contains { line.hasPrefix($0) } }
      if !isOwn { lines.append(line) }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A package may list only what it holds; a line with a flag before the path names what is to go.
  static func conffiles(_ text: String, exists: (String) throws(Failure) -> Bool) throws(Failure) -> String {
    var kept = ""
    for line in text.split(separator: "\n") {
      let isFlagged = !line.hasPrefix("/")
      guard let path = isFlagged ? line.split(separator: " ").last : line else { continue }
      if try exists(String(path)) != isFlagged { kept += line + "\n" }
    }
    return kept
  }

  // MARK: - dpkg

  @discardableResult
  private func asked(_ argv: [String], timeout: Duration = .seconds(60)) throws(Failure) -> CommandResult {
    let result = try machine.run(argv, in: "/", timeout: timeout)
    guard result.end.isSuccess else { throw failure("\(argv.prefix(2).joined(separator: " ")): \(result.lastWords)") }
    return result
  }

  private func failure(_ why: String) -> Failure {
    Failure(
      what: "cannot keep the installed package \(package) for a way back", why: why,
      next: "mend what is named, or put the package's file into apt's cache (/var/cache/apt/archives), then try again")
  }

  /// apt may have been told to install below another directory.
  private static func top(_ machine: any Machine) -> String {
    if machine.root != "/" { return machine.root }
    guard let told = try? machine.run(["apt-config", "dump", "--format", "%v%n", "DPkg::Options"]), told.end.isSuccess else { return "" }
    return top(ofOptions: told.text)
  }

  static func top(ofOptions text: String) -> String {
    var top = ""
    for line in text.split(separator: "\n") {
      for option in ["--instdir=", "--root="] where line.hasPrefix(option) { top = String(line.dropFirst(option.count)) }
    }
    while top.hasSuffix("/") { top.removeLast() }
    return top
  }
}
