internal import Bundles
internal import Cluster
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `kguard bundle …`: find, check and move bundles. Looking into them is in `BundleContentCommands`.
enum BundleCommands {
  static let from = OptionSpec("--from", value: "URL", "an off-site store (default: the first of the configuration)", completes: .target)
  static let identity = OptionSpec("--identity", value: "FILE", "the file with the secret key")
  static let to = OptionSpec("--to", value: "DIR", "where to put it")
  static let which = ArgumentSpec(
    "BUNDLE", "a bundle, or the end of its id (default: the newest), or a path", isOptional: true,
    completes: .bundle(.here, orPath: true))

  static let catalogued = ArgumentSpec("BUNDLE", "a bundle, or the end of its id (default: the newest)", isOptional: true)

  static let spec = CommandSpec(
    name: "bundle", summary: "find, check, copy, restore and look into bundles",
    examples: [.init("kguard bundle list", "those of this node"), .init("kguard bundle verify", "the newest bundle")],
    subcommands: [
      CommandSpec(
        name: "list", summary: "list the bundles, newest first", options: [from, identity],
        examples: [
          .init("kguard bundle list", "those of this node's catalogue"),
          .init("kguard bundle list --from s3://bucket/prefix", "those that a store holds"),
        ],
        run: { (invocation) throws(Failure) in
          let session = try Session(invocation)
          return invocation.has(from) ? try listOffsite(session) : try list(session)
        }),
      CommandSpec(
        name: "show", summary: "show what a bundle holds and where its copies are", arguments: [catalogued],
        examples: [.init("kguard bundle show", "the newest bundle")],
        run: { (invocation) throws(Failure) in try show(try Session(invocation)) }),
      CommandSpec(
        name: "verify", summary: "read all of a bundle, a snapshot or a stopped member's data, and say whether it is sound",
        arguments: [which],
        examples: [
          .init("kguard bundle verify", "the newest bundle"), .init("kguard bundle verify /backup/snapshot.db", "any snapshot of etcd"),
        ],
        run: { (invocation) throws(Failure) in try verify(try Session(invocation)) }),
      CommandSpec(
        name: "copy", summary: "send a bundle to the off-site targets, and read it back", arguments: [catalogued],
        examples: [.init("kguard bundle copy", "the newest bundle, to every target of the configuration")],
        acts: true,
        run: { (invocation) throws(Failure) in try copy(try Session(invocation)) }),
      CommandSpec(
        name: "pull", summary: "bring a bundle back from off-site; needs only the URL and the key",
        arguments: [
          ArgumentSpec("BUNDLE", "the bundle's id (default: the newest of the store)", isOptional: true, completes: .bundle(.anywhere))
        ],
        options: [from, identity, to],
        examples: [
          .init("kguard bundle pull --from s3://bucket/p --identity key.txt", "the newest one, on a new machine")
        ],
        acts: true,
        run: { (invocation) throws(Failure) in try pull(try Session(invocation)) }),
      CommandSpec(
        name: "prune", summary: "remove what the retention no longer keeps, and what ended runs have left",
        options: [.dryRun],
        examples: [.init("kguard bundle prune --dry-run", "see what would go")],
        acts: true,
        run: { (invocation) throws(Failure) in try prune(try Session(invocation)) }),
      BundleContentCommands.objects, BundleContentCommands.cat, BundleContentCommands.diff, BundleContentCommands.restore,
    ])

