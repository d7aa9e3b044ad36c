extension Configuration {
  /// The keys of the configuration: the one table behind the checker, the schema and the references in playbooks.
  static let shape = Shape.object([
    Field(
      "offsite", .list(of: .either([.text(.url), .object(targetFields)]), atLeast: 0),
      "Where bundles are copied to, off this node. `kguard upgrade` refuses without one, unless `--no-offsite` is given."),
    Field(
      "encryption", .either([.object(encryptionFields), .choice(["none"])]),
      "Who can read the off-site copies: age recipients, or `none` for copies in the clear."),
    Field("retention", .object(retentionFields), "Which bundles are kept; never fewer than the last verified one."),
    Field("packages", .choice(Packages.allCases.map(\.rawValue)), "Who installs kubeadm and kubelet. Default: auto, by what the node has."),
    Field("etcd", .object(etcdFields), "Overrides of what kguard reads from etcd's own manifest."),
    Field("health", .object(healthFields), "When the cluster counts as healthy."),
    Field(
      "notify", .list(of: .object(notifyFields), atLeast: 0),
      "Who is told about a run; each entry has `webhook`, `webhook-file` or `command`.",
      isPrivate: true),
    Field("metrics", .object(metricsFields), "Metrics of runs and bundles."),
    Field("values", .map(keys: .name, of: .anything), "Values of your own, for playbooks: `${config.values.NAME}`."),
  ])

  static let targetFields =
    [Field("url", .text(.url), "s3://, sftp://, scp://, rsync://, file://, https:// or user@host:path.", isRequired: true)]
    + [Field("required", .bool, "Whether a run fails where the copy fails. Default: true.")]
    + TargetOption.allCases.map { Field($0.rawValue, $0.shape, $0.description) }

  static let encryptionFields = [
    Field("recipients", .list(of: .text(.recipient), atLeast: 1), "Public keys, `age1…`; `kguard key new` makes one.", isRequired: true),
    Field("identity", .text(.secretPath), "A file with the private key, for the read-back and for restores; best kept off this node."),
  ]

  static let retentionFields = [
    Field("keep-last", .int(0...10_000), "How many of the newest. Default: 3."),
    Field("keep-daily", .int(0...10_000), "For how many days the day's last one. Default: 7."),
    Field("keep-weekly", .int(0...10_000), "For how many weeks the week's last one. Default: 4."),
    Field("keep-monthly", .int(0...10_000), "For how many months the month's last one. Default: 6."),
  ]

  static let etcdFields = [
    Field("endpoints", .list(of: .text(.endpoint), atLeast: 1), "Client URLs, such as https://127.0.0.1:2379."),
    Field("ca-file", .text(.path), "The CA that signed etcd's certificates."),
    Field("cert-file", .text(.path), "A client certificate."),
    Field("key-file", .text(.secretPath), "The client certificate's key."),
    Field("data-dir", .text(.path), "etcd's data directory."),
    Field("manifest", .text(.path), "The static-pod manifest. Default: /etc/kubernetes/manifests/etcd.yaml."),
    Field("tool", .text(.path), "The restore tool, etcdutl or an etcdctl older than 3.6."),
    Field(
      "restore", .choice(EtcdRestore.allCases.map(\.rawValue)),
      "Whether a rollback restores etcd: auto (default) only where something changed."),
  ]

  static let healthFields = [
    Field("soak", .duration(allowsZero: true), "How long all must be healthy without a break. Default: 1m."),
    Field("timeout", .duration(allowsZero: false), "How long to wait for that. Default: 10m."),
    Field("interval", .duration(allowsZero: false), "How often to look. Default: 2s."),
  ]

  static let notifyFields = [
    Field("webhook", .text(.webhook), "A URL that gets a POST of JSON."),
    Field("webhook-file", .text(.secretPath), "A file that holds the URL, where the configuration is no place for it."),
    Field("token-file", .text(.secretPath), "A file with a token, which the webhook gets as `Authorization: Bearer`."),
    Field("ca-file", .text(.path), "The CA that signed the webhook's certificate. Default: those that this machine trusts."),
    Field("command", .list(of: .text(.filled), atLeast: 1), "A program and its arguments; it gets the JSON on standard input."),
    Field("on", .list(of: .choice(Notification.Event.allCases.map(\.rawValue)), atLeast: 1), "Which events. Default: all."),
  ]

  static let metricsFields = [
    Field("textfile", .text(.path), "The directory of node_exporter's textfile collector.", isRequired: true)
  ]
}

extension Format {
  /// Programs such as ssh get parts of it as arguments, so no user and no host begins with a hyphen.
  static let url = Format(
    phrase: "s3://BUCKET/PREFIX, sftp://, scp://, rsync://, https://, file:///DIR or user@host:path",
    pattern: "s3://[A-Za-z0-9][^/?#@\\s]*(/\\S*)?|(sftp|scp|rsync|https)://([A-Za-z0-9_][^/?#@\\s]*@)?[A-Za-z0-9\\[][^/?#@\\s]*(/\\S*)?"
      + "|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:\\d+)?(/\\S*)?|file:///[^\\x00]*|[A-Za-z0-9_][^\\s:/@]*@[A-Za-z0-9][^\\s:/@]*:\\S+",
    isURL: true)
  static let webhook = Format(
    phrase: "an https:// URL", pattern: "https://[^/?#\\s]+(/\\S*)?|http://(localhost|127\\.0\\.0\\.1)(:\\d+)?(/\\S*)?", isURL: true)
  static let endpoint = Format(
    phrase: "a URL such as https://127.0.0.1:2379", pattern: "https?://[^/?#@\\s]+/?", isURL: true)
  static let webEndpoint = Format(
    phrase: "a URL such as https://minio.example:9000",
    pattern: "https://[^/?#@\\s]+/?|http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:\\d+)?/?", isURL: true)
  static let recipient = Format(
    phrase: "an age recipient: `age1` and 58 more characters, as `kguard key new` prints it", pattern: "age1[02-9ac-hj-np-z]{58}")
  static let name = Format(phrase: "a name of letters, digits, `_` and `-`", pattern: "[A-Za-z0-9_-]+")
  static let size = Format(phrase: "a size such as `16MiB`", pattern: "\\d{1,9}(KiB|MiB|GiB)")
}
