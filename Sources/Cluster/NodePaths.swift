public import Host
public import Playbooks

/// What a schedule has to know of the node that it is for. Nil and empty where this machine does not say: a schedule may be written
/// elsewhere.
public enum NodePaths {
  public static func nodeName(_ machine: some Machine) -> String? { try? ThisNode.name(machine) }

  /// The configuration of encryption at rest, which the archive of the node takes wherever it lies.
  public static func encryptionConfig(_ machine: some Machine) -> String? { (try? EncryptionConfig.path(machine)) ?? nil }

  /// etcd's data directory and, where it has one of its own, that of its write-ahead log; links followed, under this machine's root.
  public static func etcdDirectories(_ machine: some Machine, _ configuration: Configuration) -> [String] {
    let location = try? EtcdLocation.find(machine, configuration.etcdOverrides)
    let data = configuration.etcd.dataDir ?? location?.manifest?.dataDirectory
    return [data, location?.manifest?.walDirectory].compactMap { $0 }.map { Files.real(machine.locate($0)) ?? machine.locate($0) }
  }
}
