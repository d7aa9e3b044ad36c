internal import Model

/// Flags of a manifest that kubeadm would not write again.
enum HandEdits {
  /// `extra`: what kubeadm-config adds. `known`: what kubeadm writes by itself, whatever the value.
  static func find(_ flags: ContainerFlags, extra: [String: String], known: Set<String>) -> [String] {
    var found: [String] = []
    for flag in flags.flags where extra[flag.name] == nil && !known.contains(flag.name) {
      found.append("--\(flag.name)" + (flag.value.map { "=\($0.prefix(60))" } ?? ""))
    }
    for (name, value) in extra.sorted(by: { $0.key < $1.key }) {
      if !flags.has(name) {
        found.append("lacks --\(name)=\(value.prefix(60)), which kubeadm-config names")
      } else if let now = flags[name], now != value, !isMerged(name) {
        found.append("--\(name)=\(now.prefix(60)), where kubeadm-config says \(value.prefix(60))")
      }
    }
    return found
  }

  /// kubeadm adds its own modes to those of the configuration.
  private static func isMerged(_ name: String) -> Bool { name == "authorization-mode" || name == "enable-admission-plugins" }

  /// What kubeadm v1.20 to v1.34 writes.
  static let known: [String: Set<String>] = [
    "kube-apiserver": [
      "advertise-address", "allow-privileged", "authorization-mode", "client-ca-file", "enable-admission-plugins",
      "enable-bootstrap-token-auth",
      "etcd-cafile", "etcd-certfile", "etcd-keyfile", "etcd-servers", "insecure-port", "kubelet-client-certificate", "kubelet-client-key",
      "kubelet-preferred-address-types", "proxy-client-cert-file", "proxy-client-key-file", "requestheader-allowed-names",
      "requestheader-client-ca-file", "requestheader-extra-headers-prefix", "requestheader-group-headers", "requestheader-username-headers",
      "secure-port", "service-account-issuer", "service-account-key-file", "service-account-signing-key-file", "service-cluster-ip-range",
      "tls-cert-file", "tls-private-key-file", "feature-gates", "etcd-prefix",
    ],
    "kube-controller-manager": [
      "allocate-node-cidrs", "authentication-kubeconfig", "authorization-kubeconfig", "bind-address", "client-ca-file", "cluster-cidr",
      "cluster-name", "cluster-signing-cert-file", "cluster-signing-key-file", "controllers", "kubeconfig", "leader-elect",
      "node-cidr-mask-size",
      "port", "requestheader-client-ca-file", "root-ca-file", "service-account-private-key-file", "service-cluster-ip-range",
      "use-service-account-credentials", "feature-gates",
    ],
    "kube-scheduler": [
      "authentication-kubeconfig", "authorization-kubeconfig", "bind-address", "kubeconfig", "leader-elect", "port", "feature-gates",
    ],
    "etcd": [
      "advertise-client-urls", "cert-file", "client-cert-auth", "data-dir", "experimental-initial-corrupt-check",
      "experimental-watch-progress-notify-interval", "feature-gates", "initial-advertise-peer-urls", "initial-cluster",
      "initial-cluster-state",
      "key-file", "listen-client-urls", "listen-metrics-urls", "listen-peer-urls", "name", "peer-cert-file", "peer-client-cert-auth",
      "peer-key-file", "peer-trusted-ca-file", "snapshot-count", "trusted-ca-file", "watch-progress-notify-interval",
    ],
  ]
}
