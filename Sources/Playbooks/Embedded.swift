/// The built-in playbooks: a file in `playbooks/` is embedded, and gets its line here.
enum Embedded {
  static let playbooks: [(name: String, bytes: [UInt8])] = [
    ("backup", PackageResources.backup_yaml),
    ("drill", PackageResources.drill_yaml),
    ("rollback", PackageResources.rollback_yaml),
    ("undo", PackageResources.undo_yaml),
    ("upgrade", PackageResources.upgrade_yaml),
  ]
}
