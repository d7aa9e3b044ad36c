internal import Glibc
internal import Host
internal import Model

/// `rsync://host/module/path` and `user@host:path`, through the rsync program. It writes under a temporary name and renames, so
/// no one sees half a file. What is sent and what comes back goes through files.
struct RsyncStore: Store {
  let url: String
  let program: String
  /// Before the options of an operation: how to get there.
  let options: [String]
  /// `rsync://host/module/path/` or `user@host:path/`
  let base: String
  let environment: [String: String]
  let scratch: String
  let retry: RetryPolicy

  var abilities: StoreAbilities { [.list, .delete, .atomicPut] }

  func put(_ name: String, _ source: UploadSource, _ transfer: Transfer) throws(Failure) -> Receipt {
    try StoreName.check(name)
    let directory = try RsyncScratch(in: scratch)
    let staged = directory.path + "/" + name
    try Files.makeDirectory(Files.directory(of: staged), mode: 0o700)
    let made: (size: Int64, sha256: Digest)
    if let path = source.path {
      made = try source.run { (_) throws(Failure) in try transfer.check("cannot send \(name) to \(url)") }
      if symlink(path, staged) != 0 { throw systemFailure(errno, "cannot make the link \(staged)") }
    } else {
      made = try write(source, to: staged, transfer)
    }
    // Without -I a file of the same size and time would be taken for the same; -R makes the directory above.
    _ = try run(
      ["-I", "-W", "-L", "-R", "--chmod=D700,F600", "--info=progress2", "--no-h", "--", "\(directory.path)/./\(name)", base],
      transfer, total: made.size, "cannot send \(name) to \(url)")
    transfer.progress(Progress(done: made.size, total: made.size))
    return Receipt(name: name, size: made.size, sha256: made.sha256)
  }

  func get(_ name: String, from offset: Int64, _ transfer: Transfer, into sink: @escaping ByteSink) throws(Failure) {
    guard let object = try head(name) else { throw missing(name) }
    let directory = try RsyncScratch(in: scratch)
    let path = directory.path + "/object"
    let free = try Files.freeSpace(directory.path)
    guard free > object.size else {
      throw Failure(
        what: "cannot get \(name) from \(url)", why: "\(scratch) has \(sizeForPeople(free)) free, it needs \(sizeForPeople(object.size))",
        next: "free space on that filesystem")
    }
    _ = try run(
      ["-I", "-W", "--info=progress2", "--no-h", "--", base + name, path], transfer, total: object.size, "cannot get \(name) from \(url)")
    try readFile(path, from: offset) { (bytes) throws(Failure) in
      try transfer.check("cannot get \(name) from \(url)")
      try sink(bytes)
    }
    transfer.progress(Progress(done: object.size, total: object.size))
  }

  func head(_ name: String) throws(Failure) -> StoredObject? {
    try StoreName.check(name)
    let found = try listing([base + name], "cannot look at \(name) in \(url)") ?? []
    return found.first { !$0.isDirectory && Files.name(of: name) == $0.name }.map { StoredObject(name: name, size: $0.size) }
  }

  func list(_ prefix: String) throws(Failure) -> [StoredObject] {
    try StoreName.check(prefix: prefix)
    let found = try listing(["-r", base + prefix], "cannot list \(url)\(prefix)") ?? []
    return found.filter { !$0.isDirectory && StoreName.isOurs($0.name) }.map { StoredObject(name: prefix + $0.name, size: $0.size) }
      .sorted { $0.name < $1.name }
  }

  func delete(_ name: String) throws(Failure) {
    guard try head(name) != nil else { return }
    let what = "cannot delete \(name) in \(url)"
    // rsync deletes what its source lacks: here an empty directory is the source, and everything but the one name is left out.
    let empty = try RsyncScratch(in: scratch)
    let directory = name.contains("/") ? Files.directory(of: name) + "/" : ""
    let only = ["-r", "--delete", "--existing", "--ignore-existing"]
    _ = try run(
      only + ["--include=/\(Files.name(of: name))", "--exclude=*", "--", empty.path + "/", base + directory], Transfer(), total: nil, what)
    guard !directory.isEmpty, try list(directory).isEmpty else { return }
    let above = Files.directory(of: name).contains("/") ? Files.directory(of: Files.directory(of: name)) + "/" : ""
    let last = Files.name(of: Files.directory(of: name))
    // Not if someone else keeps something there: the exclusion protects it, and the directory with it.
    _ = try? run(only + ["--include=/\(last)/", "--exclude=*", "--", empty.path + "/", base + above], Transfer(), total: nil, what)
  }

