internal import Bundles
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// What the bundle steps of a run share: one bundle a run, named as the run.
extension StepSight {
  var settings: Configuration { get throws(Failure) { try Configuration(recorded: configuration) } }

  /// The bundle that this run makes, or the one that its step names: of the catalogue, or by the path of its directory.
  func bundle(_ named: String?) throws(Failure) -> BundleDirectory {
    guard let named, !named.isEmpty else { return BundleDirectory(state.bundle(run.text)) }
    if named.hasPrefix("/") { return BundleDirectory(named) }
    guard let record = try records?.bundles().first(where: { $0.id == named }) else {
      throw Failure(.usage, what: "there is no bundle `\(named)`", why: "the catalogue does not know it", next: "see `kguard bundle list`")
    }
    return BundleDirectory(record.directory)
  }
}

extension Configuration {
  var etcdOverrides: EtcdOverrides {
    var overrides = EtcdOverrides()
    overrides.manifest = etcd.manifest
    overrides.endpoints = etcd.endpoints
    overrides.authority = etcd.caFile
    overrides.certificate = etcd.certFile
    overrides.key = etcd.keyFile
    return overrides
  }
}
