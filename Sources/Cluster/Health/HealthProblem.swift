/// One thing that is not well, and what it says of an upgrade.
struct HealthProblem: Equatable {
  enum Weight {
    /// Of the API server, etcd, the control plane or this node: what an upgrade of this node changes.
    case controlPlane
    /// Of the cluster as a whole: an upgrade may be the cause. It is no proof that etcd or a file is another than it was.
    case cluster
    /// Less than before, for which an upgrade is seldom the cause: it is told, and nothing is put back for it.
    case reported
  }

  let weight: Weight
  let words: String

  init(_ weight: Weight, _ words: String) {
    self.weight = weight
    self.words = words
  }
}

/// What a comparison with the baseline has found.
struct Readiness: Equatable {
  var problems: [HealthProblem] = []
  /// What somebody deleted since: an upgrade deletes none, and nobody can wait for it.
  var gone: [String] = []

  static func + (a: Readiness, b: Readiness) -> Readiness { Readiness(problems: a.problems + b.problems, gone: a.gone + b.gone) }
}

extension Readiness {
  static func nodes(_ nodes: [KubernetesNode], own: String, kubelet: KubernetesVersion?, _ baseline: Baseline?) -> Readiness {
    guard let here = nodes.first(where: { $0.name == own }) else {
      return Readiness(problems: [HealthProblem(.controlPlane, "the node \(own) is missing")])
    }
    var found = Readiness()
    if let kubelet, KubernetesVersion(here.kubeletVersion) != kubelet {
      found.problems.append(
        HealthProblem(.controlPlane, "the node \(own) says that its kubelet is \(here.kubeletVersion), not \(kubelet)"))
    }
    if !here.isReady { found.problems.append(HealthProblem(.controlPlane, "the node \(own) is not ready")) }
    let before = Dictionary((baseline?.nodes ?? []).map { ($0.name, $0) }) { $1 }
    // One that joins just now has no before.
    let unready = nodes.filter { !$0.isReady && $0.name != own && (baseline == nil || before[$0.name]?.isReady == true) }.map(\.name)
      .sorted()
    // This node counts, so that the only other one is not "most".
    let wereReady = nodes.count { before[$0.name]?.isReady == true }
    let areLost = nodes.count { before[$0.name]?.isReady == true && !$0.isReady }
    let weight: HealthProblem.Weight = areLost * 2 > wereReady ? .cluster : .reported
    found.problems += unready.map { HealthProblem(weight, "the node \($0) is not ready") }
    found.gone = before.keys.filter { name in !nodes.contains { $0.name == name } }.sorted().map { "the node \($0)" }
    return found
  }

  /// Where kube-proxy, CoreDNS and network plugins live.
  private static let systemNamespaces = WatchHolders.namespaces
  /// One workload that is down is no sign of a cluster that is.
  private static let fewestOfMost = 3

  /// `daemons`: by the title of its daemonset, whether the pod on this node is ready.
  static func workloads(_ now: [Workload], daemons: [String: Bool], nodes: [KubernetesNode], _ baseline: Baseline?) -> Readiness {
    let before = Dictionary((baseline?.workloads ?? []).map { ($0.title, $0) }) { $1 }
    let present = Set(now.map(\.title))
    var found = Readiness(gone: before.keys.filter { !present.contains($0) }.sorted())
    // Pods of a node that went away may have no other place.
    let isShort = (baseline?.nodes ?? []).contains { node in
      node.isReady && nodes.first { $0.name == node.name }?.isReady != true
    }
    let outside = now.filter { $0.namespace != "kube-system" && (before[$0.title]?.ready ?? 0) > 0 }
    let lost = outside.filter { $0.ready < min(before[$0.title]?.ready ?? 0, $0.desired) }
    let isMost = lost.count >= fewestOfMost && lost.count * 2 > outside.count
    for workload in now {
      let isSystem = workload.namespace == "kube-system"
      let known = before[workload.title]
      if workload.isDaemonSet, systemNamespaces.contains(workload.namespace), isDown(workload, daemons, baseline) {
        found.problems.append(HealthProblem(.cluster, "\(workload.title) has no ready pod on this node"))
        continue
      }
      guard let wanted = known.map({ min($0.ready, workload.desired) }) ?? (isSystem && baseline == nil ? workload.desired : nil),
        workload.ready < wanted
      else { continue }
      var weight = HealthProblem.Weight.reported
      if isSystem {
        // Of a daemonset the pod here counts, and it is ready.
        if !workload.isDaemonSet && !(isShort && workload.ready > 0) { weight = .cluster }
      } else if isMost {
        weight = .cluster
      }
      found.problems.append(HealthProblem(weight, "\(workload.title) has \(workload.ready) of \(wanted) pods ready"))
    }
    return found
  }

  /// A daemonset that had a ready pod on this node has none; without a baseline, one whose pod here is not ready.
  private static func isDown(_ workload: Workload, _ daemons: [String: Bool], _ baseline: Baseline?) -> Bool {
    guard workload.desired > 0 else { return false }
    guard let baseline else { return daemons[workload.title] == false }
    return baseline.daemons.contains(workload.title) && daemons[workload.title] != true
  }
}
