/// The built-in playbooks: a file in `playbooks/` is embedded, and gets its line here.
enum Embedded {
  static let playbooks: [(name: String, bytes: [UInt8])] = [
    ("upgrade", PackageResources.upgrade_yaml)
  ]
}
