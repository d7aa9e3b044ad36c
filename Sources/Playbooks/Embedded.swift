/// The built-in playbooks: a file in `playbooks/` is embedded, and gets its line here.
enum Embedded {
  static let playbooks: [(name: String, bytes: [UInt8])] = [
    ("backup", PackageResources.backup_yaml),
    ("drill", PackageResources.drill_yaml),
    ("upgrade", PackageResources.upgrade_yaml),
  ]
}