  private static func list(_ session: Session) throws(Failure) -> ExitStatus {
    let journal = try session.readJournal()
    let bundles = try journal?.bundles() ?? []
    var rows: [[String]] = []
    for bundle in bundles {
      let manifest = bundle.manifest
      let copies = try journal?.copies(of: bundle.id) ?? []
      let targets = bundle.targets(wholeIn: copies)
      if session.isJSON {
        session.print(json(bundle, copies).text() + "\n")
        continue
      }
      if bundle.removed != nil && targets.isEmpty { continue }
      rows.append([
        bundle.id, localTime(bundle.created, "%Y-%m-%d %H:%M:%S %Z"), sizeForPeople(manifest.at("snapshot", "fileSize")?.int ?? 0),
        String(manifest.at("snapshot", "revision")?.int ?? 0), String(manifest.at("snapshot", "liveKeys")?.int ?? 0),
        bundle.drilled.map { localTime($0, "%Y-%m-%d %Z") } ?? "no", bundle.removed == nil ? "yes" : "no", String(targets.count),
      ])
    }
    if session.isJSON { return .done }
    if rows.isEmpty {
      session.say("No bundle yet; `kguard backup` takes one.\n")
    } else {
      session.print(table([["BUNDLE", "VERIFIED", "SIZE", "REVISION", "KEYS", "DRILLED", "HERE", "COPIES"]] + rows))
    }
    return .done
  }

  private static func json(_ bundle: BundleRecord, _ copies: [CopyRecord]) -> JSON {
    [
      "bundle": .string(bundle.id), "run": JSON(bundle.run?.text), "created": .string(bundle.created.description),
      "verified": JSON(bundle.verified?.description), "drilled": JSON(bundle.drilled?.description),
      "removed": JSON(bundle.removed?.description), "directory": .string(bundle.directory), "manifest": bundle.manifest,
      "copies": .array(
        copies.map {
          [
            "target": .string($0.target), "file": .string($0.file), "sent": .string($0.sent.description),
            "verified": JSON($0.verified?.description), "removed": JSON($0.removed?.description),
          ]
        }),
    ]
  }

  private static func listOffsite(_ session: Session) throws(Failure) -> ExitStatus {
    let store = try session.offsiteStore()
    let found = try BundlePull.list(store)
    let identities = try session.identities()
    var rows: [[String]] = []
    var closed = 0
    for (id, object) in found.reversed() {
      let isSealed = object.name.hasSuffix(".age")
      var manifest: BundleManifest?
      if isSealed && identities.isEmpty {
        closed += 1
      } else {
        let pull = BundlePull(from: store, identities: isSealed ? identities : [])
        do throws(Failure) { manifest = try pull.manifest(of: id) } catch { session.say("warning: \(error)\n") }
      }
      let size = manifest?.snapshot["fileSize"]?.int
      if session.isJSON {
        let line: JSON = [
          "bundle": .string(id), "store": .string(store.url), "modified": JSON(object.modified?.description), "node": JSON(manifest?.node),
          "created": JSON(manifest?.created), "etcd": JSON(manifest?.etcdVersion), "revision": manifest.map { .int($0.revision) } ?? .null,
          "size": size.map { .int($0) } ?? .null,
        ]
        session.print(line.text() + "\n")
      } else {
        rows.append([
          id, object.modified.map { localTime($0) } ?? "", manifest.map { printable($0.node ?? "?") } ?? "-",
          manifest.map { printable($0.etcdVersion) } ?? "-",
          manifest.map { String($0.revision) } ?? "-", size.map { sizeForPeople($0) } ?? "-",
        ])
      }
    }
    if !rows.isEmpty { session.print(table([["BUNDLE", "SENT", "NODE", "ETCD", "REVISION", "SIZE"]] + rows)) }
    if found.isEmpty { session.say("No bundle in \(store.url).\n") }
    if closed > 0 { session.say("With the key (--identity FILE) it says which node each is of.\n") }
    return .done
  }

