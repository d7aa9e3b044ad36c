internal import Host
internal import Model

/// `sftp://` and `scp://`. scp knows neither directories nor renaming: there a bundle's files lie side by side (`ID.bundle.json`),
/// half a file can be seen under its name until the next try, and nothing can be listed or deleted. sftp is the better choice.
struct SecureStore: Store {
  let url: String
  let server: SecureHost
  /// Absolute, without a slash at the end.
  let directory: String
  let scratch: String
  let retry: RetryPolicy

  private var isSFTP: Bool { server.language == .sftp }
  var abilities: StoreAbilities { isSFTP ? .all : [] }

  private func path(_ name: String) throws(Failure) -> String {
    try StoreName.check(name)
    return directory + "/" + (isSFTP ? name : String(name.map { $0 == "/" ? "." : $0 }))
  }

  func put(_ name: String, _ source: UploadSource, _ transfer: Transfer) throws(Failure) -> Receipt {
    let path = try path(name)
    guard isSFTP || source.size != nil else {
      let spool = try Spool(in: scratch)
      return try put(name, try spool.fill(source, transfer), transfer)
    }
    do throws(Failure) {
      return try retry.run(transfer.stop) { () throws(Failure) -> RetryPolicy.Try<Receipt> in
        // Without a size libcurl asks until the end: an sftp upload takes its name only after the source was found right.
        let (server, renames, size) = (server, isSFTP, isSFTP ? nil : source.size)
        let stop = transfer.stop
        let (_, made) = try overlapped(source, transfer) { (reader) throws(Failure) in
          try SecureCopy(server, stop: stop).upload(path, size: size, renaming: renames) { (buffer) throws(Failure) in
            try reader.read(into: buffer)
          }
        }
        guard let made else { throw Transfer.endedEarly("cannot send \(name) to \(url)") }
        return .done(Receipt(name: name, size: made.size, sha256: made.sha256))
      }
    } catch {
      if isSFTP { try? SecureCopy(server).removePart(path) }
      throw error
    }
  }

  func get(_ name: String, from offset: Int64, _ transfer: Transfer, into sink: @escaping ByteSink) throws(Failure) {
    let path = try path(name)
    let total = isSFTP ? try head(name)?.size : nil
    if let total, offset > 0, offset >= total { return }
    let copy = try SecureCopy(server, stop: transfer.stop)
    try Download(policy: retry, transfer: transfer, total: total).run(from: offset, into: sink) {
      (from, deliver) throws(Failure) in
      // At the very end there is nothing to resume.
      if from > 0, from == total { return .done(()) }
      // scp begins at the beginning, always.
      var at = isSFTP ? from : 0
      let isThere = try copy.download(path, from: at) { (bytes) throws(Failure) in
        try deliver(at, bytes)
        at += Int64(bytes.count)
      }
      guard isThere else { throw missing(name) }
      return .done(())
    }
  }

  func head(_ name: String) throws(Failure) -> StoredObject? {
    let path = try path(name)
    return try retry.run(nil) { () throws(Failure) -> RetryPolicy.Try<StoredObject?> in
      let there = try SecureCopy(server).look(path)
      return .done(there.map { StoredObject(name: name, size: $0.size, modified: $0.modified) })
    }
  }

  func list(_ prefix: String) throws(Failure) -> [StoredObject] {
    try StoreName.check(prefix: prefix)
    guard isSFTP else { throw cannot("list", url) }
    return try retry.run(nil) { () throws(Failure) -> RetryPolicy.Try<[StoredObject]> in
      .done(try walk(try SecureCopy(server), prefix, depth: 0).sorted { $0.name < $1.name })
    }
  }

  private func walk(_ copy: SecureCopy, _ prefix: String, depth: Int) throws(Failure) -> [StoredObject] {
    guard depth < 8 else { return [] }
    var found: [StoredObject] = []
    for entry in try copy.list(directory + "/" + prefix) ?? [] where StoreName.isOurs(entry.name) {
      if entry.isDirectory {
        found += try walk(copy, prefix + entry.name + "/", depth: depth + 1)
      } else {
        found.append(StoredObject(name: prefix + entry.name, size: entry.size))
      }
    }
    return found
  }

  func delete(_ name: String) throws(Failure) {
    let path = try path(name)
    guard isSFTP else { throw cannot("delete", "\(name) in \(url)") }
    try retry.run(nil) { () throws(Failure) -> RetryPolicy.Try<Void> in
      let above = name.contains("/") ? Files.directory(of: path) : nil
      return .done(try SecureCopy(server).remove(path, andEmptyDirectory: above))
    }
  }

  private func cannot(_ verb: String, _ object: String) -> Failure {
    Failure(.usage, what: "cannot \(verb) \(object)", why: "the scp protocol has no such request", next: "use sftp:// with the same server")
  }
}

/// Where the keys are: the options, then what ssh itself would use.
enum SecureSettings {
  static func read(_ url: StoreURL, _ options: StoreOptions) throws(Failure) -> SecureStore {
    let context = options.context
    let user = url.user ?? context.environment("USER") ?? "root"
    let port = url.port ?? 22
    let directory = url.path.split(separator: "/").map { "/" + $0 }.joined()
    let shown = "\(url.scheme.rawValue)://\(user)@\(url.hostAndPort)\(directory)/"
    let server = SecureHost(
      url.scheme == .sftp ? .sftp : .scp, host: url.host, port: port, user: user, key: try key(options), knownHosts: try knownHosts(options)
    )
    return SecureStore(url: shown, server: server, directory: directory, scratch: context.scratch, retry: context.retry)
  }

  /// The key file that is named, or the first usual one. Nil: the agent only.
  static func key(_ options: StoreOptions) throws(Failure) -> String? {
    let context = options.context
    if let path = options.path("key-file") {
      guard let info = try context.machine.info(path), info.kind == .file else {
        throw options.problem("key-file", "there is no file \(path)", "correct the path")
      }
      guard info.mode & 0o077 == 0 else {
        throw options.problem("key-file", "others can read \(path) (mode 0\(String(info.mode, radix: 8)))", "chmod 600 \(path)")
      }
      return context.machine.locate(path)
    }
    for name in ["id_ed25519", "id_ecdsa", "id_rsa"] {
      let path = context.path("~/.ssh/\(name)")
      if try context.machine.info(path)?.kind == .file { return context.machine.locate(path) }
    }
    return nil
  }

  static func knownHosts(_ options: StoreOptions) throws(Failure) -> [String] {
    let context = options.context
    guard let path = options.path("known-hosts") else {
      return [context.path("~/.ssh/known_hosts"), "/etc/ssh/ssh_known_hosts"].map { context.machine.locate($0) }
    }
    guard try context.machine.info(path)?.kind == .file else {
      throw options.problem("known-hosts", "there is no file \(path)", "make it with ssh-keyscan, after comparing the keys")
    }
    return [context.machine.locate(path)]
  }
}
