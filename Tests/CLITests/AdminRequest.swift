import Cluster
import Host
import Model

/// One request to the API server of a sandbox, with the admin's certificate; its status.
@discardableResult
func requestAsAdmin(
  _ root: String, _ method: String, _ path: String, _ body: String, type: String = "application/json"
) throws -> Int {
  let config = try KubeConfig.read(try LocalMachine(root: root))
  var request = HTTPRequest(method, config.server + path)
  request.tls = config.tls
  request.headers = [("content-type", type)]
  request.body = .bytes(Array(body.utf8))
  request.usesProxy = false
  return try HTTPClient().send(request).status
}

/// A second node that is ready: pods of the first one have somewhere to go.
func addOtherNode(_ root: String) throws {
  let node = #"{"metadata": {"name": "other"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}"#
  let lease = """
    {"metadata": {"name": "other"}, "spec": {"holderIdentity": "other", "leaseDurationSeconds": 86400, "renewTime": "\(wallClock())"}}
    """
  let leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
  for (path, body) in [("/api/v1/nodes", node), (leases, lease)] {
    let status = try requestAsAdmin(root, "POST", path, body)
    guard status == 201 else { throw Failure(what: "cannot make another node", why: "\(path) answers \(status)", next: "") }
  }
}