  private static func show(_ session: Session) throws(Failure) -> ExitStatus {
    let bundle = try session.findBundle(session.invocation.arguments[catalogued.name])
    let copies = try session.readJournal()?.copies(of: bundle.id) ?? []
    if session.isJSON {
      session.printJSON(json(bundle, copies))
      return .done
    }
    let manifest = bundle.manifest
    let members = manifest.at("etcd", "members")?.array?.compactMap { $0["name"]?.string } ?? []
    session.print(
      table([
        ["Bundle", bundle.id], ["Taken by", bundle.run.map { "run \($0)" } ?? "another machine"],
        ["Node", printable((manifest["node"] ?? manifest.at("etcd", "name"))?.string ?? "?")], ["In", bundle.directory],
        ["etcd", "\(manifest.at("etcd", "version")?.string ?? "?"), members: \(members.joined(separator: ", "))"],
        ["Revision", String(manifest.at("snapshot", "revision")?.int ?? 0)],
        ["Keys", String(manifest.at("snapshot", "liveKeys")?.int ?? 0)],
        ["Verified", bundle.verified.map { localTime($0) } ?? "no"], ["Drilled", bundle.drilled.map { localTime($0) } ?? "no"],
      ]))
    session.print(
      "\nFiles\n"
        + table(
          (manifest["files"]?.array ?? []).map {
            ["  \($0["name"]?.string ?? "")", sizeForPeople($0["size"]?.int ?? 0), $0["sha256"]?.string ?? ""]
          }))
    if !copies.isEmpty {
      session.print(
        "\nCopies\n"
          + table(
            copies.map {
              [
                "  \($0.target)", $0.file,
                $0.removed != nil ? "removed" : $0.verified.map { "read back \(localTime($0))" } ?? "not read back",
              ]
            }))
    }
    let objects = manifest.at("snapshot", "objects")?.object?.pairs ?? []
    session.print("\nObjects\n" + table(objects.map { ["  \($0.key)", String($0.value.int ?? 0)] }))
    return .done
  }

  private static func verify(_ session: Session) throws(Failure) -> ExitStatus {
    let line = ProgressLine("verifying", session)
    defer { line.clear() }
    let report: SnapshotReport
    let name: String
    switch try session.source(session.invocation.arguments[which.name]) {
    case .bundle(let directory):
      report = try VerifiedBundle.verify(directory) { line.update($0) }.report
      name = "bundle \(directory.id)"
    case .snapshot(let path):
      let file = try SnapshotReader.database(path)
      report = try verifySnapshot(file) { line.update(Progress(done: $0, total: $1)) }.report
      name = file
    }
    line.clear()
    if session.isJSON {
      session.printJSON(report.json)
    } else {
      session.print(report.table + "\n")
      let trailer = report.trailer == .valid ? "its checksum is right" : "it carries no checksum of its own (a stopped member's data)"
      session.say("\(name) is sound: every page and record was read, \(trailer); \(report.liveKeys) live keys.\n")
    }
    return .done
  }

  private static func copy(_ session: Session) throws(Failure) -> ExitStatus {
    let bundle = try session.findBundle(session.invocation.arguments[catalogued.name])
    let configuration = try session.configuration()
    let offsite = try Offsite(configuration, session.machine, session.state)
    guard !offsite.targets.isEmpty else { throw Offsite.noTarget(next: "name one in \(configuration.place(on: session.machine))") }
    return try session.holdingNode { (journal, stop) throws(Failure) in
      var line: ProgressLine?
      defer { line?.clear() }
      let watch = { (target: OffsiteTarget) in
        let shown = ProgressLine("sending to \(target.url)", session)
        line = shown
        return Transfer(stop: stop, progress: shown.update)
      }
      let tell = { (text: String) in
        line?.clear()
        session.say(text + "\n")
      }
      try offsite.copy(BundleDirectory(bundle.directory), journal, watch: watch, tell: tell) { target, proof in
        line?.clear()
        if session.isJSON { session.print(proof.text() + "\n") } else { session.print("\(bundle.id) is at \(target.url), read back\n") }
      }
      try SealedAhead.discard(BundleDirectory(bundle.directory))
      return .done
    }
  }

