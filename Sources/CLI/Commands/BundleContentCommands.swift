internal import Bundles
internal import Cluster
internal import Engine
internal import Host
internal import Model

/// Looking into bundles: `objects`, `cat`, `diff`; and restoring one by hand.
enum BundleContentCommands {
  private static let resource = OptionSpec(
    "--resource", short: "-r", value: "NAME", "only this resource, for example configmaps", completes: .resource)
  private static let namespace = OptionSpec("--namespace", short: "-n", value: "NAME", "only this namespace")
  private static let raw = OptionSpec("--raw", "print the bytes as they are stored")

  static let objects = CommandSpec(
    name: "objects", summary: "list the objects in a bundle or snapshot", arguments: [BundleCommands.which],
    options: [resource, namespace, .noPager],
    examples: [.init("kguard bundle objects -r secrets -n default", "the secrets of one namespace, in the newest bundle")],
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      let reader = try SnapshotReader(try session.source(invocation.arguments[BundleCommands.which.name]).snapshot)
      let (onlyResource, onlyNamespace) = (invocation.value(resource), invocation.value(namespace))
      var output = OutputLines(pages: Pages(session))
      var known = KnownNames()
      try reader.objects { (object, digest) throws(Failure) in
        if onlyResource != nil || onlyNamespace != nil { known.add(object) }
        if let onlyResource, object.resource != onlyResource { return }
        if let onlyNamespace, object.namespace != onlyNamespace { return }
        if session.isJSON {
          let line: JSON = [
            "resource": .string(object.resource), "namespace": JSON(object.namespace), "name": .string(object.name),
            "key": .string(object.key), "modRevision": .int(object.modRevision), "size": JSON(object.size),
            "sha256": .string(digest.description),
          ]
          output.add(line.text())
        } else {
          let name = (object.namespace.map { $0 + "/" } ?? "") + object.name
          output.add("\(padded(object.resource, 24)) \(padded(name, 48)) \(sizeForPeople(Int64(object.size)))")
        }
      }
      output.end()
      if let refusal = known.refusal(resource: onlyResource, namespace: onlyNamespace) { throw refusal }
      return .done
    })

  static let cat = CommandSpec(
    name: "cat", summary: "print one object out of a bundle or snapshot",
    arguments: [
      BundleCommands.which,
      ArgumentSpec("OBJECT", "as `objects` prints it, for example configmaps/demo/cm1, or its key, /registry/configmaps/demo/cm1"),
      ArgumentSpec("NAME", "its name, where OBJECT is only the resource, for example demo/cm1; BUNDLE is wanted then", isOptional: true),
    ], options: [raw],
    details: "JSON is printed as it is stored. Of what Kubernetes stores as protobuf it prints what can be read without its schema.",
    examples: [
      .init("kguard bundle cat configmaps/demo/cm1", "one config map of the newest bundle"),
      .init("kguard bundle cat k7 /registry/configmaps/demo/cm1", "the same of another bundle, by its key in etcd"),
    ],
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      let reader = try SnapshotReader(try session.source(invocation.arguments[BundleCommands.which.name]).snapshot)
      let words = [invocation.arguments["OBJECT"] ?? "", invocation.arguments["NAME"]].compactMap { $0 }
      let found = try reader.object(try key(words, reader))
      if invocation.has(raw) || (found.identity.encoding == .json && !session.isJSON) {
        Terminal.write(found.value + (invocation.has(raw) || found.value.last == 0x0a ? [] : [0x0a]), to: .output)
        return .done
      }
      session.printJSON(json(found))
      return .done
    })

  /// Of what a person types: a key as it is; else `configmaps demo/cm1` or `configmaps/demo/cm1`, which is looked for.
  private static func key(_ words: [String], _ reader: SnapshotReader) throws(Failure) -> String {
    if words.count == 1, words[0].hasPrefix("/") || !words[0].contains(where: { $0 == "/" || $0 == " " }) { return words[0] }
    let wanted = words.flatMap { $0.split { $0 == "/" || $0 == " " } }.joined(separator: "/")
    var key: String?
    var known = KnownNames()
    try reader.objects { (object, _) throws(Failure) in
      known.add(object)
      if [object.resource, object.namespace, object.name].compactMap({ $0 }).joined(separator: "/") == wanted { key = object.key }
    }
    if let key { return key }
    let resource = String(wanted.prefix { $0 != "/" })
    throw known.refusal(resource: resource, namespace: nil)
      ?? Failure(
        .usage, what: "there is no \(wanted)", why: "no object of \(reader.path) is called so",
        next: "`kguard bundle objects -r \(resource)` lists those that there are")
  }

  private static func json(_ found: SnapshotObject) -> JSON {
    let identity = found.identity
    var labels = JSON.Members()
    for (name, value) in identity.labels.sorted(by: { $0.key < $1.key }) { labels[name] = .string(value) }
    var json: JSON = [
      "apiVersion": JSON(identity.apiVersion), "kind": JSON(identity.kind),
      "metadata": [
        "name": JSON(identity.name), "namespace": JSON(identity.namespace), "uid": JSON(identity.uid), "labels": .object(labels),
      ],
      "key": .string(found.object.key), "modRevision": .int(found.object.modRevision), "bytes": JSON(found.value.count),
    ]
    switch identity.encoding {
    case .json: json["stored"] = "json"
    case .protobuf: json["stored"] = "protobuf"
    case .encrypted(let provider): json["stored"] = .string("encrypted by the API server (\(provider))")
    case .other: json["stored"] = "other"
    }
    return json
  }

  static let diff = CommandSpec(
    name: "diff", summary: "say which objects differ between two bundles, snapshots or stopped members",
    arguments: [
      ArgumentSpec("EARLIER", "a bundle or a path", completes: .bundle(.here, orPath: true)),
      ArgumentSpec("LATER", "a bundle or a path (default: the newest bundle)", isOptional: true, completes: .bundle(.here, orPath: true)),
    ], options: [.noPager],
    examples: [
      .init("kguard bundle diff k7", "what has changed since the bundle whose id ends in k7"),
      .init("kguard bundle diff last /var/lib/etcd.aside", "a bundle and a stopped member's data"),
    ],
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      let earlier = try SnapshotReader(try session.source(invocation.arguments["EARLIER"]).snapshot)
      let later = try SnapshotReader(try session.source(invocation.arguments["LATER"]).snapshot)
      let style = session.outputStyle
      var output = OutputLines(pages: Pages(session))
      let summary = try Bundles.diff(earlier, later) { (change) throws(Failure) in
        let object = change.object
        if session.isJSON {
          let line: JSON = [
            "change": .string(change.what.rawValue), "kind": .string(change.kind), "resource": .string(object.resource),
            "namespace": JSON(object.namespace), "name": .string(object.name), "key": .string(object.key),
          ]
          output.add(line.text())
          return
        }
        let sign =
          switch change.what {
          case .added: style.paint("+", .green)
          case .changed: style.paint("~", .yellow)
          case .gone: style.paint("-", .red)
          }
        output.add("\(sign) \(padded(change.kind, 24)) \((object.namespace.map { $0 + "/" } ?? "") + printable(object.name))")
      }
      output.end()
      if !session.isJSON {
        session.say("\(summary.added) added, \(summary.changed) changed, \(summary.gone) gone, \(summary.same) the same.\n")
      }
      return .done
    })

  static let restore = CommandSpec(
    name: "restore", summary: "restore a bundle into a new data directory of etcd, proven but not put in place",
    arguments: [BundleCommands.which], options: [BundleCommands.to],
    details: """
      Does what a drill does and keeps the result: `--to DIR` must not exist. Putting it in place is yours to do: stop etcd and every \
      API server first. On a node that kguard upgraded, `kguard rollback` does all of it.
      """,
    examples: [.init("kguard bundle restore --to /var/lib/etcd-restored", "the newest bundle")],
    acts: true,
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      guard let target = try invocation.value(BundleCommands.to).map({ (path) throws(Failure) in try Files.absolute(path) }) else {
        throw Failure(.usage, what: "cannot restore", why: "`--to DIR` is missing", next: "name a directory that does not exist yet")
      }
      guard try !Files.exists(target) else {
        throw Failure(
          .usage, what: "cannot restore to \(target)", why: "it exists already", next: "name a directory that does not exist yet")
      }
      guard case .bundle(let directory) = try session.source(invocation.arguments[BundleCommands.which.name]) else {
        throw Failure(
          .usage, what: "cannot restore a bare snapshot", why: "its members are not known",
          next: "name a bundle, or use etcd's own `snapshot restore`")
      }
      let configuration = try session.configuration()
      return try session.holdingNode { (_, stop) throws(Failure) in
        let plan = try StagingPlan.loose(in: Files.directory(of: target), id: directory.id)
        let order = try DrillOrder(session.machine, configuration, session.state, directory, plan: plan, stop: stop)
        let data = try order.run {
          session.say("\($0)…\n")
        } planned: { (_) throws(Failure) in
        }
        try data.take(to: target)
        if session.isJSON {
          session.printJSON(["directory": .string(target), "evidence": data.evidence])
        } else {
          session.print("\(target)\n")
        }
        return .done
      }
    })
}