  // MARK: - The program

  private struct Line { var name: String, size: Int64, isDirectory: Bool }

  /// Nil where there is no such path.
  private func listing(_ arguments: [String], _ what: String) throws(Failure) -> [Line]? {
    let paths = arguments.filter { $0 != "-r" }, flags = arguments.filter { $0 == "-r" }
    guard let text = try run(["--list-only", "--no-h"] + flags + ["--"] + paths, Transfer(), total: nil, what, isListing: true) else {
      return nil
    }
    return text.split(whereSeparator: \.isNewline).compactMap { line in
      // -rw-------          1,234 2026/11/21 04:08:08 name
      let fields = line.split(separator: " ", maxSplits: 4, omittingEmptySubsequences: true)
      guard fields.count == 5, let size = Int64(String(fields[1].filter { $0 != "," && $0 != "." })) else { return nil }
      guard fields[0].hasPrefix("-") || fields[0].hasPrefix("d") else { return nil }
      return Line(name: String(fields[4]), size: size, isDirectory: fields[0].hasPrefix("d"))
    }
  }

  /// What it printed; nil where a listing says that the path is missing.
  private func run(
    _ arguments: [String], _ transfer: Transfer, total: Int64?, _ what: String, isListing: Bool = false
  ) throws(Failure) -> String? {
    let logs = try RsyncScratch(in: scratch)
    let (output, errors) = (logs.path + "/output", logs.path + "/errors")
    let command = Command(["rsync"] + options + arguments, environment: environment.merging(["LC_ALL": "C"]) { $1 })
    return try retry.run(transfer.stop) { () throws(Failure) -> RetryPolicy.Try<String?> in
      let end = try runWatched(program, command, output: output, errors: errors, stop: transfer.stop) { () throws(Failure) in
        if let done = Self.progress(output) { transfer.progress(Progress(done: done, total: total)) }
      }
      let said = String(decoding: try Files.read(errors), as: UTF8.self)
      if end.isSuccess { return .done(isListing ? String(decoding: try Files.read(output), as: UTF8.self) : "") }
      if isListing, end == .exited(23), said.contains("No such file or directory") { return .done(nil) }
      throw RsyncRefusal.failure(end, said, what)
    }
  }

  /// The first number of the last line that `--info=progress2` wrote.
  private static func progress(_ path: String) -> Int64? {
    guard let bytes = try? Files.read(path, limit: 16 << 20) else { return nil }
    let last = bytes.split { $0 == 0x0d || $0 == 0x0a }.last.map { String(decoding: $0, as: UTF8.self) }
    return last?.split(separator: " ").first.flatMap { Int64(String($0.filter { $0 != "," })) }
  }
}

/// A directory for one run of the program, gone with the value.
struct RsyncScratch: ~Copyable {
  let path: String

  init(in directory: String) throws(Failure) {
    path = directory + "/rsync-\(hex(randomBytes(8)))"
    try Files.makeDirectory(path, mode: 0o700)
  }

  deinit { _ = try? runCaptured("/bin/rm", Command(["rm", "-rf", "--", path])) }
}

