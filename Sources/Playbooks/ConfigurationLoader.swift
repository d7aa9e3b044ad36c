public import Host
public import Model
internal import YAML

extension Configuration {
  /// Reads a configuration and checks all of it; what is wrong comes at once. A text of comments only gives the defaults.
  public static func load(text: String, file: String) throws(PlaybookProblems) -> Configuration {
    try load(text: text, file: file, isRecorded: false)
  }

  private static func load(text: String, file: String, isRecorded: Bool) throws(PlaybookProblems) -> Configuration {
    var configuration = Configuration()
    configuration.file = file
    let lines = text.split(whereSeparator: \.isNewline).map { $0.drop(while: \.isWhitespace) }
    if lines.allSatisfy({ $0.isEmpty || $0.hasPrefix("#") }) { return configuration }
    let problems = Problems(file: file, text: text)
    let root: Node
    do throws(Mistake) {
      root = try problems.tree(text)
    } catch {
      throw PlaybookProblems(mistakes: [error], subject: "configuration")
    }
    var reader = ConfigurationReader(problems: problems, root: root, isRecorded: isRecorded)
    shape.check(root, "the configuration", &reader.problems)
    reader.read(into: &configuration)
    guard reader.problems.mistakes.isEmpty else { throw reader.problems.sorted("configuration") }
    return configuration
  }

  /// The configuration of a machine. `path` is what `--config` names, as it is; nil: the usual file of the machine, and the
  /// defaults where there is none.
  public static func find(_ path: String?, on machine: any Machine) throws(Failure) -> Configuration {
    let file = path ?? machine.locate(usualPath)
    guard let text = try Files.textIfPresent(file, limit: 4 << 20) else {
      guard path != nil else { return Configuration() }
      throw Failure(.usage, what: "cannot read the configuration \(file)", why: "there is no such file", next: "correct `--config`")
    }
    do throws(PlaybookProblems) { return try load(text: text, file: file) } catch { throw error.failure }
  }

  /// Where it can be changed, for a hint. A run keeps what was said, not the file that said it.
  public func place(on machine: any Machine) -> String {
    let usual = machine.locate(Self.usualPath)
    return file == Self.recordedName ? "the configuration (--config, or else \(usual))" : file ?? usual
  }

  private static let recordedName = "the run's configuration"

  /// The configuration that a run was begun with, from what its journal keeps; without `notify`, which is not kept.
  public init(recorded json: JSON) throws(Failure) {
    do throws(PlaybookProblems) {
      self = try Self.load(text: json.withoutEmpty.text(pretty: true), file: Self.recordedName, isRecorded: true)
    } catch {
      throw error.failure
    }
  }

  /// A JSON Schema (draft 2020-12) of the configuration, for editors.
  public static var schema: JSON { shape.document(title: "kguard configuration", description: "What \(usualPath) can say.") }
}

/// Reads what `Configuration.shape` has checked; where that is wrong it reads what it can.
private struct ConfigurationReader {
  var problems: Problems
  let root: Node
  /// A run was begun with it: nothing is refused any more that was not then.
  let isRecorded: Bool

  mutating func read(into configuration: inout Configuration) {
    findPrivateKeys(root)
    configuration.offsite = readTargets()
    configuration.encryption = readEncryption()
    readRetention(&configuration.retention)
    configuration.packages = root["packages"]?.text.flatMap(Configuration.Packages.init) ?? .auto
    readEtcd(&configuration.etcd)
    readHealth(&configuration.health)
    configuration.notify = readNotify()
    configuration.metricsTextfile = root["metrics"]?["textfile"]?.text
    if let values = root["values"], values.entries != nil { configuration.values = values.json }
  }

  private mutating func findPrivateKeys(_ node: Node) {
    let isKnown = problems.mistakes.contains { $0.position == node.position }
    if let text = node.text, !isKnown, text.contains("AGE-SECRET-KEY-") || text.contains("PRIVATE KEY-----") {
      problems.add(node.position, "a private key has no place here; put it into a file of its own with mode 0600, and name the file")
    }
    for child in (node.list ?? []) + (node.entries ?? []).map(\.value) { findPrivateKeys(child) }
  }

  private mutating func readTargets() -> [OffsiteTarget] {
    var targets: [OffsiteTarget] = []
    for node in root["offsite"]?.list ?? [] {
      let urlNode = node.entries == nil ? node : node["url"]
      guard let urlNode, let url = urlNode.text else { continue }
      if let earlier = targets.first(where: { $0.url == url }) {
        problems.add(urlNode.position, "this target comes a second time; the first is in line \(earlier.position.line)")
      }
      var options: [TargetOption: String] = [:]
      for entry in node.entries ?? [] {
        guard let option = TargetOption(rawValue: entry.key), let text = entry.value.text else { continue }
        options[option] = text
        let scheme = OffsiteTarget.scheme(of: url)
        if Format.url.matches(url), !option.schemes.contains(scheme) {
          problems.add(
            entry.position, "`\(entry.key)` has no meaning for this target; it is an option of \(option.schemes.joined(separator: ", "))")
        }
        if option == .partSize, let bytes = TargetOption.bytes(text), !((5 << 20)...(512 << 20)).contains(bytes) {
          problems.add(entry.value.position, "`part-size` must be from 5MiB to 512MiB, not `\(text)`")
        }
      }
      targets.append(
        OffsiteTarget(url: url, isRequired: node["required"]?.bool ?? true, options: options, position: urlNode.position))
    }
    return targets
  }

