internal import Host
internal import Model
internal import Playbooks

extension Baseline {
  /// Looks at the cluster as it is now.
  static func read(_ machine: any Machine, _ configuration: Configuration, stop: StopSignal? = nil) throws(Failure) -> Baseline {
    let api = try ThisNode.api(machine, timeout: .seconds(30), stop: stop)
    let controlPlane = try ControlPlane.read(machine)
    var images: [String: String] = [:]
    for component in controlPlane.components {
      images[component.name] = component.image + " " + (component.running.first?.digest ?? "none")
    }
    var programs: [String: String] = [:]
    for name in ["kubeadm", "kubelet"] { programs[name] = try ThisNode.version(of: name, machine).description }
    let nodes = try api.nodes().sorted { $0.name < $1.name }
    let name = try ThisNode.name(machine)
    let records = try ClusterRecords.read(api)
    let (counts, uncounted) = try api.counts()
    let daemons = Workload.daemons(try api.pods(on: name)).filter(\.value).keys.sorted()
    return Baseline(
      node: name, kubernetes: records.kubernetes ?? "",
      etcd: try etcdVersion(machine, configuration, stop), programs: programs,
      manifests: Dictionary(try StaticPods.hashes(machine).map { ($0.name, $0.sha256.description) }) { $1 }, images: images,
      nodes: nodes.map { Node(name: $0.name, isReady: $0.isReady, isSchedulable: $0.isSchedulable, kubelet: $0.kubeletVersion) },
      namespaces: try api.items("/api/v1/namespaces").compactMap { $0.at("metadata", "name")?.string }.sorted(),
      counts: Dictionary(counts.map { ($0.resource, $0.count) }) { $1 }, uncounted: uncounted, workloads: try Workload.all(api),
      addons: records.addons, daemons: daemons)
  }

  private static func etcdVersion(_ machine: any Machine, _ configuration: Configuration, _ stop: StopSignal?) throws(Failure) -> String {
    let survey = try configuration.etcdCluster(machine, stop: stop).survey()
    return Set(survey.seats.compactMap { $0.status?.version }).sorted().joined(separator: ", ")
  }
}

extension Configuration {
  func etcdLocation(_ machine: any Machine) throws(Failure) -> EtcdLocation { try EtcdLocation.find(machine, etcdOverrides) }

  func etcdCluster(_ machine: any Machine, timeout: Duration = .seconds(10), stop: StopSignal? = nil) throws(Failure) -> EtcdCluster {
    EtcdCluster(try etcdLocation(machine).endpoints, timeout: timeout, stop: stop)
  }
}
