internal import Bundles
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// A bundle of this very run that was verified, proven to restore, and read back from off-site: what an upgrade may lean on. Only
/// `require` makes one, from what the journal and the disk say now.
struct GuardedBundle {
  let directory: BundleDirectory

  /// `maxAge`: a snapshot that is older does not guard: a rollback would lose all that was written since.
  static func require(_ context: StepContext, maxAge: Duration?) throws(Failure) -> GuardedBundle {
    func refuse(_ why: String) -> Failure {
      Failure(
        .preflightRefused, what: "no upgrade without a bundle that can be trusted", why: why,
        next: "run `kguard upgrade` from its beginning; nothing was changed by this step")
    }
    guard let record = try context.journal.bundles().first(where: { $0.id == context.run.text }), record.removed == nil else {
      throw refuse("this run has taken none")
    }
    guard record.verified != nil else { throw refuse("bundle \(record.id) is not verified") }
    guard record.drilled != nil else { throw refuse("bundle \(record.id) was not proven to restore") }
    let directory = BundleDirectory(record.directory)
    let files = try directory.files()
    guard try BundleManifest(reading: directory).id == record.id, files.contains(BundleDirectory.snapshotName) else {
      throw refuse("bundle \(record.id) is no longer in \(directory.path)")
    }
    let age = context.machine.now() - record.created
    if let maxAge, age > maxAge {
      throw Failure(
        .preflightRefused, what: "no upgrade on an old snapshot",
        why:
          "bundle \(record.id) is \(age.forPeople) old, the limit is \(maxAge.forPeople): a rollback would lose all that was written since",
        next: "run `kguard upgrade` again, which takes a new one; `--set max-bundle-age=12h` raises the limit")
    }
    let copies = try context.journal.copies(of: record.id).filter { $0.verified != nil && $0.removed == nil }
    for target in try context.settings.offsite where target.isRequired {
      let there = Set(copies.filter { $0.target == target.url }.map(\.file))
      guard files.allSatisfy(there.contains) else { throw refuse("bundle \(record.id) was not read back from \(target.url)") }
    }
    return GuardedBundle(directory: directory)
  }
}
