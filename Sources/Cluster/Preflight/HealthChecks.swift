internal import Host
internal import Model

/// What `cluster/verify` will ask at the end, asked before the beginning: who is not well now would not be well then, and be rolled back.
enum HealthChecks {
  static func all(_ scene: PreflightScene) -> [Check] { [health(scene)] }

  private static func health(_ scene: PreflightScene) -> Check {
    Check("health") { () throws(Failure) in
      // An installed kubelet that was not restarted yet is restarted by the upgrade.
      let look = ClusterHealth.look(scene.machine, scene.configuration, ClusterHealth.Expectation(kubelet: .any), stop: nil)
      let wrong = look.problems.filter { $0.weight == .controlPlane }.map(\.words) + (try stale(scene))
      if !wrong.isEmpty {
        return .fail(
          naming(wrong, separator: "; "),
          remedy:
            "mend what is named: the upgrade would be rolled back for it (crictl ps -a, crictl logs, kubectl -n kube-system get leases)")
      }
      // Compared with the baseline later, these may stay as they are.
      let unready = look.problems.map(\.words)
      if unready.isEmpty { return .pass("the control plane is healthy, its leases are renewed") }
      return .warn(naming(unready, separator: "; "), remedy: "look at these first: an upgrade does not mend them")
    }
  }

  /// The leaders run on this node, by its clock.
  private static func stale(_ scene: PreflightScene) throws(Failure) -> [String] {
    guard let renewed = try? Leases.renewals(scene.machine, stop: nil) else { return [] }
    let earliest = (scene.machine.now() + .seconds(-90)).description
    return renewed.filter { $0.value < earliest }.keys.sorted().map { "the lease of \($0) was not renewed for 90 s" }
  }
}
