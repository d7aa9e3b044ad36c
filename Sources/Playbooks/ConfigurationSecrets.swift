public import Host
public import Model

extension Configuration {
  /// Refuses secrets that others than their owner and group can read. A file that is not there is not looked at: who needs it says so.
  public func checkSecrets(_ machine: any Machine) throws(Failure) {
    var open: [String] = []
    for (key, path) in secretFiles {
      guard let info = try machine.info(path), info.mode & 0o007 != 0 else { continue }
      open.append("\(machine.locate(path)) (`\(key)`) has mode \(Self.octal(info.mode))")
    }
    if let file, let info = try Files.info(file) {
      if info.mode & 0o002 != 0 {
        open.append("\(file), which names programs to run, can be written by everyone: it has mode \(Self.octal(info.mode))")
      } else if holdsSecret && info.mode & 0o007 != 0 {
        open.append("\(file), which holds the URL of a webhook, has mode \(Self.octal(info.mode))")
      }
    }
    guard open.isEmpty else {
      throw Failure(
        .usage, what: "secrets are open to other users", why: open.joined(separator: "; "),
        next: "`chmod o= FILE` on each; change a secret that others may have read")
    }
  }

  /// The files that it names and that are not there, each with the key that names it.
  public func missingFiles(_ machine: any Machine) throws(Failure) -> [String] {
    var named = secretFiles
    for (key, path) in [("ca-file", etcd.caFile), ("cert-file", etcd.certFile)] + offsite.map({ ("ca-file", $0[.caFile]) })
      + notify.map({ ("ca-file", $0.caFile) })
    {
      if let path { named.append((key, path)) }
    }
    var missing: [String] = []
    for (key, path) in named where try machine.info(path) == nil {
      let words = "\(machine.locate(path)) (`\(key)`) is not there"
      if !missing.contains(words) { missing.append(words) }
    }
    return missing
  }

  private var secretFiles: [(key: String, path: String)] {
    var files: [(String, String)] = []
    if case .age(_, let identity?) = encryption { files.append(("identity", identity)) }
    for target in offsite {
      for option in [TargetOption.credentialsFile, .keyFile] {
        if let path = target[option] { files.append((option.rawValue, path)) }
      }
    }
    if let path = etcd.keyFile { files.append(("key-file", path)) }
    for entry in notify {
      if case .webhookFile(let path) = entry.channel { files.append(("webhook-file", path)) }
      if let path = entry.tokenFile { files.append(("token-file", path)) }
    }
    return files
  }

  /// Whoever knows a webhook's URL can post to it.
  private var holdsSecret: Bool { notify.contains { if case .webhook = $0.channel { true } else { false } } }

  private static func octal(_ mode: UInt32) -> String { "0" + String(mode, radix: 8) }
}

extension Configuration {
  /// What `${config.…}` refers to: all known keys, with null where nothing is set. `notify` is left out, since it can hold a secret.
  public var json: JSON {
    [
      "offsite": .array(offsite.map(\.json)), "encryption": encryption.json,
      "retention": [
        "keep-last": JSON(retention.keepLast), "keep-daily": JSON(retention.keepDaily), "keep-weekly": JSON(retention.keepWeekly),
        "keep-monthly": JSON(retention.keepMonthly),
      ],
      "packages": .string(packages.rawValue), "etcd": etcd.json,
      "health": [
        "soak": .string(health.soak.forFiles), "timeout": .string(health.timeout.forFiles), "interval": .string(health.interval.forFiles),
      ],
      "metrics": ["textfile": JSON(metricsTextfile)], "values": values,
    ]
  }
}

extension Configuration {
  /// All of it for a person: of a webhook only the server is told, of a command only the program.
  public var shown: JSON {
    var json = json
    json["notify"] = .array(notify.map(\.shown))
    return json
  }
}

extension Notification {
  fileprivate var shown: JSON {
    var json: JSON = ["on": JSON(events.map(\.rawValue)), "token-file": JSON(tokenFile), "ca-file": JSON(caFile)]
    switch channel {
    case .webhook(let url): json["webhook"] = .string("\(url.prefix { $0 != ":" })://\(Self.host(of: url))/…")
    case .webhookFile(let path): json["webhook-file"] = .string(path)
    case .command(let argv): json["command"] = JSON(argv.prefix(1) + (argv.count > 1 ? ["…"] : []))
    }
    return json
  }

  /// Host and port; a path, a query or a user may be the secret.
  public static func host(of url: String) -> String {
    let rest = url.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).last ?? ""
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    return String(authority.split(separator: "@").last ?? "")
  }
}

extension Configuration.Encryption {
  fileprivate var json: JSON {
    switch self {
    case .undecided: .null
    case .none: "none"
    case .age(let recipients, let identity): ["recipients": JSON(recipients), "identity": JSON(identity)]
    }
  }
}

extension Configuration.Etcd {
  fileprivate var json: JSON {
    [
      "endpoints": JSON(endpoints), "ca-file": JSON(caFile), "cert-file": JSON(certFile), "key-file": JSON(keyFile),
      "data-dir": JSON(dataDir), "manifest": JSON(manifest), "tool": JSON(tool), "restore": .string(restore.rawValue),
    ]
  }
}

extension OffsiteTarget {
  fileprivate var json: JSON {
    var json: JSON = ["url": .string(url), "required": .bool(isRequired)]
    for option in TargetOption.allCases { json[option.rawValue] = JSON(self[option]) }
    // As they are written: a number is no text.
    for option in [TargetOption.parallel, .port] { json[option.rawValue] = self[option].flatMap { Int($0) }.map { JSON($0) } ?? .null }
    for option in [TargetOption.pathStyle, .checksums, .sameDisk] {
      json[option.rawValue] = self[option].map { .bool($0 == "true") } ?? .null
    }
    return json
  }
}
