internal import Engine
internal import Host
internal import Journal
internal import Model

/// Which manifests kubelet is to run after the exchange, and how they come into its directory: written and synced outside of it, then
/// renamed in.
struct ManifestsIn {
  struct Manifest {
    let name: String
    /// Nil: it is one that was moved out, and moves back as it is.
    let archived: NodeArchive.Entry?
    /// Where it was moved out to; nil where only the archive has it.
    let out: String?
  }

  private let machine: any Machine
  let manifests: [Manifest]
  private let archive: ArchivedNode?

  /// A rollback takes the archive's; where there is none, what was moved out. Undo takes what the first rollback moved out.
  init(_ context: some StepSight, _ target: RollbackTarget, undo: Bool) throws(Failure) {
    machine = context.machine
    let own = try context.artifacts(of: context.run).filter { $0.kind == StaticPodFiles.outKind && $0.state != .removed }
    let outs = target.moved(StaticPodFiles.outKind) + (target.rollbacks.contains(context.run) ? [] : own)
    var found: [Manifest] = []
    archive = undo ? nil : try ArchivedNode.find(context, target)
    if let archive {
      found = archive.manifests.map { Manifest(name: $0.name, archived: $0.entry, out: nil) }
    } else {
      var seen: Set<String> = []
      for artifact in outs {
        let name = Files.name(of: artifact.path)
        guard !seen.contains(name) else { continue }
        // Undo leaves what only the rollback brought; what the rollback had not come to, and the undo itself took out, goes back.
        func has(_ kind: String, _ state: ArtifactRecord.State? = nil) -> Bool {
          target.moved(kind).contains { Files.name(of: $0.path) == name && (state == nil || $0.state == state) }
        }
        guard !undo || has(StaticPodFiles.outKind) || !has(StaticPodFiles.inKind, .present) else { continue }
        // Moved out twice, it lies where it was moved last, unless something else took its place meanwhile.
        let places = outs.filter { Files.name(of: $0.path) == name }.map(\.path)
        var place: String?
        for candidate in places.reversed() where try Files.exists(candidate) { place = candidate }
        seen.insert(name)
        found.append(Manifest(name: name, archived: nil, out: place))
      }
    }
    manifests = found
  }

  /// The manifests that are not in place yet.
  func missing() throws(Failure) -> [String] {
    var names: [String] = []
    for manifest in manifests {
      let path = StaticPodFiles.path(machine, manifest.name)
      if let entry = manifest.archived {
        if try !ArchivedNode.isInPlace(entry, machine) { names.append(manifest.name) }
      } else if try !Files.exists(path) {
        names.append(manifest.name)
      }
    }
    return names
  }

  func putIn(_ context: StepContext) throws(Failure) {
    let missing = try missing()
    for manifest in manifests where missing.contains(manifest.name) {
      let path = StaticPodFiles.path(context.machine, manifest.name)
      let source: String
      if let entry = manifest.archived, let archive {
        source = context.machine.locate("/etc/kubernetes/kguard-start-\(context.run)/\(manifest.name)")
        try Files.makeDirectory(Files.directory(of: source), mode: 0o700)
        try archive.make(entry, at: source, label: try Access.of(Files.directory(of: path))?.label)
        try failpoint("\(context.step)/manifest-\(manifest.name).written")
      } else if let out = manifest.out {
        source = out
      } else {
        throw Failure(
          .needsOperator, what: "cannot put the manifest \(manifest.name) back", why: "what was moved out is gone",
          next: "write it again (kubeadm init phase control-plane, kubeadm init phase etcd local), then run `kguard resume`")
      }
      try context.move(StaticPodFiles.inKind, source, to: path, label: "manifest-in-\(manifest.name)")
    }
  }
}