/// What rsync's exit status and its words mean.
enum RsyncRefusal {
  static func failure(_ end: ProcessEnd, _ said: String, _ what: String) -> Failure {
    let lines = said.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("rsync error:") || !said.contains("\n") }
    let why = lines.first.map(String.init) ?? end.description
    func fails(_ next: String, isTransient: Bool = false) -> Failure {
      Failure(what: what, why: "rsync: \(why) (\(end))", next: next, isTransient: isTransient)
    }
    if said.contains("Host key verification failed") || said.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") {
      return fails("compare the server's host key with its own, then put it into known_hosts; kguard never goes on without it")
    }
    if said.contains("Permission denied (") || said.contains("Too many authentication failures") {
      return fails("check the user, the key (`key-file`) and the server's authorized_keys; kguard never sends a password over ssh")
    }
    if said.contains("auth failed") { return fails("check `user` and `credentials-file`, and the module's secrets on the server") }
    if said.contains("No space left") || said.contains("Disk quota exceeded") {
      return fails("free space on the server, or raise the quota, or prune old bundles")
    }
    if said.contains("Permission denied") || said.contains("read only") { return fails("let this user write there") }
    if said.contains("No such file or directory") || said.contains("Unknown module") || said.contains("chdir failed") {
      return fails("make the directory on the server, or correct the URL")
    }
    switch end {
    case .exited(10), .exited(12), .exited(30), .exited(35), .exited(255):
      return fails("check the network and the server", isTransient: true)
    case .exited(127): return fails("install rsync on the server too")
    default: return fails("look at the server, then run the same command again")
    }
  }
}

enum RsyncSettings {
  static func read(_ url: StoreURL, _ options: StoreOptions) throws(Failure) -> RsyncStore {
    let context = options.context
    let program = try context.machine.require(program: "rsync")
    var path = url.path
    while path.hasSuffix("/") { path.removeLast() }
    guard StoreURL.isPlainPath(path), !context.scratch.contains(":") else {
      throw Failure(
        .usage, what: "cannot use \(options.target.url)", why: "its path holds characters that do not pass through rsync unchanged",
        next: "use letters, digits and / . _ - + = , ~")
    }
    if url.scheme == .ssh { return try overSSH(url, path, program, options) }
    guard path.split(separator: "/").count >= 1 else {
      throw Failure(.usage, what: "cannot use \(options.target.url)", why: "it names no module", next: "write rsync://HOST/MODULE/PATH")
    }
    let user = options["user"] ?? url.user
    let base = "rsync://\(user.map { "\($0)@" } ?? "")\(url.hostAndPort)\(path)/"
    var flags = ["--timeout=60", "--contimeout=15", "-s"]
    var environment: [String: String] = [:]
    if let file = options.path("credentials-file") {
      // Its content would be a secret in the environment; rsync reads the file by itself.
      _ = try context.secretFile(file)
      flags.append("--password-file=\(context.machine.locate(file))")
    } else if let password = context.environment("RSYNC_PASSWORD") ?? context.environment("KGUARD_STORE_PASSWORD") {
      environment["RSYNC_PASSWORD"] = password
    }
    return RsyncStore(
      url: base, program: program, options: flags, base: base, environment: environment, scratch: context.scratch, retry: context.retry)
  }

  private static func overSSH(_ url: StoreURL, _ path: String, _ program: String, _ options: StoreOptions) throws(Failure) -> RsyncStore {
    let context = options.context
    var ssh = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=15", "-o", "ServerAliveInterval=15"]
    if options["known-hosts"] != nil { ssh += ["-o", "UserKnownHostsFile=\(try SecureSettings.knownHosts(options)[0])"] }
    if options["key-file"] != nil, let key = try SecureSettings.key(options) { ssh += ["-o", "IdentitiesOnly=yes", "-i", key] }
    if let port = try options.number("port", 1...65535) { ssh += ["-p", "\(port)"] }
    // rsync cuts this argument at spaces.
    guard ssh.allSatisfy({ !$0.contains(where: { $0 == " " || $0 == "\"" || $0 == "'" }) }) else {
      throw Failure(
        .usage, what: "cannot use \(options.target.url)", why: "a path of `key-file` or `known-hosts` holds a space or a quote",
        next: "use paths without them")
    }
    let base = "\(url.user.map { "\($0)@" } ?? "")\(url.host):\(path)/"
    return RsyncStore(
      url: base, program: program, options: ["--timeout=60", "-s", "-e", ssh.joined(separator: " ")], base: base, environment: [:],
      scratch: context.scratch, retry: context.retry)
  }
}
