internal import Engine
internal import Host
internal import Journal
internal import Model

/// The exchange of a write-ahead log that has a filesystem of its own: what is in the mount point moves into a directory in it, then the
/// incoming files move up. A file that came in is known by its inode, which was written down before; so after a crash no old file is taken
/// for a new one of the same name.
struct LogFiles {
  static let asideKind = "etcd-log-aside"
  static let restoredKind = "etcd-log-restored"
  static let replacedKind = "etcd-log-replaced"

  let exchange: EtcdExchange
  let context: StepContext

  init(_ exchange: EtcdExchange, _ context: StepContext) {
    self.exchange = exchange
    self.context = context
  }

  /// Where an earlier rollback of the same run has put the files that it moved aside, and did not come to its end.
  static func begun(_ target: RollbackTarget, _ live: String) -> String? {
    let restored = Set(target.moved(EtcdExchange.restoredKind).filter { $0.path == live && $0.state == .present }.map(\.run))
    return target.moved(EtcdExchange.asideKind).first { $0.origin == live && !restored.contains($0.run) }?.path
  }

  func isDone() throws(Failure) -> Bool {
    let intent = try context.artifacts(of: context.run).contains { $0.kind == EtcdExchange.restoredKind && $0.path == exchange.live }
    guard intent, try !Files.exists(exchange.incoming) else { return false }
    return try !files(exchange.live, came: true).isEmpty
  }

  func perform() throws(Failure) {
    let (live, incoming, outgoing) = (exchange.live, exchange.incoming, exchange.outgoing)
    let detail: JSON = ["from": .string(live), "name": .string(exchange.name)]
    try context.artifact(EtcdExchange.asideKind, outgoing, .planned, detail: detail)
    var restored: JSON = ["from": .string(incoming), "name": .string(exchange.name)]
    restored["inode"] = try Files.info(live).map { .string(String($0.inode)) }
    try context.artifact(EtcdExchange.restoredKind, live, .planned, detail: restored)
    try Files.makeDirectory(outgoing, mode: 0o700)
    try Access.of(live)?.apply(to: outgoing)
    try failpoint("\(context.step)/\(exchange.name)-begun")
    for name in try files(live, came: false) {
      try context.move(Self.asideKind, "\(live)/\(name)", to: "\(outgoing)/\(name)", label: "\(exchange.name)-file-aside")
    }
    try context.artifact(EtcdExchange.asideKind, outgoing, .present)
    // As before: owner, mode and label of what is replaced, file by file.
    try Files.giveAccess(incoming, as: outgoing)
    try failpoint("\(context.step)/\(exchange.name)-access.after")
    for name in try regularFiles(incoming) {
      // What an earlier rollback brought in before it failed gives way to what was restored since: the data is of this restore too.
      if try Files.exists("\(live)/\(name)") {
        let away = "\(live)/kguard-replaced-\(context.run)/\(name)"
        try context.move(Self.replacedKind, "\(live)/\(name)", to: away, label: "\(exchange.name)-file-replaced")
      }
      try context.move(Self.restoredKind, "\(incoming)/\(name)", to: "\(live)/\(name)", label: "\(exchange.name)-file-restored")
    }
    try Files.removeOwnEmptyDirectory(incoming)
    try failpoint("\(context.step)/\(exchange.name)-restored.after")
    try context.artifact(EtcdExchange.restoredKind, live, .present)
  }

  /// Of a directory's files those that came in, or those that did not.
  private func files(_ directory: String, came: Bool) throws(Failure) -> [String] {
    // An earlier rollback of the same run may have brought some.
    let runs = try context.parent.map { (run) throws(Failure) in try context.journal.rollbacks(of: run) } ?? []
    var inodes: [String: UInt64] = [:]
    for run in runs.filter({ $0 != context.run }) + [context.run] {
      for move in try context.artifacts(of: run) where move.kind == Self.restoredKind && move.state != .removed {
        inodes[move.path] = EtcdExchange.inode(move)
      }
    }
    var names: [String] = []
    for name in try regularFiles(directory) {
      let path = directory + "/" + name
      let isOurs = try inodes[path].map { (inode) throws(Failure) in try Files.info(path, followLinks: false)?.inode == inode } ?? false
      if isOurs == came { names.append(name) }
    }
    return names
  }

  /// `lost+found`, and what kguard has put there, are directories and stay.
  private func regularFiles(_ directory: String) throws(Failure) -> [String] {
    var names: [String] = []
    for name in try Files.list(directory) where try Files.info(directory + "/" + name, followLinks: false)?.kind == .file {
      names.append(name)
    }
    return names
  }
}
