internal import Journal
internal import Model

/// The cluster before the run and after it, line by line, from the evidence that the steps left.
struct BeforeAfter {
  struct Line {
    let name: String
    let before: String
    /// Nil: nobody looked afterwards.
    let after: String?
    var isChanged: Bool { after != nil && after != before }
  }
  struct Group {
    let title: String
    var lines: [Line] = []
    /// Lines that are as they were and are not shown.
    var same = 0
    /// Lines that there is no room for.
    var more = 0
  }

  private(set) var groups: [Group] = []
  /// Somebody looked again.
  let isKnown: Bool
  /// How the right column is known.
  let source: String

  static let mostLines = 60

  /// Nil where the run kept no baseline.
  init?(_ story: Story) {
    guard let before = story.main.evidence(ofAction: "cluster/baseline") else { return nil }
    var now: [String: String] = [:]
    if story.run.state == .rolledBack {
      isKnown = true
      source = "After: as it is since the rollback, by `cluster/verify-restored`"
    } else if let verified = story.main.evidence(ofAction: "cluster/verify"), let differences = verified["differences"]?.array {
      isKnown = true
      for entry in differences {
        if let kind = entry["kind"]?.string, let name = entry["name"]?.string { now[kind + " " + name] = entry["now"]?.string ?? "" }
      }
      source = "After: at the end of the run, as `cluster/verify` saw it"
    } else {
      isKnown = false
      source = "The run did not come so far as to look again"
    }
    func line(_ kind: String, _ name: String, _ before: String, shown: String? = nil) -> Line {
      let after = now[kind + " " + name]
      let isImage = kind == "image"
      return Line(
        name: shown ?? name, before: isImage ? Self.image(before) : before,
        after: isKnown ? after.map { isImage ? Self.image($0) : $0 } ?? (isImage ? Self.image(before) : before) : nil)
    }
    var versions = [
      line("version", "kubernetes", before["kubernetes"]?.string ?? ""), line("version", "etcd", before["etcd"]?.string ?? ""),
    ]
    for (name, value) in before["programs"]?.object?.pairs ?? [] { versions.append(line("version", name, value.string ?? "")) }
    var nodes: [Line] = []
    for node in before["nodes"]?.array ?? [] {
      let name = node["name"]?.string ?? ""
      versions.append(line("version", "kubelet of \(name)", node["kubelet"]?.string ?? ""))
      let state = (node["ready"]?.bool == true ? "Ready" : "NotReady") + (node["schedulable"]?.bool == false ? ", cordoned" : "")
      nodes.append(line("node", name, state))
    }
    if story.run.state == .rolledBack {
      // Packages may be somebody else's business: what the rollback found to be another is told as it is.
      for left in story.evidence(ofAction: "cluster/verify-restored")?["packages"]?.array ?? [] {
        guard let words = left.string, let name = words.split(separator: " ").first.map(String.init),
          let at = versions.firstIndex(where: { $0.name == name })
        else { continue }
        let after = words.split(separator: " ").dropFirst(2).first.map { String($0.filter { $0 != "," }) }
        versions[at] = Line(name: name, before: versions[at].before, after: after ?? versions[at].after)
      }
    }
    add("Versions", versions)
    add("Images", (before["images"]?.object?.pairs ?? []).map { line("image", $0.key, $0.value.string ?? "") })
    add("Nodes", nodes)
    let workloads = (before["workloads"]?.array ?? []).map { workload in
      let title = "\(workload["kind"]?.string ?? "") \(workload["namespace"]?.string ?? "")/\(workload["name"]?.string ?? "")"
      return line("workload", title, "\(workload["ready"]?.int ?? 0) of \(workload["desired"]?.int ?? 0) ready")
    }
    add("Workloads", workloads)
    let counts = (before["counts"]?.object?.pairs ?? []).map { line("count", $0.key, String($0.value.int ?? 0)) }
    add("Objects", counts.filter { $0.before != "0" || $0.isChanged })
    let known = Set(groups.flatMap { $0.lines.map(\.name) } + counts.map(\.name))
    // Kinds and namespaces that were not there before.
    let new = now.filter { entry in
      ["count", "namespace", "workload", "node"].contains { entry.key.hasPrefix($0 + " ") }
        && !known.contains(String(entry.key.drop { $0 != " " }.dropFirst()))
    }
    add("Also different", new.sorted { $0.key < $1.key }.map { Line(name: $0.key, before: "not as now", after: $0.value) })
  }

  /// What changed comes first; of the rest as much as there is room for.
  private mutating func add(_ title: String, _ lines: [Line]) {
    guard !lines.isEmpty else { return }
    var group = Group(title: title)
    let changed = lines.filter(\.isChanged), same = lines.filter { !$0.isChanged }
    group.lines = Array(changed.prefix(Self.mostLines))
    group.more = changed.count - group.lines.count
    let room = max(0, (title == "Objects" ? 12 : 30) - group.lines.count)
    group.lines += same.prefix(room)
    group.same = max(0, same.count - room)
    groups.append(group)
  }

  /// `registry.k8s.io/etcd:3.5.9-0 sha256:…` with the digest cut short.
  private static func image(_ text: String) -> String {
    let parts = text.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[1].hasPrefix("sha256:") else { return text }
    return "\(parts[0]) \(parts[1].prefix(19))…"
  }
}
