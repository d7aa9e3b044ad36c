public import Host
public import Model
internal import YAML

/// Where playbooks come from: a file that is named, then `/etc/kguard/playbooks` of the machine, then the built-in ones.
public struct PlaybookLibrary: Sendable {
  public static let directory = "/etc/kguard/playbooks"
  public static let builtIn = "built-in"

  private let machine: any Machine

  public init(machine: any Machine) { self.machine = machine }

  /// The text of a playbook, and what to call its file in messages. A `/` or an ending says that the name is a path.
  public func find(_ name: String) throws(Failure) -> (text: String, file: String) {
    if Self.isPath(name) {
      if let text = try Self.text(name) { return (text, name) }
      throw Failure(.usage, what: "cannot read the playbook \(name)", why: "there is no such file", next: "correct the path")
    }
    let path = machine.locate(Self.directory + "/" + name + ".yaml")
    if Format.kebab.matches(name) {
      if let text = try Self.text(path) { return (text, path) }
      if let embedded = Embedded.playbooks.first(where: { $0.name == name }) {
        return (String(decoding: embedded.bytes, as: UTF8.self), "\(Self.builtIn):\(name).yaml")
      }
    }
    let names = try list().map(\.name)
    throw Failure(
      .usage, what: "cannot find the playbook `\(name)`",
      why: "it is neither built in nor in \(machine.locate(Self.directory))" + suggestion(name, names, called: "playbooks"),
      next: "`kguard playbook list` shows all there are; a file is given with its path, such as ./\(name).yaml")
  }

  /// Finds and reads a playbook, and the one that its `rollback` names, so that it is not missed only when it is needed.
  public func load(_ name: String, catalogue: Catalogue) throws(Failure) -> Playbook {
    let playbook = try read(name, catalogue)
    guard let rollback = playbook.rollback else { return playbook }
    do throws(Failure) {
      _ = try read(rollback, catalogue)
    } catch {
      throw error.within("the playbook \(playbook.file) names the rollback `\(rollback)`")
    }
    return playbook
  }

  private func read(_ name: String, _ catalogue: Catalogue) throws(Failure) -> Playbook {
    let (text, file) = try find(name)
    let playbook: Playbook
    do throws(PlaybookProblems) {
      playbook = try Playbook.load(text: text, file: file, catalogue: catalogue)
    } catch {
      throw error.failure
    }
    guard Self.isPath(name) || playbook.name == name else {
      throw Failure(
        .usage, what: "cannot use the playbook `\(name)`", why: "\(file) says that its name is `\(playbook.name)`",
        next: "give the file the name of its playbook")
    }
    return playbook
  }

  /// All playbooks by name, sorted; a file of the machine hides the built-in one of its name. `origin` is its path, or `built-in`.
  public func list() throws(Failure) -> [(name: String, description: String, origin: String)] {
    var found: [(name: String, description: String, origin: String)] = []
    if try machine.info(Self.directory) != nil {
      for file in try machine.list(Self.directory) where file.hasSuffix(".yaml") {
        let name = String(file.dropLast(5))
        let path = machine.locate(Self.directory + "/" + file)
        guard Format.kebab.matches(name), let text = try Self.text(path) else { continue }
        found.append((name, Self.description(of: text, path), path))
      }
    }
    for embedded in Embedded.playbooks where !found.contains(where: { $0.name == embedded.name }) {
      let text = String(decoding: embedded.bytes, as: UTF8.self)
      found.append((embedded.name, Self.description(of: text, embedded.name), Self.builtIn))
    }
    return found.sorted { $0.name < $1.name }
  }

  private static func isPath(_ name: String) -> Bool { name.contains("/") || name.hasSuffix(".yaml") || name.hasSuffix(".yml") }

  private static func text(_ path: String) throws(Failure) -> String? { try Files.textIfPresent(path, limit: 4 << 20) }

  private static func description(of text: String, _ file: String) -> String {
    do throws(Mistake) {
      return try Node.load(text, file: file)["description"]?.text ?? ""
    } catch {
      return "cannot be read: \(error)"
    }
  }
}
