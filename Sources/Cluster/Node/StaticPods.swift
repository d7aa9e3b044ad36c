internal import Host
internal import Model

/// The files of the manifests directory, hashed: what kubelet runs.
enum StaticPods {
  static func hashes(_ machine: any Machine) throws(Failure) -> [(name: String, sha256: Digest)] {
    var found: [(name: String, sha256: Digest)] = []
    for name in try machine.list(ControlPlane.manifests) {
      let path = ControlPlane.manifests + "/" + name
      guard try machine.info(path)?.kind == .file else { continue }
      found.append((name, sha256(try machine.read(path, limit: 4 << 20))))
    }
    return found
  }
}
