internal import Model
internal import YAML

/// What kubeadm keeps about the cluster, in the configmap `kubeadm-config`.
struct ClusterConfiguration {
  let kubernetesVersion: String
  let imageRepository: String?
  let isEtcdExternal: Bool
  /// Flags that kubeadm sets besides its own, by component.
  let extraArguments: [String: [String: String]]

  static let path = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"

  /// Nil where the cluster has no such configmap: it was not made by kubeadm.
  static func read(_ api: KubernetesAPI) throws(Failure) -> ClusterConfiguration? {
    guard let text = try api.find(path)?.at("data", "ClusterConfiguration")?.string else { return nil }
    return try ClusterConfiguration(text)
  }

  init(_ text: String) throws(Failure) {
    let root: Node
    do throws(Mistake) {
      root = try Node.load(text, file: "kubeadm-config")
    } catch {
      throw Failure(
        what: "cannot read kubeadm-config", why: error.description,
        next: "correct it: kubectl -n kube-system edit configmap kubeadm-config")
    }
    kubernetesVersion = root["kubernetesVersion"]?.text ?? ""
    imageRepository = root["imageRepository"]?.text
    isEtcdExternal = root["etcd"]?["external"] != nil
    let places = [
      ("kube-apiserver", root["apiServer"]), ("kube-controller-manager", root["controllerManager"]), ("kube-scheduler", root["scheduler"]),
      ("etcd", root["etcd"]?["local"]),
    ]
    var arguments: [String: [String: String]] = [:]
    for (component, node) in places { arguments[component] = Self.arguments(node?["extraArgs"]) }
    extraArguments = arguments
  }

  /// A map until v1beta3, a list of name and value since.
  private static func arguments(_ node: Node?) -> [String: String] {
    let map = (node?.entries ?? []).map { ($0.key, $0.value.text ?? "") }
    let list = (node?.list ?? []).compactMap { entry in entry["name"]?.text.map { ($0, entry["value"]?.text ?? "") } }
    return Dictionary(map + list) { $1 }
  }
}
