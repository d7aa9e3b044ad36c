internal import Host
internal import Model

/// The API server's configuration of encryption at rest: without it the secrets of a snapshot cannot be read.
enum EncryptionConfig {
  /// The file that the API server's flag names, on the host; nil where it encrypts nothing.
  static func path(_ machine: any Machine) throws(Failure) -> String? {
    let manifest = try StaticPodManifest.read(machine, EtcdLocation.apiServerManifest, program: "kube-apiserver")
    guard let inside = manifest.flags["encryption-provider-config"] ?? manifest.flags["experimental-encryption-provider-config"] else {
      return nil
    }
    return manifest.hostPath(inside) ?? inside
  }

  /// What the archive takes besides the usual directories.
  static func paths(_ machine: any Machine) throws(Failure) -> [String] { try path(machine).map { [$0] } ?? [] }
}
