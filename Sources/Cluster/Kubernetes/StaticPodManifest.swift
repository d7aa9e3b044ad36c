public import Host
public import Model
internal import YAML

/// A static pod of kubeadm, as its manifest describes it.
public struct StaticPodManifest: Sendable, Equatable {
  public struct Volume: Sendable, Equatable {
    public let mountPath: String
    /// On the host; nil for a volume that is not a `hostPath`.
    public let hostPath: String?
    public let isReadOnly: Bool
  }

  public struct Probe: Sendable, Equatable {
    public enum Kind: String, Sendable { case startup, liveness, readiness }
    public let kind: Kind
    /// `https://127.0.0.1:6443/livez`; nil for a probe that is not HTTP.
    public let url: String?
  }

  /// On the host.
  public let path: String
  public let name: String
  public let namespace: String
  /// Of the container that matters.
  public let container: String
  public let image: String
  public let flags: ContainerFlags
  public let environment: [String: String]
  public let volumes: [Volume]
  public let probes: [Probe]

  /// Reads the manifest at a path of the host. `program`: which container is meant where there are several.
  public static func read(_ machine: some Machine, _ path: String, program: String? = nil) throws(Failure) -> StaticPodManifest {
    let bytes: [UInt8]
    do throws(Failure) {
      bytes = try machine.read(path, limit: 4 << 20)
    } catch {
      throw Failure(
        error.exit, what: "cannot read the manifest \(path)", why: error.why,
        next: "check that this is a control-plane node of kubeadm, or name the file in the configuration")
    }
    let node: Node
    do throws(Mistake) {
      node = try Node.load(String(decoding: bytes, as: UTF8.self), file: path)
    } catch {
      throw Failure(
        .usage, what: "cannot read the manifest \(path)",
        why: "line \(error.position.line), column \(error.position.column): \(error.message)",
        next: "correct that line; kubelet may still run an older version of it")
    }
    return try StaticPodManifest(node, path: path, program: program)
  }

  init(_ node: Node, path: String, program: String?) throws(Failure) {
    func wrong(_ why: String, _ next: String = "put back what kubeadm wrote, or name what kguard needs in the configuration") -> Failure {
      Failure(.usage, what: "cannot use the manifest \(path)", why: why, next: next)
    }
    guard node["kind"]?.text == "Pod" else { throw wrong("its kind is \(node["kind"]?.text ?? "missing"), not Pod") }
    let containers = node["spec"]?["containers"]?.list ?? []
    guard !containers.isEmpty else { throw wrong("it has no container") }
    let wanted = program ?? node["metadata"]?["name"]?.text ?? ""
    let chosen =
      containers.first { $0["name"]?.text == wanted }
      ?? containers.first { Self.words($0).first.map { Files.name(of: $0) } == wanted } ?? (containers.count == 1 ? containers[0] : nil)
    guard let chosen else { throw wrong("none of its \(containers.count) containers is called \(wanted)") }
    let words = Self.words(chosen)
    if ["sh", "bash", "ash"].contains(Files.name(of: words.first ?? "")) {
      throw wrong(
        "the command of \(wanted) is a line for a shell, whose flags cannot be read",
        "write the command as a list, or name what kguard needs in the configuration")
    }

    self.path = path
    name = node["metadata"]?["name"]?.text ?? ""
    namespace = node["metadata"]?["namespace"]?.text ?? "default"
    container = chosen["name"]?.text ?? ""
    image = chosen["image"]?.text ?? ""
    flags = ContainerFlags(words)
    environment = Dictionary(
      (chosen["env"]?.list ?? []).compactMap { entry in
        entry["name"]?.text.flatMap { name in entry["value"]?.text.map { (name, $0) } }
      }, uniquingKeysWith: { $1 })
    volumes = Self.volumes(node, chosen)
    probes = [("startupProbe", Probe.Kind.startup), ("livenessProbe", .liveness), ("readinessProbe", .readiness)].compactMap { key, kind in
      chosen[key].map { Probe(kind: kind, url: Self.url($0["httpGet"])) }
    }
  }

  /// Where a path of the container lies on the host: below the longest mount that holds it. Nil where no `hostPath` does.
  public func hostPath(_ containerPath: String) -> String? {
    let path = Self.normal(containerPath)
    let holding = volumes.filter { path == $0.mountPath || path.hasPrefix($0.mountPath == "/" ? "/" : $0.mountPath + "/") }
    guard let volume = holding.max(by: { $0.mountPath.count < $1.mountPath.count }), let host = volume.hostPath else { return nil }
    let rest = path.dropFirst(volume.mountPath == "/" ? 0 : volume.mountPath.count)
    return Self.normal(host + rest)
  }

  private static func words(_ container: Node) -> [String] {
    ((container["command"]?.list ?? []) + (container["args"]?.list ?? [])).compactMap(\.text)
  }

  private static func volumes(_ pod: Node, _ container: Node) -> [Volume] {
    var hosts: [String: String] = [:]
    for volume in pod["spec"]?["volumes"]?.list ?? [] {
      if let name = volume["name"]?.text, let path = volume["hostPath"]?["path"]?.text { hosts[name] = path }
    }
    return (container["volumeMounts"]?.list ?? []).compactMap { mount in
      guard let name = mount["name"]?.text, let at = mount["mountPath"]?.text else { return nil }
      let below = mount["subPath"]?.text.map { "/" + $0 } ?? ""
      return Volume(
        mountPath: normal(at), hostPath: hosts[name].map { normal($0 + below) }, isReadOnly: mount["readOnly"]?.bool ?? false)
    }
  }

  private static func url(_ get: Node?) -> String? {
    guard let get, let port = get["port"]?.text else { return nil }
    let host = get["host"]?.text ?? "127.0.0.1"
    let scheme = get["scheme"]?.text?.lowercased() ?? "http"
    return "\(scheme)://\(host.contains(":") ? "[\(host)]" : host):\(port)\(get["path"]?.text ?? "/")"
  }

  /// Absolute, with no double slash, no dot and no slash at the end.
  static func normal(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
      if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
  }
}
