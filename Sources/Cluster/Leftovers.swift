public import Engine
public import Host
internal import Model
public import Playbooks

/// What rollbacks and drills have left on this node. kguard never deletes what it moved aside or rescued: whoever needs the space does.
public struct Leftovers {
  public struct Item: Sendable, Equatable {
    public let path: String
    /// Nil where there was no time to count.
    public let size: Int64?
  }

  public let items: [Item]

  /// Looks at the places where kguard puts things, and counts for no longer than `limit`.
  public static func find(
    _ machine: any Machine, _ configuration: Configuration, _ state: StateDirectory, within limit: Duration = .seconds(2)
  ) -> Leftovers {
    let end = monotonicNow() + limit
    let manifest = (try? configuration.etcdLocation(machine))?.manifest
    var places = ["/etc/kubernetes", "/etc/kubernetes/pki"] + NodeScope.roots.map(Files.directory) + NodeScope.roots
    for directory in [configuration.etcd.dataDir ?? manifest?.dataDirectory ?? "/var/lib/etcd", manifest?.walDirectory].compactMap({ $0 }) {
      let real = Files.real(machine.locate(directory)).map { path in
        machine.root != "/" && path.hasPrefix(machine.root + "/") ? String(path.dropFirst(machine.root.count)) : path
      }
      places += [directory, Files.directory(of: directory)] + (real.map { [$0, Files.directory(of: $0)] } ?? [])
    }
    var paths = Set(names(state.path + "/rescue").map { state.path + "/rescue/" + $0 })
    for place in Set(places).map(machine.locate) {
      for name in names(place) where isOurs(name) { paths.insert(place + "/" + name) }
    }
    // One place may be reached by two names.
    let real = Set(paths.compactMap { Files.real($0) })
    return Leftovers(items: real.sorted().map { Item(path: $0, size: try? Files.sizeOfTree($0, until: end)) })
  }

  public var total: Int64 { items.reduce(0) { $0 &+ ($1.size ?? 0) } }

  /// "3 directories, 1.2 GiB: …"
  public var words: String {
    let isWhole = items.allSatisfy { $0.size != nil }
    let paths = items.map { "\($0.path) (\($0.size.map(sizeForPeople) ?? "not counted"))" }
    let count = items.count == 1 ? "1 directory" : "\(items.count) directories"
    return "\(count), \(isWhole ? "" : "more than ")\(sizeForPeople(total)): \(naming(paths))"
  }

  private static func names(_ directory: String) -> [String] { (try? Files.list(directory)) ?? [] }

  private static func isOurs(_ name: String) -> Bool {
    if name.hasSuffix(".json") || name.hasSuffix(".log") { return false }
    return ["kguard-aside-", "kguard-undone-", "kguard-stopped-", "kguard-staged-"].contains { name.contains($0) }
  }
}
