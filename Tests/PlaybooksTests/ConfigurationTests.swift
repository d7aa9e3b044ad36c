import Glibc
import Host
import Model
import Testing

@testable import Playbooks

let recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"

let wholeConfiguration = """
  # Everything there is.
  offsite:
    - url: s3://backups/prod
      endpoint: https://minio.example:9000
      region: eu-central-1
      path-style: true
      profile: backups
      part-size: 16MiB
      parallel: 4
      credentials-file: /etc/kguard/s3
      ca-file: /etc/kguard/ca.pem
    - url: sftp://backup@host/srv/kguard
      required: false
      key-file: /etc/kguard/id
      known-hosts: /etc/kguard/known_hosts
    - backup@host:kguard
    - file:///mnt/nfs
    - https://dav.example/kguard
    - http://127.0.0.1:8080/kguard
  encryption:
    recipients: [\(recipient)]
    identity: /root/key.txt
  retention: {keep-last: 2, keep-daily: 0, keep-weekly: 1, keep-monthly: 12}
  packages: apt
  etcd:
    endpoints: ["https://127.0.0.1:2379"]
    ca-file: /pki/ca.crt
    cert-file: /pki/client.crt
    key-file: /pki/client.key
    data-dir: /var/lib/etcd
    manifest: /etc/kubernetes/manifests/etcd.yaml
    tool: /usr/bin/etcdutl
    restore: always
  health: {soak: 90s, timeout: 15m, interval: 500ms}
  notify:
    - webhook: https://hooks.example/T0/B0
      on: [failure, rollback]
    - command: [mail, -s, kguard, ops@example.org]
    - {webhook-file: /etc/kguard/hook, token-file: /etc/kguard/token, ca-file: /etc/kguard/hook-ca.pem, on: [failure]}
  metrics: {textfile: /var/lib/node_exporter}
  values: {velero: true, namespaces: [a, b]}
  """

@Suite struct `Configurations` {
  @Test(arguments: ["", "\n\n", "# nothing\n   # at all\n"])
  func `no word means the defaults`(text: String) throws {
    var expected = Configuration()
    expected.file = "c.yaml"
    #expect(try Configuration.load(text: text, file: "c.yaml") == expected)
    #expect(expected.encryption == .undecided && expected.offsite.isEmpty && expected.health.soak == .seconds(60))
  }