  private static func pull(_ session: Session) throws(Failure) -> ExitStatus {
    let invocation = session.invocation
    let store = try session.offsiteStore()
    var id = invocation.arguments["BUNDLE"]
    if id == nil { id = try BundlePull.list(store).last?.id }
    guard let id else {
      throw Failure(.usage, what: "there is no bundle in \(store.url)", why: "it holds no bundle.json", next: "check the URL")
    }
    let named = try invocation.value(to).map { (path) throws(Failure) in try Files.absolute(path) }
    let directory = BundleDirectory(named.map { $0 + "/" + id } ?? session.state.bundle(id))
    let pull = BundlePull(from: store, identities: try session.identities())
    if invocation.arguments["BUNDLE"] == nil {
      // Several nodes may use one store.
      let manifest = try pull.manifest(of: id)
      let taken = bundleTime(manifest.json).map { localTime($0) } ?? "at an unknown time"
      session.say("The newest bundle there is \(id), of node \(printable(manifest.node ?? "?")), taken \(taken).\n")
    }
    let body = { (journal: RunJournal?, stop: StopSignal) throws(Failure) -> ExitStatus in
      let line = ProgressLine("pulling \(id)", session)
      defer { line.clear() }
      let bundle = try pull.pull(id, into: directory, Transfer(stop: stop) { line.update($0) })
      line.clear()
      let hasJournal = session.pullJournal(pull, id, directory, stop)
      try journal?.bundleVerified(id, run: nil, directory: directory.path, manifest: bundle.manifest.json, at: session.machine.now())
      if session.isJSON {
        let record = hasJournal ? JSON.string(directory.journal) : .null
        session.printJSON(["bundle": .string(id), "directory": .string(directory.path), "verified": true, "journal": record])
      } else {
        session.print("\(directory.path)\n")
        session.say("The bundle \(id) is here, and sound: revision \(bundle.report.revision), \(bundle.report.liveKeys) keys.\n")
        if hasJournal { session.say("What the run did after that is in \(directory.journal).\n") }
        let which = named == nil ? id : directory.path
        session.say("Next: `kguard drill \(which)` proves that it restores; `kguard bundle restore \(which) --to DIR` restores it.\n")
      }
      return .done
    }
    // Beside the catalogue it is recorded there; elsewhere it is only a directory.
    if named != nil { return try body(nil, StopSignal()) }
    return try session.holdingNode { (journal, stop) throws(Failure) in try body(journal, stop) }
  }

  private static func prune(_ session: Session) throws(Failure) -> ExitStatus {
    let configuration = try session.configuration()
    if session.invocation.has(.dryRun) {
      guard let journal = try session.readJournal() else {
        if session.isJSON { session.printJSON(["keep": [], "remove": [], "removeCopies": [], "removeStaged": [], "removeUnfinished": []]) }
        return .done
      }
      show(
        try PrunePlan(journal, configuration, running: nil), try EndedStages(journal), try EndedBundles(journal, session.state), session)
      session.say("Nothing was removed.\n")
      return .done
    }
    return try session.holdingNode { (journal, _) throws(Failure) in
      let (plan, stages) = (try PrunePlan(journal, configuration, running: nil), try EndedStages(journal))
      let ended = try EndedBundles(journal, session.state)
      show(plan, stages, ended, session)
      try ended.discard { session.say($0 + "\n") }
      try stages.discard(journal, at: session.machine.now()) { session.say($0 + "\n") }
      try plan.carryOut(journal, configuration, session.machine, session.state) { session.say($0 + "\n") }
      let left = Leftovers.find(session.machine, configuration, session.state)
      if !left.items.isEmpty { session.say("Earlier rollbacks have left \(left.words). kguard never removes these.\n") }
      return .done
    }
  }

