public import Host
public import Model
internal import YAML

/// The current context of a kubeconfig: which API server, and who we are there. Keys that it carries stay in memory.
public struct KubeConfig: Sendable, Equatable {
  public let server: String
  public let tls: TLSIdentity
  /// A bearer token, in place of a client certificate.
  let token: String?
  public let context: String

  public static let admin = "/etc/kubernetes/admin.conf"

  public static func read(_ machine: some Machine, _ path: String = admin) throws(Failure) -> KubeConfig {
    let bytes: [UInt8]
    do throws(Failure) {
      bytes = try machine.read(path, limit: 4 << 20)
    } catch {
      throw Failure(
        error.exit, what: "cannot read the kubeconfig \(path)", why: error.why,
        next: "run kguard as root on a control-plane node, or name another kubeconfig in the configuration")
    }
    let node: Node
    do throws(Mistake) {
      node = try Node.load(String(decoding: bytes, as: UTF8.self), file: path)
    } catch {
      throw Failure(
        .usage, what: "cannot read the kubeconfig \(path)",
        why: "line \(error.position.line), column \(error.position.column): \(error.message)", next: "correct that line")
    }
    return try KubeConfig(node, machine: machine, path: path)
  }

  init(_ node: Node, machine: some Machine, path: String) throws(Failure) {
    func wrong(_ why: String, _ next: String = "correct it, or name another kubeconfig in the configuration") -> Failure {
      Failure(.usage, what: "cannot use the kubeconfig \(path)", why: why, next: next)
    }
    func named(_ list: String, _ name: String, _ key: String) throws(Failure) -> Node {
      let found = node[list]?.list?.first { $0["name"]?.text == name }
      guard let entry = found?[key] else { throw wrong("it has no \(key) called `\(name)`") }
      return entry
    }
    func pem(_ holder: Node, _ key: String) throws(Failure) -> PEM? {
      if let data = holder[key + "-data"]?.text {
        guard let bytes = decodeBase64(data), !bytes.isEmpty else { throw wrong("its \(key)-data is not base64") }
        return .bytes(bytes)
      }
      guard let file = holder[key]?.text else { return nil }
      let full = file.hasPrefix("/") ? file : Files.directory(of: path) + "/" + file
      guard try machine.info(full) != nil else { throw wrong("the file \(full) (\(key)) does not exist") }
      return .file(machine.locate(full))
    }
    let context = node["current-context"]?.text ?? ""
    guard !context.isEmpty else { throw wrong("it has no current-context") }
    let chosen = try named("contexts", context, "context")
    let cluster = try named("clusters", chosen["cluster"]?.text ?? "", "cluster")
    let user = try named("users", chosen["user"]?.text ?? "", "user")
    guard let server = cluster["server"]?.text, server.hasPrefix("https://") else {
      throw wrong("its server is \(cluster["server"]?.text ?? "missing"), and kguard speaks to an API server by https only")
    }
    if cluster["insecure-skip-tls-verify"]?.bool == true {
      throw wrong("it says insecure-skip-tls-verify, and kguard always verifies the server", "give certificate-authority-data instead")
    }
    if let name = cluster["tls-server-name"]?.text { throw wrong("it has the tls-server-name \(name), which kguard does not know") }
    for key in ["exec", "auth-provider", "username"] where user[key] != nil {
      throw wrong("its user signs in by `\(key)`, which kguard does not know", "use kubeadm's \(Self.admin)")
    }
    var token = user["token"]?.text
    if let file = user["tokenFile"]?.text {
      token = String(decoding: try machine.read(file, limit: 1 << 16), as: UTF8.self).split(whereSeparator: \.isWhitespace).first.map(
        String.init)
    }
    self.server = server.hasSuffix("/") ? String(server.dropLast()) : server
    self.token = token
    self.context = context
    tls = TLSIdentity(
      authority: try pem(cluster, "certificate-authority"), certificate: try pem(user, "client-certificate"),
      key: try pem(user, "client-key"))
  }
}

extension KubeConfig: CustomStringConvertible {
  /// Without keys and tokens.
  public var description: String { "\(context) at \(server)" }
}
