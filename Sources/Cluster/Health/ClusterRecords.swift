internal import Model

/// What kubeadm has written into the API server: it lives in etcd, and comes back with etcd only.
struct ClusterRecords: Equatable {
  /// What kubeadm-config says; nil where there is none.
  var kubernetes: String?
  /// Images of kube-proxy and CoreDNS, by the names of their workloads; some clusters do without.
  var addons: [String: String] = [:]

  private static let workloads = [("kube-proxy", "daemonsets"), ("coredns", "deployments")]

  static func read(_ api: KubernetesAPI) throws(Failure) -> ClusterRecords {
    var records = ClusterRecords(kubernetes: try ClusterConfiguration.read(api)?.kubernetesVersion)
    for (name, plural) in workloads {
      let found = try api.find("/apis/apps/v1/namespaces/kube-system/\(plural)/\(name)")
      records.addons[name] = found?.at("spec", "template", "spec", "containers")?[0]?["image"]?.string
    }
    return records
  }

  /// What keeps them from being those of `version`: kubeadm moves kube-proxy with the control plane, CoreDNS by its own numbers.
  func differences(from version: KubernetesVersion) -> [String] {
    guard let kubernetes else { return ["there is no kubeadm-config"] }
    var words: [String] = []
    if KubernetesVersion(kubernetes) != version { words.append("kubeadm-config says \(kubernetes)") }
    if let image = addons["kube-proxy"], ControlPlane.Component.version(image) != version {
      words.append("kube-proxy has the image \(image)")
    }
    return words
  }

  /// What is not as the baseline has it. What is not there any more somebody deleted.
  func differences(from baseline: Baseline) -> [String] {
    var words: [String] = []
    if (kubernetes ?? "") != baseline.kubernetes {
      words.append("kubeadm-config says \(kubernetes ?? "nothing"), it said \(baseline.kubernetes)")
    }
    if let now = addons["kube-proxy"], let before = baseline.addons["kube-proxy"], now != before {
      words.append("kube-proxy has the image \(now), it had \(before)")
    }
    return words
  }

  /// The same for a person, with the commands that bring each back.
  func advice(_ baseline: Baseline) -> [String] {
    var words: [String] = []
    if let kubernetes, kubernetes != baseline.kubernetes, !baseline.kubernetes.isEmpty {
      words.append(
        "kubeadm-config says \(kubernetes): `kubectl -n kube-system edit configmap kubeadm-config`, set kubernetesVersion: \(baseline.kubernetes)"
      )
    }
    for (name, plural) in Self.workloads {
      guard let now = addons[name], let before = baseline.addons[name], now != before else { continue }
      let kind = plural.dropLast()
      words.append("\(name) has the image \(now): `kubectl -n kube-system set image \(kind)/\(name) \(name)=\(before)`")
    }
    if !words.isEmpty { words.append("RBAC rules and configmaps that kubeadm wrote in kube-system stay as well") }
    return words
  }
}