  /// The recipients in age's own README, which end up in many a file; nobody here has their secret halves.
  private static let examples = [
    "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg",
  ]

  private mutating func readEncryption() -> Configuration.Encryption {
    guard let node = root["encryption"] else { return .undecided }
    if node.text != nil { return .none }
    let recipients = node["recipients"]?.list ?? []
    for entry in recipients where !isRecorded && Self.examples.contains(entry.text ?? "") {
      problems.add(
        entry.position, "this recipient is an example of age's manual, whose secret half you do not have; `kguard key new` makes your own")
    }
    return .age(recipients: recipients.compactMap(\.text), identity: node["identity"]?.text)
  }

  private mutating func readRetention(_ retention: inout Configuration.Retention) {
    guard let node = root["retention"] else { return }
    func count(_ key: String, _ usual: Int) -> Int { node[key]?.int.map { Int(clamping: $0) } ?? usual }
    retention.keepLast = count("keep-last", retention.keepLast)
    retention.keepDaily = count("keep-daily", retention.keepDaily)
    retention.keepWeekly = count("keep-weekly", retention.keepWeekly)
    retention.keepMonthly = count("keep-monthly", retention.keepMonthly)
    let counts = [retention.keepLast, retention.keepDaily, retention.keepWeekly, retention.keepMonthly]
    if counts.allSatisfy({ $0 == 0 }) {
      problems.add(node.position, "`retention` would keep nothing; let one of its numbers be more than 0")
    }
  }

  private mutating func readEtcd(_ etcd: inout Configuration.Etcd) {
    guard let node = root["etcd"] else { return }
    etcd.endpoints = (node["endpoints"]?.list ?? []).compactMap(\.text)
    etcd.caFile = node["ca-file"]?.text
    etcd.certFile = node["cert-file"]?.text
    etcd.keyFile = node["key-file"]?.text
    etcd.dataDir = node["data-dir"]?.text
    etcd.manifest = node["manifest"]?.text
    etcd.tool = node["tool"]?.text
    etcd.restore = node["restore"]?.text.flatMap(Configuration.EtcdRestore.init) ?? .auto
    for (key, other) in [("cert-file", "key-file"), ("key-file", "cert-file")] {
      if let present = node[key], node[other] == nil { problems.add(present.position, "`\(key)` needs `\(other)` beside it") }
    }
  }

  private mutating func readHealth(_ health: inout Configuration.Health) {
    guard let node = root["health"] else { return }
    func duration(_ key: String, _ usual: Duration) -> Duration { node[key]?.text.flatMap { Duration(text: $0) } ?? usual }
    health.soak = duration("soak", health.soak)
    health.timeout = duration("timeout", health.timeout)
    health.interval = duration("interval", health.interval)
    guard health.timeout > .zero else { return }
    if health.soak >= health.timeout {
      problems.add(
        node.position, "`soak` (\(health.soak.forFiles)) must be less than `timeout` (\(health.timeout.forFiles)), or it is never reached")
    }
    if health.interval >= health.timeout {
      problems.add(node.position, "`interval` (\(health.interval.forFiles)) must be less than `timeout` (\(health.timeout.forFiles))")
    }
  }

  private mutating func readNotify() -> [Notification] {
    var entries: [Notification] = []
    for node in root["notify"]?.list ?? [] where node.entries != nil {
      let channels = ["webhook", "webhook-file", "command"].filter { node[$0] != nil }
      guard let key = channels.first, let value = node[key] else {
        problems.add(node.position, "the entry tells nobody; it needs `webhook`, `webhook-file` or `command`")
        continue
      }
      if let second = channels.dropFirst().first, let other = node[second] {
        problems.add(other.position, "the entry has `\(key)` already; make another entry for `\(second)`")
      }
      for option in ["token-file", "ca-file"] where key == "command" {
        if let stray = node[option] { problems.add(stray.position, "`\(option)` has no meaning for a command; it is for webhooks") }
      }
      let channel: Notification.Channel =
        switch key {
        case "webhook": .webhook(value.text ?? "")
        case "webhook-file": .webhookFile(value.text ?? "")
        default: .command((value.list ?? []).compactMap(\.text))
        }
      let events = node["on"]?.list.map { $0.compactMap { $0.text.flatMap(Notification.Event.init) } }
      entries.append(
        Notification(
          channel: channel, events: events ?? Notification.Event.allCases, tokenFile: node["token-file"]?.text,
          caFile: node["ca-file"]?.text))
    }
    return entries
  }
}
