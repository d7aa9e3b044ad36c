internal import Playbooks

/// What kguard reads of the environment, and where its files lie.
enum Surroundings {
  static let variables: [(name: String, meaning: String)] =
    OptionSpec.common.compactMap { option in option.variable.map { ($0, "Stands in for `\(option.name)`.") } } + [
      ("NO_COLOR", "Not empty: no colours."),
      ("TERM", "`dumb`: plain lines instead of a screen that is drawn again."),
      ("LC_ALL, LC_CTYPE, LANG", "Whether the terminal takes UTF-8; else ASCII is printed."),
      ("KGUARD_PAGER, PAGER", "What shows long output on a terminal; empty or `cat`: nothing does. Default: `less`."),
      ("LESS, LV", "Passed to the pager; where they are not set, `FRX` and `-c`."),
      ("TZ", "The time zone of times for people. JSON is in UTC."),
      ("PATH", "Where kubeadm, kubectl and etcd's tools are looked for, before the usual directories."),
      ("AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN", "Credentials of `s3://` targets."),
      ("AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE", "Where such credentials stand, as in other programs."),
      ("AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL", "The region and the server, where the configuration names none."),
      ("KGUARD_STORE_USER, KGUARD_STORE_PASSWORD", "The name and the password of `https://` and `rsync://` targets."),
      ("RSYNC_PASSWORD", "The password of `rsync://` targets."),
      ("NETRC", "The file with the passwords of `https://` targets. Default: `~/.netrc`."),
      ("HOME", "Where `~/.aws` and `~/.netrc` are."),
    ]

  static let files: [(path: String, meaning: String)] = [
    (Configuration.usualPath, "The configuration, `kguard.yaml`(5). It may be missing."),
    (PlaybookLibrary.directory + "/NAME.yaml", "Playbooks, `kguard-playbook`(5). One of these comes before the built-in one of its name."),
    ("/var/lib/kguard/kguard.db", "The journal: SQLite, for root only."),
    ("/var/lib/kguard/runs/RUN/STEP/ATTEMPT/output.log", "What a command of a step printed."),
    ("/var/lib/kguard/bundles/BUNDLE/", "A bundle: `snapshot.db`, the node's archive, `bundle.json` and `SHA256SUMS`."),
    ("/var/lib/kguard/lock", "Held by the kguard that works on this node."),
    ("/etc/kubernetes/manifests/etcd.yaml", "Where kguard reads how etcd runs here; it is only read."),
  ]
}
