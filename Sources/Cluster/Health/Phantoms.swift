internal import Model

/// Pods whose containers run on this node and which the API server does not know: after a restore those that were made since the snapshot.
/// kubelet ends them when it has seen the restored data.
enum Phantoms {
  static func find(_ containers: [ContainerRuntime.Container], known pods: [KubernetesPod]) -> [HealthProblem] {
    let known = Set(pods.map { "\($0.namespace)/\($0.name)" })
    let running = Set(containers.filter { $0.state == .running && !$0.pod.isEmpty }.map { "\($0.namespace)/\($0.pod)" })
    return running.subtracting(known).sorted().map {
      HealthProblem(.reported, "the pod \($0) runs on this node, and the API server does not know it: systemctl restart kubelet")
    }
  }
}
