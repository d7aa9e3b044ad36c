internal import Bundles
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// The machine itself: rights, programs, kubelet, space.
enum HostChecks {
  static func all(_ scene: PreflightScene) -> [Check] {
    [root(scene), programs(scene), kubelet(scene), space(scene), temporaryFiles(scene), leftovers(scene)]
  }

  private static func root(_ scene: PreflightScene) -> Check {
    Check("root") { () throws(Failure) in
      if scene.machine.root == "/" {
        return Files.isRoot ? .pass("kguard runs as root") : .fail("kguard does not run as root", remedy: "run it with sudo")
      }
      let path = scene.machine.locate("/etc/kubernetes")
      return Files.mayWrite(path) ? .pass("\(path) can be written") : .fail("\(path) cannot be written", remedy: "run kguard as its owner")
    }
  }

  private static func programs(_ scene: PreflightScene) -> Check {
    Check("programs") { () throws(Failure) in
      let missing = ["kubeadm", "kubelet", "systemctl", "crictl"].filter { scene.machine.find(program: $0) == nil }
      if missing.isEmpty { return .pass("kubeadm, kubelet, systemctl and crictl are there") }
      return .fail("missing: \(missing.joined(separator: ", "))", remedy: "install them (crictl comes with the package cri-tools)")
    }
  }

  private static func kubelet(_ scene: PreflightScene) -> Check {
    Check("kubelet") { () throws(Failure) in
      try Kubelet.isActive(scene.machine)
        ? .pass("kubelet runs") : .fail("kubelet does not run", remedy: "start it (systemctl start kubelet), and see why it was down")
    }
  }

  /// Everything that will be written, summed for each filesystem.
  private static func space(_ scene: PreflightScene) -> Check {
    Check("disk-space") { () throws(Failure) in
      let manifest = try scene.configuration.etcdLocation(scene.machine).manifest
      let data = manifest.map { scene.configuration.etcd.dataDir ?? $0.dataDirectory }
      let database = try databaseSize(scene, data)
      var needs: [(what: String, path: String, bytes: Int64)] = [
        // The snapshot, and what a store may have to spool.
        ("snapshot and its sealed copy", existing(scene.state.path), 2 * database + (64 << 20))
      ]
      if let data {
        // A restored copy, the copy that the drill boots, their logs, and some growth.
        needs.append(("restored data and drill", existing(scene.machine.locate(data)), 3 * database + (256 << 20)))
        let copied = try Files.sizeOfTree(Files.real(scene.machine.locate(data)) ?? scene.machine.locate(data))
        needs.append(("kubeadm's own copy", existing(scene.machine.locate("/etc/kubernetes/tmp")), copied + (16 << 20)))
      }
      if let log = manifest?.walDirectory { needs.append(("restored log", existing(scene.machine.locate(log)), 192 << 20)) }
      var devices: [UInt64: (path: String, bytes: Int64)] = [:]
      for need in needs {
        guard let device = try Files.info(need.path)?.device else { continue }
        let (sum, overflow) = (devices[device]?.bytes ?? 0).addingReportingOverflow(need.bytes)
        devices[device] = (devices[device]?.path ?? need.path, overflow ? .max : sum)
      }
      var (words, short): ([String], [String]) = ([], [])
      for (_, entry) in devices.sorted(by: { $0.value.path < $1.value.path }) {
        let free = try Files.freeSpace(entry.path)
        let text = "\(entry.path): \(sizeForPeople(entry.bytes)) needed, \(sizeForPeople(free)) free"
        words.append(text)
        if free < entry.bytes { short.append(text) }
      }
      if short.isEmpty { return .pass(words.joined(separator: "; ")) }
      let remedy =
        "free space there (see the check leftovers; `kguard bundle prune` removes what nobody needs), or move kguard's state with --state"
      return .fail(short.joined(separator: "; "), remedy: remedy)
    }
  }

  /// Of the file where it is here, else as etcd says.
  private static func databaseSize(_ scene: PreflightScene, _ data: String?) throws(Failure) -> Int64 {
    if let data, let size = try scene.machine.info(data + "/member/snap/db")?.size { return size }
    return try scene.etcd().survey().seats.compactMap { $0.status?.dbSize }.max() ?? 0
  }

  /// The path itself, or the nearest directory above it that is there.
  private static func existing(_ path: String) -> String {
    var path = path
    while path != "/", (try? Files.info(path)) == .some(nil) { path = Files.directory(of: path) }
    return path
  }

  /// Every run of kubeadm leaves a copy of etcd's data there.
  private static func temporaryFiles(_ scene: PreflightScene) -> Check {
    Check("kubeadm-tmp") { () throws(Failure) in
      let path = "/etc/kubernetes/tmp"
      let size = try Files.sizeOfTree(scene.machine.locate(path))
      if size < 1 << 30 { return .pass("\(path) holds \(sizeForPeople(size))") }
      return .warn(
        "\(path) holds \(sizeForPeople(size)) of kubeadm's old backups", remedy: "remove the old ones by hand when no upgrade is under way")
    }
  }

  /// A note, never a refusal: nobody but the operator knows when they are no longer needed.
  private static func leftovers(_ scene: PreflightScene) -> Check {
    Check("leftovers") { () throws(Failure) in
      let found = Leftovers.find(scene.machine, scene.configuration, scene.state)
      let ended = try RunJournal.open(in: scene.state.path, .read).map { (journal) throws(Failure) in
        try EndedBundles(journal, scene.state).unmade.map(\.path)
      }
      var words: [String] = []
      if !found.items.isEmpty { words.append("earlier rollbacks and drills have left " + found.words) }
      if let ended, !ended.isEmpty {
        words.append("snapshots that never became a bundle, which `kguard bundle prune` removes: \(naming(ended))")
      }
      return .pass(words.isEmpty ? "earlier rollbacks and drills have left nothing" : words.joined(separator: "; "))
    }
  }
}
