internal import Bundles
internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// `node/archive`: PKI, manifests, kubeconfigs, encryption configuration, kubelet's files and package versions, into the run's bundle.
struct NodeArchiveAction: Action {
  static let signature = ActionSignature(
    "node/archive", summary: "archive /etc/kubernetes, kubelet's files and package versions into the run's bundle")

  init(_ inputs: ActionInputs) throws(Failure) {}

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    let file = try context.bundle(nil).archive
    guard try Files.exists(file) else { return false }
    // One that cannot be read is made anew.
    return (try? NodeArchive.list(file)) != nil
  }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let paths = NodeScope.roots + (try EncryptionConfig.paths(outlook.machine))
    var there: [String] = []
    for path in paths where try outlook.machine.info(path) != nil { there.append(path) }
    return Intentions(["writes \(try outlook.bundle(nil).archive)", "with " + there.joined(separator: ", ")])
  }

  func perform(_ context: StepContext) throws(Failure) {
    let bundle = try context.bundle(nil)
    try bundle.make()
    let contents = try NodeArchive.write(
      context.machine, to: bundle.archive, packages: try packages(context), extra: try EncryptionConfig.paths(context.machine))
    for omission in contents.omissions.prefix(10) { context.message("warning: not archived: \(omission.text)") }
    if contents.omissions.count > 10 { context.message("warning: and \(contents.omissions.count - 10) more are not archived") }
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let file = try context.bundle(nil).archive
    let contents = try NodeArchive.list(file)
    let needed = ["/etc/kubernetes/manifests/kube-apiserver.yaml", "/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/admin.conf"]
    for path in needed + (try EncryptionConfig.paths(context.machine)) where !contents.holds(path) {
      throw Failure(
        .verification, what: "the node archive is not complete", why: "\(path) is not in it",
        next: "put the file back, then run `kguard resume`")
    }
    let files = contents.entries.filter { $0.sha256 != nil }
    let size = try Files.info(file)?.size ?? 0
    return [
      "files": JSON(files.count), "path": .string(file), "packages": contents.packages,
      "omitted": JSON(contents.omissions.prefix(100).map(\.text)), "encryption": JSON(try EncryptionConfig.paths(context.machine)),
      "summary": .string("\(files.count) files, \(sizeForPeople(size))"),
    ]
  }

  private func packages(_ context: StepContext) throws(Failure) -> JSON {
    let manager = try PackageManagers.find(context.machine, context.settings.packages)
    var json: JSON = ["manager": .string(manager.name)]
    for name in ["kubeadm", "kubelet", "kubectl", "kubernetes-cni", "cri-tools"] {
      if let version = try manager.installed(name) { json[name] = ["version": .string(version), "held": .bool(try manager.isHeld(name))] }
    }
    for name in ["kubeadm", "kubelet", "kubectl"] {
      if let version = try? ThisNode.version(of: name, context.machine) { json["\(name)-program"] = .string(version.description) }
    }
    return json
  }
}
