internal import Host
internal import Model
internal import Playbooks

/// etcd's data directory: where it really is, and whose.
enum DataChecks {
  static func all(_ scene: PreflightScene) -> [Check] {
    guard let manifest = (try? scene.configuration.etcdLocation(scene.machine))?.manifest else { return [] }
    return [Check("data-dir") { () throws(Failure) in try look(scene, manifest) }]
  }

  private static func look(_ scene: PreflightScene, _ manifest: EtcdManifest) throws(Failure) -> Check.Verdict {
    let path = scene.configuration.etcd.dataDir ?? manifest.dataDirectory
    let here = scene.machine.locate(path)
    guard let real = Files.real(here), let info = try Files.info(real), info.kind == .directory else {
      return .fail("\(path) is not there", remedy: "check --data-dir in etcd's manifest")
    }
    guard let database = try Files.info(real + "/member/snap/db"), database.kind == .file else {
      return .fail(
        "\(path) holds no etcd data", remedy: "check --data-dir in etcd's manifest: it names another directory than the one in use")
    }
    var notes: [String] = []
    if real != here { notes.append("a link to \(real)") }
    if try Files.isMountPoint(real) { notes.append("a mount point: a rollback moves `member` in it") }
    if database.device != info.device { return .fail("\(path)/member is on another filesystem", remedy: "make them one filesystem") }
    if let wal = manifest.walDirectory {
      let isMount = try Files.real(scene.machine.locate(wal)).map { (path) throws(Failure) in try Files.isMountPoint(path) } ?? false
      notes.append("its log in \(wal)" + (isMount ? ", a mount point: a rollback moves the files in it" : ""))
    }
    // Fails where a restore could not be staged beside it.
    let plan = try StagingPlan.make(scene.machine, dataDirectory: path, walDirectory: manifest.walDirectory, id: "check")
    for directory in [plan.staged, plan.stagedWAL].compactMap({ $0 }).map(Files.directory) where try Files.exists(directory) {
      guard Files.mayWrite(directory) else {
        return .fail("a restore cannot be staged in \(directory)", remedy: "make it writable for root")
      }
    }
    let text = ([path] + notes).joined(separator: ", ") + ", mode 0\(String(info.mode, radix: 8))"
    if info.mode & 0o077 != 0 { return .warn(text, remedy: "chmod 700 \(path): others can read the cluster's secrets there") }
    if info.owner != database.owner { return .warn(text + ", files of another owner", remedy: "see that etcd's own user owns all of it") }
    return .pass(text)
  }
}
