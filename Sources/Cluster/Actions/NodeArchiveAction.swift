internal import Bundles
public import Engine
internal import Host
public import Model
public import Playbooks

/// `node/archive`: PKI, manifests, kubeconfigs, encryption configuration, kubelet's files and package versions, into the run's bundle.
public struct NodeArchiveAction: Action {
  public static let signature = ActionSignature(
    "node/archive", summary: "archive /etc/kubernetes, kubelet's files and package versions into the run's bundle",
    inputs: [
      ActionInput(
        "optional", .bool, description: "true: on a machine that is no control-plane node of kubeadm, take what there is, and go on without"
      )
    ])

  /// A backup of etcd is worth having on a machine of any kind; an upgrade has no way back without the archive.
  private let isOptional: Bool

  public init(_ inputs: ActionInputs) throws(Failure) { isOptional = inputs.isTrue("optional") }

  public func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    let file = try context.bundle(nil).archive
    guard try Files.exists(file) else { return false }
    // One that cannot be read is made anew.
    return (try? NodeArchive.list(file)) != nil
  }

  public func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let isControlPlane = try countsAsControlPlane(outlook.machine)
    if !isControlPlane, try !Self.isKubernetes(outlook.machine) { return Intentions(["nothing to archive: \(Self.noKubernetes)"]) }
    let paths = NodeScope.roots + (isControlPlane ? try EncryptionConfig.paths(outlook.machine) : [])
    var there: [String] = []
    for path in paths where try outlook.machine.info(path) != nil { there.append(path) }
    return Intentions(["writes \(try outlook.bundle(nil).archive)", "with " + there.joined(separator: ", ")])
  }

  public func perform(_ context: StepContext) throws(Failure) {
    let bundle = try context.bundle(nil)
    let isControlPlane = try countsAsControlPlane(context.machine)
    if !isControlPlane, try !Self.isKubernetes(context.machine) { return }
    try bundle.make()
    let extra = isControlPlane ? try EncryptionConfig.paths(context.machine) : []
    let contents = try NodeArchive.write(context.machine, to: bundle.archive, packages: try packages(context), extra: extra)
    if !isControlPlane { context.message("warning: \(Self.noControlPlane); what there is was archived") }
    for omission in contents.omissions.prefix(10) { context.message("warning: not archived: \(omission.text)") }
    if contents.omissions.count > 10 { context.message("warning: and \(contents.omissions.count - 10) more are not archived") }
  }

  public func verify(_ context: StepContext) throws(Failure) -> JSON {
    let file = try context.bundle(nil).archive
    let isControlPlane = try countsAsControlPlane(context.machine)
    if !isControlPlane, try !Files.exists(file) {
      return ["summary": .string("nothing to archive: \(Self.noKubernetes)"), "files": 0, "skipped": .string(Self.noKubernetes)]
    }
    let contents = try NodeArchive.list(file)
    let encryption = isControlPlane ? try EncryptionConfig.paths(context.machine) : []
    let needed = isControlPlane ? [EtcdLocation.apiServerManifest, "/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/admin.conf"] : []
    for path in needed + encryption where !contents.holds(path) {
      throw Failure(
        .verification, what: "the node archive is not complete", why: "\(path) is not in it",
        next: "put the file back, then run `kguard resume`")
    }
    let files = contents.entries.filter { $0.sha256 != nil }
    let size = try Files.info(file)?.size ?? 0
    return [
      "files": JSON(files.count), "path": .string(file), "packages": contents.packages,
      "omitted": JSON(contents.omissions.prefix(100).map(\.text)), "encryption": JSON(encryption),
      "summary": .string("\(files.count) files, \(sizeForPeople(size))\(isControlPlane ? "" : "; \(Self.noControlPlane)")"),
    ]
  }

  private static let noKubernetes = "this machine has no /etc/kubernetes"
  private static let noControlPlane = "this machine has no \(EtcdLocation.apiServerManifest)"

  /// Where it must be one, it is taken for one: then what is missing is a failure.
  private func countsAsControlPlane(_ machine: any Machine) throws(Failure) -> Bool {
    if !isOptional { return true }
    return try machine.info(EtcdLocation.apiServerManifest) != nil
  }

  private static func isKubernetes(_ machine: any Machine) throws(Failure) -> Bool {
    try machine.info("/etc/kubernetes")?.kind == .directory
  }

  private func packages(_ context: StepContext) throws(Failure) -> JSON {
    let manager: any PackageManager
    do throws(Failure) {
      manager = try PackageManagers.find(context.machine, context.settings.packages)
    } catch {
      // In a pod it is the image that has no apt.
      guard isOptional else { throw error }
      context.message("warning: the versions of packages are not archived: \(error.why)")
      return ["manager": "unknown"]
    }
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
