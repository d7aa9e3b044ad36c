public import Host
public import Model

/// A client of the API server: it only ever reads. Keeps its connection; not for two threads at once.
public final class KubernetesAPI {
  private let config: KubeConfig
  private let client: HTTPClient
  private let timeout: Duration

  public init(_ config: KubeConfig, timeout: Duration = .seconds(30), stop: StopSignal? = nil) throws(Failure) {
    self.config = config
    self.timeout = timeout
    client = try HTTPClient(stop: stop)
  }

  /// What a path answers; a status of 400 and above is a failure that carries the API server's own words.
  public func get(_ path: String) throws(Failure) -> JSON {
    let answer = try send(path)
    guard answer.status == 200 else { throw refusal(path, answer) }
    do throws(Failure) {
      return try JSON(parsing: answer.body)
    } catch {
      throw Failure(
        what: "cannot read the API server's answer to \(path)", why: error.why,
        next: "check that \(config.server) is a Kubernetes API server")
    }
  }

  /// What a path answers; nil where the API server does not have it.
  public func find(_ path: String) throws(Failure) -> JSON? {
    let answer = try send(path)
    if answer.status == 404 { return nil }
    guard answer.status == 200 else { throw refusal(path, answer) }
    return try JSON(parsing: answer.body)
  }

  /// Every item of a collection (`/api/v1/pods`), page by page. A collection that changes so fast that a page expires is read anew.
  public func list(
    _ path: String, query: String = "", pageSize: Int = 500, each: (JSON) throws(Failure) -> Void
  ) throws(Failure) {
    for item in try items(path, query: query, pageSize: pageSize) { try each(item) }
  }

  public func items(_ path: String, query: String = "", pageSize: Int = 500) throws(Failure) -> [JSON] {
    let extra = query.isEmpty ? "" : "&" + query
    for _ in 0..<3 {
      var items: [JSON] = []
      var next = ""
      var isExpired = false
      repeat {
        let page = "\(path)?limit=\(pageSize)\(extra)" + (next.isEmpty ? "" : "&continue=" + Self.escaped(next))
        let answer = try send(page)
        if answer.status == 410 && !next.isEmpty {
          isExpired = true
          break
        }
        guard answer.status == 200 else { throw refusal(path, answer) }
        let json = try JSON(parsing: answer.body)
        items += json["items"]?.array ?? []
        next = json.at("metadata", "continue")?.string ?? ""
      } while !next.isEmpty
      if !isExpired { return items }
    }
    throw Failure(
      what: "cannot list \(path)", why: "it changes faster than it can be read", next: "try again when the cluster is quieter",
      isTransient: true)
  }

  /// How many items a collection has, mostly without reading them.
  public func count(_ path: String) throws(Failure) -> Int64 {
    let page = try get("\(path)?limit=1")
    let first = Int64(page["items"]?.array?.count ?? 0)
    if (page.at("metadata", "continue")?.string ?? "").isEmpty { return first }
    if let rest = page.at("metadata", "remainingItemCount")?.int {
      let (sum, overflow) = first.addingReportingOverflow(max(0, rest))
      if !overflow { return sum }
    }
    return Int64(try items(path).count)
  }

  /// `v1.21.0`.
  public func version() throws(Failure) -> String {
    guard let version = try get("/version")["gitVersion"]?.string else {
      throw Failure(
        what: "cannot read the API server's version", why: "its answer has no gitVersion",
        next: "check that \(config.server) is a Kubernetes API server")
    }
    return version
  }

  /// One of the API server's health pages.
  public struct Health: Sendable, Equatable {
    public let isOK: Bool
    /// The checks that are not well: `etcd`, `poststarthook/…`.
    public let failing: [String]
  }

  /// `/readyz` or `/livez`. Throws only where the server does not answer at all.
  public func health(_ page: String = "/readyz") throws(Failure) -> Health {
    let answer = try send(page + "?verbose")
    let failing = answer.text.split(separator: "\n").filter { $0.hasPrefix("[-]") }
      .map { String($0.dropFirst(3).prefix { $0 != " " }) }
    return Health(isOK: answer.status == 200, failing: failing)
  }

  private func send(_ path: String) throws(Failure) -> HTTPResponse {
    var request = HTTPRequest("GET", config.server + path)
    request.tls = config.tls
    request.headers = [("accept", "application/json"), ("user-agent", "kguard")]
    if let token = config.token { request.headers.append(("authorization", "Bearer " + token)) }
    request.timeout = timeout
    request.connectTimeout = min(timeout, .seconds(5))
    request.usesProxy = false
    do throws(Failure) {
      return try client.send(request)
    } catch {
      throw Failure(
        error.exit, what: "cannot ask the API server \(config.server)", why: error.why,
        next: client.fault == .refused
          ? "check that the API server runs: crictl ps --name kube-apiserver" : error.next, isTransient: error.isTransient)
    }
  }

  private func refusal(_ path: String, _ answer: HTTPResponse) -> Failure {
    let said = (try? JSON(parsing: answer.body))?["message"]?.string ?? String(answer.text.prefix(200))
    let next: String
    switch answer.status {
    case 401, 403: next = "use a kubeconfig of an administrator (\(KubeConfig.admin)); its certificate may have run out"
    case 404: next = "check that this version of Kubernetes has it"
    case 429, 500...: next = "look at the API server's log, then try again"
    default: next = "look at the API server's log"
    }
    return Failure(
      what: "the API server refuses \(path.prefix { $0 != "?" })", why: "HTTP \(answer.status): \(said)", next: next,
      isTransient: answer.status == 429 || answer.status >= 500)
  }

  private static func escaped(_ text: String) -> String {
    text.utf8.map { byte in
      let isPlain = (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || "-._~".utf8.contains(byte)
      return isPlain ? String(Unicode.Scalar(byte)) : "%" + hex([byte]).uppercased()
    }.joined()
  }
}
