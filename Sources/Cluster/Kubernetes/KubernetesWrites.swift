internal import Host
internal import Model

/// The few things that kguard changes through the API server: whether a node takes new pods, and which pods leave it.
final class KubernetesWrites {
  private let config: KubeConfig
  private let client: HTTPClient

  init(_ machine: any Machine, stop: StopSignal?) throws(Failure) {
    config = try KubeConfig.read(machine)
    client = try HTTPClient(stop: stop)
  }

  func setSchedulable(_ isSchedulable: Bool, node: String) throws(Failure) {
    let body: JSON = ["spec": ["unschedulable": isSchedulable ? .null : true]]
    let answer = try send("PATCH", "/api/v1/nodes/\(node)", body, type: "application/merge-patch+json")
    guard answer.status == 200 else { throw refusal("cannot \(isSchedulable ? "uncordon" : "cordon") the node \(node)", answer) }
  }

  enum Eviction: Equatable {
    case evicted
    /// A disruption budget, or the server is busy: try again later.
    case later(String)
  }

  func evict(namespace: String, pod: String) throws(Failure) -> Eviction {
    let body: JSON = [
      "apiVersion": "policy/v1", "kind": "Eviction", "metadata": ["name": .string(pod), "namespace": .string(namespace)],
    ]
    let path = "/api/v1/namespaces/\(namespace)/pods/\(pod)/eviction"
    var answer = try send("POST", path, body, type: "application/json")
    // Before 1.22 the kind is of an older group version.
    if answer.status == 400 || answer.status == 422 {
      var older = body
      older["apiVersion"] = "policy/v1beta1"
      answer = try send("POST", path, older, type: "application/json")
    }
    switch answer.status {
    case 200...299, 404: return .evicted
    case 429: return .later(said(answer))
    default: throw refusal("cannot evict the pod \(namespace)/\(pod)", answer)
    }
  }

  private func send(_ method: String, _ path: String, _ body: JSON, type: String) throws(Failure) -> HTTPResponse {
    var request = HTTPRequest(method, config.server + path)
    request.tls = config.tls
    request.headers = [("accept", "application/json"), ("content-type", type), ("user-agent", "kguard")]
    if let token = config.token { request.headers.append(("authorization", "Bearer " + token)) }
    request.body = .bytes(Array(body.text().utf8))
    request.timeout = .seconds(20)
    request.usesProxy = false
    return try client.send(request)
  }

  private func said(_ answer: HTTPResponse) -> String {
    (try? JSON(parsing: answer.body))?["message"]?.string ?? String(answer.text.prefix(200))
  }

  private func refusal(_ what: String, _ answer: HTTPResponse) -> Failure {
    Failure(
      what: what, why: "HTTP \(answer.status): \(said(answer))", next: "look at the API server's log",
      isTransient: answer.status == 409 || answer.status >= 500)
  }
}