  private static func show(_ plan: PrunePlan, _ stages: EndedStages, _ ended: EndedBundles, _ session: Session) {
    if session.isJSON {
      session.printJSON([
        "keep": JSON(plan.staying.map(\.id)), "remove": JSON(plan.going.map(\.id)),
        "removeCopies": .array(plan.goingCopies.map { ["target": .string($0.target), "bundle": .string($0.bundle)] }),
        "removeStaged": JSON(stages.paths), "removeUnfinished": JSON(ended.paths),
      ])
    } else {
      session.print(
        table(
          plan.staying.map { ["keep", $0.id, $0.reason] } + plan.going.map { ["remove", $0.id, "no rule keeps it"] }
            + plan.goingCopies.map { ["remove", $0.bundle, "its copy at \($0.target)"] }
            + stages.paths.map { ["remove", $0, "a restored copy that no run needs"] } + ended.rows.map { ["remove", $0.path, $0.why] }))
    }
  }
}

/// What a person names: a bundle, or a file or directory of etcd's.
enum BundleSource {
  case bundle(BundleDirectory)
  case snapshot(String)

  var snapshot: String {
    switch self {
    case .bundle(let directory): directory.snapshot
    case .snapshot(let path): path
    }
  }
}

extension Session {
  func source(_ text: String?) throws(Failure) -> BundleSource {
    guard let text, text.contains("/") || text.hasSuffix(".db") else { return .bundle(BundleDirectory(try findBundle(text).directory)) }
    // A bundle is known by its directory's name, whatever way leads there.
    guard let path = Files.real(try Files.absolute(text)) else {
      throw Failure(.usage, what: "cannot read \(text)", why: "there is no such file", next: "correct the path, or name a bundle")
    }
    let directory = BundleDirectory(path)
    return try Files.exists(directory.manifest) ? .bundle(directory) : .snapshot(path)
  }

  /// The record of the run that took the bundle; whatever is wrong with it, the bundle is here.
  fileprivate func pullJournal(_ pull: BundlePull, _ id: String, _ directory: BundleDirectory, _ stop: StopSignal) -> Bool {
    do throws(Failure) {
      return try pull.pullJournal(id, into: directory, Transfer(stop: stop))
    } catch {
      say("warning: the journal beside the bundle was not pulled: \(error)\n")
      return false
    }
  }

  /// The store of `--from`, else the first of the configuration.
  func offsiteStore() throws(Failure) -> any Store {
    let configuration = try configuration()
    let url = invocation.value(BundleCommands.from)
    guard let target = url == nil ? configuration.offsite.first : configuration.offsite.first(where: { $0.url == url }) else {
      guard let url else { throw Offsite.noTarget(next: "say --from URL, or name one in \(configuration.place(on: machine))") }
      try Files.makeDirectory(state.path, mode: 0o700)
      return try StoreFactory.open(StoreTarget(url), StoreContext(machine: machine, scratch: state.path + "/spool"))
    }
    return try Offsite(configuration, machine, state).open(target)
  }

  /// The keys of `--identity`, else of the configuration.
  func identities() throws(Failure) -> [AgeIdentity] {
    if let file = invocation.value(BundleCommands.identity) { return try IdentityFile.read(try Files.absolute(file)) }
    // It need not be on the node all the time.
    guard case .age(_, let path?) = try configuration().encryption, try machine.info(path) != nil else { return [] }
    return try IdentityFile.read(machine.locate(path))
  }

  /// For commands that change the catalogue without being a run: this process has the node while they last.
  func holdingNode(_ body: (RunJournal, StopSignal) throws(Failure) -> ExitStatus) throws(Failure) -> ExitStatus {
    let journal = try writeJournal()
    let claim = try NodeClaim.take(state, journal, takeOver: false, at: machine.now())
    let stop = StopSignal()
    Signals.receive { number in
      if number == Signals.interrupt || number == Signals.terminate { stop.ask(.now, reason: "Ctrl-C") }
    }
    let status = try body(journal, stop)
    refreshMetrics()
    _ = consume claim
    return status
  }
}