  @Test func `a configuration is read whole`() throws {
    let configuration = try Configuration.load(text: wholeConfiguration, file: "c.yaml")
    #expect(configuration.offsite.map(\.scheme) == ["s3", "sftp", "ssh", "file", "https", "http"])
    #expect(configuration.offsite[0].partSize == 16 << 20)
    #expect(configuration.offsite[0].parallel == 4)
    #expect(configuration.offsite[0].usesPathStyle == true)
    #expect(configuration.offsite.map(\.isRequired) == [true, false, true, true, true, true])
    #expect(configuration.offsite[1][.keyFile] == "/etc/kguard/id")
    #expect(configuration.encryption == .age(recipients: [recipient], identity: "/root/key.txt"))
    #expect(configuration.retention.keepMonthly == 12 && configuration.retention.keepDaily == 0)
    #expect(configuration.etcd.restore == .always && configuration.etcd.keyFile == "/pki/client.key")
    #expect(configuration.health == Configuration.Health(soak: .seconds(90), timeout: .seconds(900), interval: .milliseconds(500)))
    #expect(
      configuration.notify == [
        Notification(channel: .webhook("https://hooks.example/T0/B0"), events: [.failure, .rollback]),
        Notification(channel: .command(["mail", "-s", "kguard", "ops@example.org"]), events: Notification.Event.allCases),
        Notification(
          channel: .webhookFile("/etc/kguard/hook"), events: [.failure], tokenFile: "/etc/kguard/token", caFile: "/etc/kguard/hook-ca.pem"),
      ])
    #expect(configuration.values == ["velero": true, "namespaces": ["a", "b"]])
    #expect(try Configuration.load(text: "encryption: none\n", file: "c.yaml").encryption == .none)
  }

  /// A reference that the loader lets through finds something, or null: never a gap between table and value.
  @Test func `every key that a playbook may name is in the value`() throws {
    func compare(_ shape: Shape, _ json: JSON?, _ path: String) {
      guard let json else {
        Issue.record("\(path) is missing")
        return
      }
      switch shape {
      case .object(let fields):
        for field in fields where !field.isPrivate { compare(field.shape, json[field.key], path + "." + field.key) }
        let known = fields.filter { !$0.isPrivate }.map(\.key)
        #expect(json.object?.keys.filter { !known.contains($0) } == [], "\(path)")
      case .either(let shapes):
        if let first = shapes.first(where: { if case .object = $0 { true } else { false } }) { compare(first, json, path) }
      case .list(let shape, _): for entry in json.array ?? [] { compare(shape, entry, path) }
      default: break
      }
    }
    compare(Configuration.shape, try Configuration.load(text: wholeConfiguration, file: "c").json, "config")
    #expect(Configuration().json["encryption"] == .null)
  }

  @Test func `a target on the command line is looked at as well`() throws {
    #expect(try OffsiteTarget(parsing: "backup@host:kguard").scheme == "ssh")
    for wrong in ["", "ftp://host/x", "https://bob:hunter2@host/x", "-oProxyCommand=x@host:y"] {
      let failure = #expect(throws: Failure.self) { try OffsiteTarget(parsing: wrong) }
      #expect(failure?.why.contains("hunter2") == false)
    }
  }

  @Test func `a webhook is not in what playbooks see`() throws {
    #expect(try !Configuration.load(text: wholeConfiguration, file: "c").json.text().contains("hooks.example"))
  }

  @Test func `an example's recipient is no reason to leave a run alone that was begun with it`() throws {
    let example = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    let recorded: JSON = ["encryption": ["recipients": [.string(example)], "identity": .null]]
    #expect(try Configuration(recorded: recorded).encryption == .age(recipients: [example], identity: nil))
    #expect(throws: PlaybookProblems.self) { try Configuration.load(text: recorded.text(), file: "c.yaml") }
  }

  @Test func `secrets that others can read are refused`() throws {
    let directory = try TemporaryDirectory()
    let machine = try LocalMachine(root: directory.path)
    for path in ["/etc/kguard/s3", "/etc/kguard/id", "/root/key.txt", "/pki/client.key", "/etc/kguard/hook", "/etc/kguard/token"] {
      try Files.makeDirectory(machine.locate(Files.directory(of: path)))
      try Files.replace(machine.locate(path), with: [], mode: 0o600)
    }
    try Files.replace(machine.locate(Configuration.usualPath), with: Array(wholeConfiguration.utf8), mode: 0o600)
    let configuration = try Configuration.find(nil, on: machine)
    try configuration.checkSecrets(machine)
    chmod(machine.locate("/etc/kguard/s3"), 0o640)
    try configuration.checkSecrets(machine)
    for (path, key) in [
      ("/etc/kguard/s3", "credentials-file"), ("/etc/kguard/id", "key-file"), ("/root/key.txt", "identity"),
      ("/pki/client.key", "key-file"), ("/etc/kguard/hook", "webhook-file"), ("/etc/kguard/token", "token-file"),
    ] {
      chmod(machine.locate(path), 0o644)
      let failure = #expect(throws: Failure.self) { try configuration.checkSecrets(machine) }
      #expect(failure?.why == "\(machine.locate(path)) (`\(key)`) has mode 0644")
      chmod(machine.locate(path), 0o600)
    }
    chmod(machine.locate(Configuration.usualPath), 0o644)
    let failure = #expect(throws: Failure.self) { try configuration.checkSecrets(machine) }
    #expect(failure?.why == "\(machine.locate(Configuration.usualPath)), which holds the URL of a webhook, has mode 0644")
    chmod(machine.locate(Configuration.usualPath), 0o602)
    #expect(throws: Failure.self) { try configuration.checkSecrets(machine) }
  }

  @Test func `the usual file may be missing, a named one not`() throws {
    let directory = try TemporaryDirectory()
    let machine = try LocalMachine(root: directory.path)
    #expect(try Configuration.find(nil, on: machine) == Configuration())
    #expect(throws: Failure.self) { try Configuration.find(directory.path + "/none.yaml", on: machine) }
    try Files.replace(directory.path + "/bad.yaml", with: Array("ofsite: []\n".utf8))
    let failure = #expect(throws: Failure.self) { try Configuration.find(directory.path + "/bad.yaml", on: machine) }
    #expect(failure?.why == "\(directory.path)/bad.yaml:1:1: unknown key `ofsite`; did you mean `offsite`?")
  }
}

/// A directory of its own for a test, gone with the value.
final class TemporaryDirectory {
  let path: String
  init() throws {
    var template = Array("/tmp/kguard-playbooks-XXXXXX".utf8CString)
    guard template.withUnsafeMutableBufferPointer({ mkdtemp($0.baseAddress!) }) != nil else {
      throw Failure(what: "cannot make a temporary directory", why: "mkdtemp failed", next: "look at /tmp")
    }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
  deinit { _ = try? runCaptured("/bin/rm", Command(["rm", "-rf", path]), timeout: .seconds(30), limit: 1024) }
}
