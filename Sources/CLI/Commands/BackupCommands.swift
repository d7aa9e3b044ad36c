internal import Bundles
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `kguard backup`, `kguard drill` and `kguard key`: what a timer and a careful operator run.
enum BackupCommands {
  static let noOffsite = OptionSpec("--no-offsite", "go on without a copy off-site, where no target is configured")
  static let noDrill = OptionSpec("--no-drill", "do not prove that the bundle restores")

  static let resume = OptionSpec("--resume", "finish first what an earlier, interrupted backup or drill left, as a timer should")

  static let backup = CommandSpec(
    name: "backup", summary: "take a bundle of this node's etcd and files, verify it, prove that it restores, copy it off-site",
    options: [noOffsite, noDrill, resume, .dryRun],
    details: """
      Runs the playbook `backup`; a second one at the same time says so and exits 6. Made for a timer: `kguard schedule` writes one. \
      With --resume a backup or drill that was interrupted is finished first; an unfinished upgrade is left to a person (exit 6).
      """,
    examples: [
      .init("kguard backup", "a bundle, off-site"), .init("kguard backup --no-offsite", "a bundle on this node only"),
    ],
    acts: true,
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      let inputs = [
        "drill": invocation.has(noDrill) ? "false" : "true", "no-offsite": invocation.has(noOffsite) ? "true" : "false",
      ]
      return try session.start(try session.playbook("backup"), inputs: inputs, resumes: invocation.has(resume))
    })

  static let drill = CommandSpec(
    name: "drill", summary: "prove that a bundle restores, without touching the cluster",
    arguments: [BundleCommands.which],
    options: [resume, .dryRun],
    details: """
      Restores the bundle's snapshot with etcd's own tool into a new directory, boots a scratch etcd from a copy of it on this machine, \
      compares every key and value, and removes both. Works on any machine that has the bundle and etcd's programs, also on one that \
      `kguard bundle pull` has just brought it to.
      """,
    examples: [
      .init("kguard drill", "drill the newest bundle"), .init("kguard drill pulled/06fawbkzs", "one that was pulled with `--to pulled`"),
    ],
    acts: true,
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      let bundle = try session.bundleToDrill(invocation.arguments[BundleCommands.which.name])
      return try session.start(try session.playbook("drill"), inputs: ["bundle": bundle], resumes: invocation.has(resume))
    })

  static let key = CommandSpec(
    name: "key", summary: "make keys for encrypted bundles", examples: [.init("kguard key new kguard-key.txt", "a new one")],
    subcommands: [
      CommandSpec(
        name: "new", summary: "make an age key: the secret goes to FILE, the public half is printed",
        arguments: [ArgumentSpec("FILE", "where to write the secret; it must not exist")],
        details: """
          Keep the file somewhere that is not this node: who has it can open the bundles, and without it nobody can. The node needs \
          only the public half, under `encryption: {recipients: [age1…]}` of its configuration.
          """,
        examples: [.init("kguard key new kguard-key.txt", "and then move kguard-key.txt to a safe place")],
        acts: true,
        run: { (invocation) throws(Failure) in
          let session = try Session(invocation)
          let path = try Files.absolute(invocation.arguments["FILE"] ?? "")
          let identity = try AgeIdentity.generate()
          try IdentityFile.write(identity, to: path, created: session.machine.now())
          if session.isJSON {
            session.printJSON(["file": .string(path), "recipient": .string(identity.recipient.description)])
          } else {
            session.print("\(identity.recipient)\n")
            session.say("The secret is in \(path). Keep it off this node.\n")
          }
          return .done
        })
    ])
}

extension Session {
  /// The id of a bundle of the catalogue, or the path of one that stands anywhere.
  fileprivate func bundleToDrill(_ text: String?) throws(Failure) -> String {
    guard let text, text.contains("/") else { return try findBundle(text).id }
    guard case .bundle(let directory) = try source(text) else {
      throw Failure(
        .usage, what: "cannot drill \(text)", why: "it is no bundle: there is no \(BundleDirectory.manifestName) in it",
        next: "name a bundle's directory; `kguard bundle verify` reads a bare snapshot")
    }
    _ = try BundleManifest.own(directory)
    return directory.path
  }

  /// The bundle that a person means: its id, the end of it, or nothing for the newest.
  func findBundle(_ text: String?) throws(Failure) -> BundleRecord {
    let journal = try invocation.has(.dryRun) ? lookAtJournal() : readJournal()
    let bundles = try journal?.bundles().filter { $0.removed == nil } ?? []
    guard let text, text != "last" else {
      if let newest = bundles.first { return newest }
      throw Failure(.usage, what: "there is no bundle yet", why: "the catalogue is empty", next: "take one with `kguard backup`")
    }
    let exact = bundles.filter { $0.id == text }
    let found = exact.isEmpty ? bundles.filter { $0.id.hasSuffix(text.lowercased()) } : exact
    guard let bundle = found.first else {
      throw Failure(.usage, what: "there is no bundle `\(text)`", why: "the catalogue does not know it", next: "see `kguard bundle list`")
    }
    guard found.count == 1 else {
      throw Failure(
        .usage, what: "`\(text)` means more than one bundle", why: "it fits \(found.prefix(5).map(\.id).joined(separator: ", "))",
        next: "type more of the id")
    }
    return bundle
  }
}
