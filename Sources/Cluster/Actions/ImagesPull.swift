internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// `images/pull`: fetches the images of the target before the outage, not in it.
struct ImagesPull: Action {
  static let signature = ActionSignature(
    "images/pull", summary: "pull the images of the version before they are needed", inputs: [.version("the version to upgrade to")])

  let version: KubernetesVersion

  init(_ inputs: ActionInputs) throws(Failure) { version = try inputs.requireVersion("version") }

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool { try missing(context).isEmpty }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    guard (try? ThisNode.version(of: "kubeadm", outlook.machine)) == version else {
      return Intentions(["runs `\((try argv(outlook)).joined(separator: " "))` with the new kubeadm, which knows the images"])
    }
    let missing = try missing(outlook)
    if missing.isEmpty { return Intentions(["nothing: every image is on this node"]) }
    return Intentions(["runs `\((try argv(outlook)).joined(separator: " "))`", "not on this node yet: \(naming(missing, most: 12))"])
  }

  func perform(_ context: StepContext) throws(Failure) {
    let count = try wanted(context).count
    var pulled = 0
    try context.superviseToSuccess(try argv(context)) { line in
      guard line.contains(" Pulled ") else { return }
      pulled += 1
      context.phase("\(pulled) of \(count) images are there")
    }
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let wanted = try wanted(context)
    let there = try ContainerRuntime(context.machine).images()
    var digests = JSON.Members()
    for name in wanted {
      guard let image = there.first(where: { $0.tags.contains(name) }) else {
        throw Failure(
          what: "the image \(name) is missing", why: "kubeadm says that it pulled it, and the container runtime does not have it",
          next: "pull it by hand: crictl pull \(name)")
      }
      digests[name] = .string(image.digest)
    }
    return ["images": .object(digests), "summary": .string("\(wanted.count) images are on this node")]
  }

  private func argv(_ context: some StepSight) throws(Failure) -> [String] {
    ["kubeadm", "config", "images", "pull"] + (try options(context))
  }

  private func missing(_ context: some StepSight) throws(Failure) -> [String] {
    let there = Set(try ContainerRuntime(context.machine).images().flatMap(\.tags))
    return try wanted(context).filter { !there.contains($0) }
  }

  private func options(_ context: some StepSight) throws(Failure) -> [String] {
    let repository = try ClusterConfiguration.read(ThisNode.api(context.machine, timeout: .seconds(20)))?.imageRepository
    return ["--kubernetes-version=\(version)"] + (repository.map { ["--image-repository=\($0)"] } ?? [])
  }

  private func wanted(_ context: some StepSight) throws(Failure) -> [String] {
    let result = try context.machine.run(["kubeadm", "config", "images", "list"] + options(context), timeout: .seconds(60))
    let names = result.text.split(whereSeparator: \.isWhitespace).map(String.init).filter { $0.contains("/") && $0.contains(":") }
    guard result.end.isSuccess, !names.isEmpty else {
      throw Failure(
        what: "cannot tell which images \(version) needs", why: result.lastWords,
        next: "run `kubeadm config images list --kubernetes-version \(version)` and see")
    }
    return names
  }
}
