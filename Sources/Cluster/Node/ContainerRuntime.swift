internal import Host
internal import Model

/// The node's container runtime, asked through crictl: it knows what really runs, whatever the API server and kubelet say.
struct ContainerRuntime {
  struct Container: Equatable {
    enum State: String { case created, running, exited, unknown }
    let id: String
    let name: String
    let pod: String
    /// The same over restarts of the node; another one after each change of a manifest.
    let podUID: String
    let namespace: String
    /// The image as the runtime knows it: a digest, an id or a name.
    let image: String
    let imageRef: String
    let attempt: Int64
    let state: State
    /// Nanoseconds since 1970.
    let created: Int64
  }

  struct Image: Equatable {
    let id: String
    let tags: [String]
    let digests: [String]
  }

  let machine: any Machine
  init(_ machine: any Machine) { self.machine = machine }

  func containers() throws(Failure) -> [Container] {
    try Self.containers(try ask(["ps", "-a", "-o", "json"]))
  }

  func images() throws(Failure) -> [Image] {
    try Self.images(try ask(["images", "-o", "json"]))
  }

  /// The last lines that a container said, on either stream.
  func log(of id: String, lines: Int) throws(Failure) -> String {
    let result = try machine.run(["crictl", "logs", "--tail", String(lines), id], timeout: .seconds(20), limit: 1 << 20)
    guard result.end.isSuccess else {
      throw Failure(what: "cannot read the log of the container \(id)", why: result.lastWords, next: "see `crictl logs \(id)`")
    }
    return result.text + result.errorText
  }

  static func containers(_ json: JSON) throws(Failure) -> [Container] {
    (json["containers"]?.array ?? []).map { entry in
      let state = (entry["state"]?.string ?? "").split(separator: "_").last.map { $0.lowercased() } ?? ""
      return Container(
        id: entry["id"]?.string ?? "", name: entry.at("metadata", "name")?.string ?? "",
        pod: entry.at("labels", "io.kubernetes.pod.name")?.string ?? "",
        podUID: entry.at("labels", "io.kubernetes.pod.uid")?.string ?? entry["podSandboxId"]?.string ?? "",
        namespace: entry.at("labels", "io.kubernetes.pod.namespace")?.string ?? "", image: entry.at("image", "image")?.string ?? "",
        imageRef: entry["imageRef"]?.string ?? "", attempt: entry.at("metadata", "attempt")?.int ?? 0,
        state: Container.State(rawValue: state) ?? .unknown, created: entry["createdAt"]?.string.flatMap { Int64($0) } ?? 0)
    }
  }

  static func images(_ json: JSON) throws(Failure) -> [Image] {
    (json["images"]?.array ?? []).map { entry in
      Image(
        id: entry["id"]?.string ?? "", tags: (entry["repoTags"]?.array ?? []).compactMap(\.string),
        digests: (entry["repoDigests"]?.array ?? []).compactMap(\.string))
    }
  }

  private func ask(_ arguments: [String]) throws(Failure) -> JSON {
    let result = try machine.run(["crictl"] + arguments, timeout: .seconds(20))
    guard result.end.isSuccess else {
      throw Failure(
        what: "cannot ask the container runtime", why: result.lastWords,
        next: "check that containerd runs, and that crictl knows its socket (/etc/crictl.yaml)", isTransient: true)
    }
    do throws(Failure) {
      return try JSON(parsing: result.output)
    } catch {
      throw Failure(what: "cannot read crictl's answer", why: error.why, next: "run `crictl \(arguments.joined(separator: " "))` and see")
    }
  }
}

extension ContainerRuntime.Image {
  /// True where a container that gives these two names runs this image.
  func isImage(of container: ContainerRuntime.Container) -> Bool {
    [container.image, container.imageRef].contains { $0 == id || tags.contains($0) || digests.contains($0) }
  }

  /// `sha256:…` of the registry, else the id.
  var digest: String { digests.first?.split(separator: "@").last.map(String.init) ?? id }
}
