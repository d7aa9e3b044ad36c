internal import Host
internal import Model

/// Every way in which a call of etcd goes wrong, in words that tell them apart.
enum EtcdFailures {
  static func what(_ endpoint: EtcdEndpoint, _ method: String) -> String {
    let calls = [
      "Maintenance/Status": "ask etcd at \(endpoint.name) for its status",
      "Maintenance/Snapshot": "take a snapshot of etcd at \(endpoint.name)",
      "Cluster/MemberList": "ask etcd at \(endpoint.name) for its members",
      "Maintenance/Alarm": "ask etcd at \(endpoint.name) for its alarms",
      "Maintenance/HashKV": "ask etcd at \(endpoint.name) for its hash", "KV/Range": "read keys of etcd at \(endpoint.name)",
    ]
    return "cannot \(calls[method] ?? "call \(method) of etcd at \(endpoint.name)")"
  }

  static func transport(_ endpoint: EtcdEndpoint, method: String, fault: HTTPFault, _ failure: Failure) -> Failure {
    let what = what(endpoint, method)
    switch fault {
    case .stopped: return Failure(failure.exit, what: what, why: failure.why, next: failure.next)
    case .refused:
      return Failure(
        what: what, why: "connection refused: nothing listens there, or a firewall answers (\(failure.why))",
        next: "check that etcd runs (crictl ps --name etcd) and that the endpoint is right", isTransient: true)
    case .unresolved:
      return Failure(what: what, why: "the host name is unknown (\(failure.why))", next: "check the endpoint and the DNS of this machine")
    case .timedOut:
      return Failure(
        what: what, why: "no answer in time (\(failure.why))",
        next: "check whether etcd hangs (its log, the disk's latency) and the network to it", isTransient: true)
    case .serverExpired:
      return Failure(
        what: what, why: "expired certificate: that of the server at \(endpoint.name) is past its end",
        next: "renew it: kubeadm certs renew etcd-server, then restart etcd")
    case .serverUntrusted:
      return Failure(
        what: what, why: "wrong certificate: the server's does not come from the authority \(endpoint.authorityName) (\(failure.why))",
        next: "give the authority that signed etcd's server certificate (etcd/ca.crt)")
    case .clientUnusable:
      return Failure(
        what: what, why: "our certificate or key cannot be used (\(failure.why))",
        next: "check \(endpoint.certificateName) and its key: readable, PEM, and a pair")
    case .clientRejected: return rejected(endpoint, what, failure)
    case .cut:
      // A server that refuses a client's certificate may close before its alert is read.
      if isExpired(endpoint) { return rejected(endpoint, what, failure) }
      return cut(endpoint, method: method, detail: failure.why)
    case .other: return Failure(what: what, why: failure.why, next: failure.next, isTransient: failure.isTransient)
    }
  }

  private static func rejected(_ endpoint: EtcdEndpoint, _ what: String, _ failure: Failure) -> Failure {
    if isExpired(endpoint) {
      return Failure(
        what: what, why: "expired certificate: our own, \(endpoint.certificateName), is outside its time",
        next: "renew it: kubeadm certs renew etcd-healthcheck-client apiserver-etcd-client")
    }
    return Failure(
      what: what, why: "wrong certificate: etcd does not accept \(endpoint.certificateName) (\(failure.why))",
      next: "use a client certificate that etcd's authority signed (etcd/healthcheck-client.crt)")
  }

  private static func isExpired(_ endpoint: EtcdEndpoint) -> Bool {
    guard let pem = endpoint.tls.certificate, let certificate = try? Certificate.first(of: pem) else { return false }
    return !certificate.isValid(at: wallClock())
  }

  static func cut(_ endpoint: EtcdEndpoint, method: String, detail: String) -> Failure {
    Failure(
      what: what(endpoint, method), why: "the stream was cut before its end (\(detail))",
      next: "check whether etcd restarted (its log), then try again", isTransient: true)
  }

  static func notEtcd(_ endpoint: EtcdEndpoint, why: String) -> Failure {
    Failure(
      what: "cannot talk to etcd at \(endpoint.name)", why: "what answers there is not etcd's gRPC server: \(why)",
      next: "check the endpoint: it is a client URL of etcd, with no HTTP proxy before it")
  }

  static func status(_ endpoint: EtcdEndpoint, method: String, _ status: GRPCStatus) -> Failure {
    let (why, next, isTransient) = explain(status)
    return Failure(what: what(endpoint, method), why: why, next: next, isTransient: isTransient)
  }

  private static func explain(_ status: GRPCStatus) -> (why: String, next: String, isTransient: Bool) {
    let said = status.message
    func has(_ words: String) -> Bool { said.contains(words) }
    if has("no leader") {
      return ("no leader: the cluster has lost its quorum (\(said))", "start the other members, or repair the network between them", true)
    }
    if has("learner") { return ("the member is a learner (\(said))", "ask a voting member", false) }
    if has("database space exceeded") {
      return ("NOSPACE: the database has reached its quota (\(said))", noSpaceRemedy, false)
    }
    if has("corrupt") {
      return ("CORRUPT: etcd has found that its members differ (\(said))", "find the member that is wrong; do not upgrade before", false)
    }
    if has("compacted") { return ("that revision is compacted already (\(said))", "ask for a later revision", false) }
    if has("user name is empty") || status.code == .unauthenticated || status.code == .permissionDenied {
      return (
        "etcd asks for a user that may do this (\(said))", "use a client certificate whose common name is a user with the role root", false
      )
    }
    switch status.code {
    case .deadlineExceeded:
      return ("no answer in time (\(said))", "check whether etcd is overloaded or has lost its quorum", true)
    case .unavailable where has("timed out"):
      return (
        "etcd could not get its members to agree in time: no leader, or a very slow disk (\(said))",
        "check the other members and etcd's log", true
      )
    case .unavailable: return ("etcd is not available (\(said))", "check etcd's log, then try again", true)
    case .unimplemented:
      return ("this etcd does not know the call (\(said))", "kguard needs etcd 3.4 or later", false)
    default:
      return ("etcd said: \(said.isEmpty ? "status \(status.code.rawValue)" : said)", "look at etcd's log", status.code == .aborted)
    }
  }

  static let noSpaceRemedy =
    "make room: compact, defragment (etcdctl defrag), disarm (etcdctl alarm disarm), and raise --quota-backend-bytes if the data is real"
}
