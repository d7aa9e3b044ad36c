internal import Host
internal import Model

/// Files that kubelet and kubeadm read, and people edit.
enum FileChecks {
  static func all(_ scene: PreflightScene) -> [Check] { [stray(scene), edits(scene), encryption(scene), archived(scene)] }

  /// kubelet runs every file of that directory, `etcd.yaml.backup` too.
  private static func stray(_ scene: PreflightScene) -> Check {
    Check("stray-files") { () throws(Failure) in
      let own = (["etcd"] + ControlPlane.names).map { $0 + ".yaml" }
      let others = try scene.machine.list(ControlPlane.manifests).filter { !own.contains($0) && !$0.hasPrefix(".") }
      var (bad, foreign): ([String], [String]) = ([], [])
      for name in others {
        let pod = try? StaticPodManifest.read(scene.machine, "\(ControlPlane.manifests)/\(name)")
        if let pod, !(["etcd"] + ControlPlane.names).contains(pod.name), name.hasSuffix(".yaml") || name.hasSuffix(".json") {
          foreign.append(name)
        } else {
          bad.append(name)
        }
      }
      if !bad.isEmpty {
        return .fail(
          "\(ControlPlane.manifests) holds \(bad.joined(separator: ", ")), which kubelet runs as well",
          remedy: "move them out of that directory")
      }
      if !foreign.isEmpty { return .pass("other static pods: \(foreign.joined(separator: ", "))") }
      return .pass("nothing but kubeadm's manifests")
    }
  }

  private static func edits(_ scene: PreflightScene) -> Check {
    Check("hand-edits") { () throws(Failure) in
      guard let configuration = try ClusterConfiguration.read(try scene.api) else {
        return .warn("kubeadm-config is missing", remedy: "see the check kubeadm-config")
      }
      var found: [String] = []
      for name in ControlPlane.names + ["etcd"] {
        let path = "\(ControlPlane.manifests)/\(name).yaml"
        guard try scene.machine.info(path) != nil else { continue }
        let manifest = try StaticPodManifest.read(scene.machine, path, program: name)
        found += HandEdits.find(manifest.flags, extra: configuration.extraArguments[name] ?? [:], known: HandEdits.known[name] ?? []).map {
          "\(name) \($0)"
        }
        if let repository = configuration.imageRepository, !manifest.image.hasPrefix(repository + "/") {
          found.append("\(name) has the image \(manifest.image)")
        }
      }
      if let dns = try scene.api.find("/apis/apps/v1/namespaces/kube-system/deployments/coredns"),
        let image = dns.at("spec", "template", "spec", "containers")?[0]?["image"]?.string, let repository = configuration.imageRepository,
        !image.hasPrefix(repository + "/")
      {
        found.append("CoreDNS has the image \(image)")
      }
      if found.isEmpty { return .pass("manifests are as kubeadm would write them") }
      return .warn(
        "kubeadm would drop: \(naming(found, most: 8, separator: "; "))",
        remedy: "put them into kubeadm-config (extraArgs) or into patches, if they are to stay")
    }
  }

  private static func encryption(_ scene: PreflightScene) -> Check {
    Check("encryption-config") { () throws(Failure) in
      guard let path = try EncryptionConfig.path(scene.machine) else { return .pass("the API server encrypts nothing at rest") }
      guard let info = try scene.machine.info(path), info.kind == .file else {
        return .fail("\(path) is missing, and the API server's manifest names it", remedy: "put it back: without it no secret can be read")
      }
      if info.mode & 0o007 != 0 { return .warn("\(path) can be read by everyone", remedy: "chmod 600 \(path)") }
      return .pass("\(path) is there and will be archived")
    }
  }

  /// What `node/archive` would take, and what it would not.
  private static func archived(_ scene: PreflightScene) -> Check {
    Check("node-files") { () throws(Failure) in
      let named = try EncryptionConfig.paths(scene.machine)
      let files = try NodeFiles.collect(scene.machine, extra: named)
      let contents = NodeArchive.Contents(entries: files.entries, packages: [:], omissions: files.omissions, roots: nil)
      func words(_ omissions: [NodeFiles.Omission]) -> String { naming(omissions.map(\.text), most: 5) }
      if let missing = named.first(where: { !contents.holds($0) }) {
        return .fail("\(missing) cannot be archived: \(words(files.omissions))", remedy: "see that it is a file, or a link to one")
      }
      let dangling = files.omissions.filter(\.isDangling)
      if !dangling.isEmpty {
        return .warn(words(dangling), remedy: "mount what the links lead to, or remove them: a rollback could not bring it back")
      }
      let count = files.entries.count { $0.sha256 != nil }
      if !files.omissions.isEmpty {
        return .warn(
          "\(count) files will be archived, but not \(words(files.omissions))",
          remedy: "keep such files out of kubeadm's directories; a rollback leaves them as they are")
      }
      return .pass("\(count) files will be archived")
    }
  }
}
