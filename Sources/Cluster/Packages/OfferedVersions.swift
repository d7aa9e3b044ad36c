public import Host
internal import Model

/// The releases of Kubernetes whose kubeadm apt knows of, newest first. It reads apt's lists as they lie there and runs nothing, so
/// that a shell can ask while somebody types; nothing is said of lists that are compressed or very long.
public func offeredVersions(_ machine: any Machine) -> [String] {
  let directory = "/var/lib/apt/lists"
  guard let names = try? machine.list(directory) else { return [] }
  var found: Set<KubernetesVersion> = []
  for name in names where name.hasSuffix("_Packages") {
    // Kubernetes' own lists are small; those of a distribution have no kubeadm and are not.
    let path = machine.locate(directory + "/" + name)
    guard let info = try? Files.info(path), info.size <= 1 << 20, let text = try? Files.textIfPresent(path) else { continue }
    var isKubeadm = false
    for line in text.utf8.split(separator: 0x0a, omittingEmptySubsequences: false) {
      if line.starts(with: "Package:".utf8) {
        isKubeadm = String(Substring(line)) == "Package: kubeadm"
      } else if isKubeadm, line.starts(with: "Version: ".utf8), let text = String(line.dropFirst(9)) {
        if let version = PackageManagers.release(text) { found.insert(version) }
      }
    }
  }
  return found.sorted(by: >).map(\.description)
}
