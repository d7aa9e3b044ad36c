public import Host
public import Model

/// A program of etcd's own, with the version that it told.
public struct EtcdTool: Sendable, Equatable {
  public enum Kind: String, Sendable { case etcdutl, etcdctl, etcd }
  public let kind: Kind
  /// Where it really is on this machine.
  public let path: String
  public let version: EtcdVersion
  /// How it was found: `configuration`, `PATH`, or the image's name.
  public let origin: String

  public var json: JSON {
    ["program": .string(kind.rawValue), "path": .string(path), "version": .string("\(version)"), "origin": .string(origin)]
  }

  /// Asks the program for its version.
  init(_ kind: Kind, _ path: String, origin: String) throws(Failure) {
    self.kind = kind
    self.path = path
    self.origin = origin
    let result = try runCaptured(path, Self.bare([path, kind == .etcd ? "--version" : "version"]), timeout: .seconds(20))
    let line = result.text.split(separator: "\n").first { $0.lowercased().contains("version:") }
    guard result.end.isSuccess, let word = line?.split(separator: " ").last, let version = EtcdVersion(word) else {
      throw Failure(
        what: "cannot use \(path)", why: "it does not tell its version (\(result.lastWords))",
        next: "check that it is \(kind) and runs on this machine")
    }
    self.version = version
  }

  /// etcd's programs read `ETCD_…` variables, and refuse a flag that one of them shadows: they get an environment of their own.
  static func bare(_ argv: [String], directory: String? = nil) -> Command {
    var command = Command(argv, environment: ["PATH": "/usr/local/bin:/usr/bin:/bin", "ETCDCTL_API": "3"], directory: directory)
    command.inheritsEnvironment = false
    return command
  }

  /// True where `snapshot restore` takes `--bump-revision` and `--mark-compacted`: it is asked, not guessed from the version.
  func canBumpRevision() throws(Failure) -> Bool {
    let help = try runCaptured(path, Self.bare([path, "snapshot", "restore", "--help"]), timeout: .seconds(20))
    let text = help.text + help.errorText
    return text.contains("--bump-revision") && text.contains("--mark-compacted")
  }
}

/// Finds etcd's programs: what the configuration names, then PATH, then the node's own etcd image. One of another minor version than
/// the cluster's etcd is never used.
public struct EtcdTools {
  public let machine: any Machine
  /// What the configuration names: a restore tool, and a server for the drill.
  public var restoreTool: String?
  public var server: String?
  /// The image of the node's etcd pod.
  public var image: String?
  /// A directory of kguard's for programs taken out of images.
  public let cache: String

  public init(_ machine: any Machine, cache: String, image: String? = nil, restoreTool: String? = nil, server: String? = nil) {
    self.machine = machine
    self.cache = cache
    self.image = image
    self.restoreTool = restoreTool
    self.server = server
  }

  /// The tool that restores a snapshot of this version of etcd.
  public func findRestoreTool(for version: EtcdVersion) throws(Failure) -> EtcdTool {
    // `etcdctl snapshot restore` is gone in 3.6.
    let kinds: [EtcdTool.Kind] = version < EtcdVersion(3, 6) ? [.etcdutl, .etcdctl] : [.etcdutl]
    return try find(
      kinds, for: version, given: restoreTool, use: "a tool that restores snapshots of etcd \(version.family)", key: "etcd.restore-tool")
  }

  /// The server that the drill boots.
  public func findServer(for version: EtcdVersion) throws(Failure) -> EtcdTool {
    try find([.etcd], for: version, given: server, use: "an etcd \(version.family) to boot for the drill", key: "etcd.server")
  }

  private func find(
    _ kinds: [EtcdTool.Kind], for version: EtcdVersion, given: String?, use: String, key: String
  ) throws(Failure) -> EtcdTool {
    if let given {
      let kind = kinds.first { Files.name(of: given).hasPrefix($0.rawValue) } ?? kinds[0]
      let tool = try EtcdTool(kind, machine.locate(given), origin: "configuration")
      if tool.version.isSameFamily(as: version) { return tool }
      throw Failure(
        .preflightRefused, what: "cannot use \(given)", why: "it is version \(tool.version), and the cluster's etcd is \(version)",
        next: "name one of version \(version.family) in the configuration (\(key))")
    }
    var rejected: [String] = []
    for kind in kinds {
      guard let path = machine.find(program: kind.rawValue) else { continue }
      do throws(Failure) {
        let tool = try EtcdTool(kind, path, origin: "PATH")
        if tool.version.isSameFamily(as: version) { return tool }
        rejected.append("\(path) is version \(tool.version)")
      } catch { rejected.append("\(error)") }
    }
    if let image {
      do throws(Failure) {
        let found = try EtcdImage(machine, image, cache: cache).programs(kinds)
        for (kind, path) in found {
          let tool = try EtcdTool(kind, path, origin: image)
          if tool.version.isSameFamily(as: version) { return tool }
          rejected.append("that of the image \(image) is version \(tool.version)")
        }
        if found.isEmpty { rejected.append("the image \(image) holds none") }
      } catch { rejected.append("\(error)") }
    }
    throw Failure(
      .preflightRefused, what: "cannot find \(use)",
      why: rejected.isEmpty ? "there is no \(kinds.map(\.rawValue).joined(separator: " or ")) in PATH" : rejected.joined(separator: "; "),
      next: "install one of version \(version.family), or name it in the configuration (\(key))")
  }
}
