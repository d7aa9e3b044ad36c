/// The name of a check, and what it looks at: what manuals list and shells complete.
public struct PreflightCheck: Sendable, Equatable {
  public let name: String
  public let meaning: String

  private init(_ name: String, _ meaning: String) {
    self.name = name
    self.meaning = meaning
  }

  /// In the order in which they are reported.
  public static let all: [PreflightCheck] = [
    PreflightCheck("root", "kguard has the rights that an upgrade needs"),
    PreflightCheck("programs", "the programs that an upgrade calls are there"),
    PreflightCheck("kubelet", "kubelet is a service, and runs"),
    PreflightCheck("disk-space", "every filesystem has room for all that will be written to it"),
    PreflightCheck("kubeadm-tmp", "the copies of etcd's data that earlier runs of kubeadm left"),
    PreflightCheck("control-plane", "this is a control-plane node made by kubeadm"),
    PreflightCheck("sole-control-plane", "the cluster has no other control-plane node"),
    PreflightCheck("version", "kubeadm can go from the cluster's version to this one"),
    PreflightCheck("kubelet-skew", "no kubelet falls too far behind"),
    PreflightCheck("packages", "the packages of that version are on offer"),
    PreflightCheck("etcd", "etcd is found and answers"),
    PreflightCheck("etcd-members", "every member is healthy, one leads, no alarm is raised"),
    PreflightCheck("etcd-quota", "the database has room to grow"),
    PreflightCheck("etcd-version", "etcd can go to the version that comes with the upgrade"),
    PreflightCheck("restore-tool", "a tool of etcd's own version can restore a snapshot"),
    PreflightCheck("data-dir", "where etcd's data really is, and whose it is"),
    PreflightCheck("stray-files", "nothing but manifests is in the manifests directory"),
    PreflightCheck("hand-edits", "no flag of a manifest was set by hand, which kubeadm would drop"),
    PreflightCheck("encryption-config", "the configuration of encryption at rest is there and archived"),
    PreflightCheck("certificates", "no certificate has run out, or will soon"),
    PreflightCheck("api-server", "the API server answers"),
    PreflightCheck("kubeadm-config", "kubeadm's own configuration is in the cluster"),
    PreflightCheck("nodes", "every node is ready"),
    PreflightCheck("control-plane-pods", "the control plane's pods are ready"),
    PreflightCheck("clock", "this node's clock agrees with the others'"),
    PreflightCheck("disruption-budgets", "no disruption budget blocks a drain"),
    PreflightCheck("offsite", "every off-site target takes an object and gives it back"),
  ]
}
