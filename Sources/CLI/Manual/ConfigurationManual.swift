internal import Playbooks

/// kguard.yaml(5): the keys from the table that checks the configuration.
enum ConfigurationManual {
  static var page: ManualPage {
    ManualPage(
      name: "kguard.yaml", section: 5, summary: "the configuration of kguard",
      sections: [
        .init(
          "Description",
          [
            .text(
              """
              `\(Configuration.usualPath)`, or the file that `--config` names. It may be missing: everything has a default but the off-site \
              target, and `kguard upgrade` refuses without one unless `--no-offsite` is given. `kguard config check` says all that is \
              wrong with it at once, `kguard config schema` prints a JSON Schema for editors.
              Secrets stand in files of their own, or in the environment. A file with a secret that others can read is refused, and so is a \
              URL with a password in it, since URLs end up in logs.
              """)
          ]),
        .init("Keys", PlaybookManual.keys(Configuration.reference)),
        .init(
          "Examples",
          [.text("A node that keeps its bundles in two places, sealed with what `kguard key new` prints:"), .example(example)]),
        ManualPage.references(from: "kguard.yaml", ["age"]),
      ])
  }

  static let example = """
    offsite:
      - url: s3://backups/prod
        endpoint: https://minio.example:9000
        region: eu-central-1
        path-style: true
        credentials-file: /etc/kguard/s3-credentials
      - url: sftp://backup@host.example/srv/kguard
        key-file: /etc/kguard/id_ed25519
        known-hosts: /etc/kguard/known_hosts
        required: false
    encryption:
      recipients: [YOUR-PUBLIC-KEY]
    retention: {keep-last: 3, keep-daily: 7, keep-weekly: 4, keep-monthly: 6}
    health: {soak: 1m, timeout: 10m, interval: 2s}
    notify:
      - webhook: https://hooks.example/kguard
        on: [failure, rollback]
    """
}