/// Lines for standard output, written in large pieces.
private struct OutputLines {
  let pages: Pages
  private var buffer = ""

  init(pages: Pages) { self.pages = pages }

  mutating func add(_ line: String) {
    buffer += line + "\n"
    if buffer.utf8.count > 1 << 16 { flush() }
  }

  mutating func flush() {
    pages.write(buffer)
    buffer = ""
  }

  mutating func end() {
    flush()
    pages.finish()
  }
}

/// The resources and namespaces that a snapshot holds: what a person may have meant.
private struct KnownNames {
  private var resources: Set<String> = []
  private var namespaces: Set<String> = []

  mutating func add(_ object: LiveObject) {
    resources.insert(object.resource)
    if let namespace = object.namespace { namespaces.insert(namespace) }
  }

  /// A name that nothing bears; nil where both are known.
  func refusal(resource: String?, namespace: String?) -> Failure? {
    if let resource, !resources.contains(resource) { return Self.unknown("resource", resource, resources) }
    if let namespace, !namespaces.contains(namespace) { return Self.unknown("namespace", namespace, namespaces) }
    return nil
  }

  private static func unknown(_ what: String, _ name: String, _ known: Set<String>) -> Failure {
    let names = known.sorted()
    return Failure(
      .usage, what: "there is no \(what) `\(name)` in it" + didYouMean(name, among: names),
      why: names.isEmpty ? "it has none" : "known: \(naming(names, most: 40))",
      next: "name one of these; a resource is a plural, as in its key")
  }
}
