/// Configurations that are wrong, and all that is said of each.
let brokenConfigurations: [Broken] = [
  Broken(
    "a text",
    "hello\n",
    "c.yaml:1:1: the configuration must be a map, not `hello`"),
  Broken(
    "an unknown key",
    "ofsite: []\n",
    "c.yaml:1:1: unknown key `ofsite`; did you mean `offsite`?"),
  Broken(
    "an unknown key that resembles none",
    "velero: {enabled: true}\n",
    """
    c.yaml:1:1: unknown key `velero`; known keys: `offsite`, `encryption`, `retention`, `packages`, `etcd`, `health`, `notify`, `metrics`, `values`
    """),
  Broken(
    "a target that is no URL",
    "offsite: [backup]\n",
    """
    c.yaml:1:11: an entry of `offsite` must be s3://BUCKET/PREFIX, sftp://, scp://, rsync://, https://, file:///DIR or user@host:path
    """),
  Broken(
    "an unknown scheme",
    "offsite: [\"ftp://host/dir\"]\n",
    """
    c.yaml:1:11: an entry of `offsite` must be s3://BUCKET/PREFIX, sftp://, scp://, rsync://, https://, file:///DIR or user@host:path
    """),
  Broken(
    "a password in a target",
    """
    offsite:
      - https://bob:hunter2@dav.example/k
      - url: s3://KEY:hunter2@bucket/k
      - bob:hunter2@host:dir
      - ftp://bob:hunter2@host/dir

    """,
    """
    c.yaml:2:5: an entry of `offsite` has a password in it; put that into the file that `credentials-file` or `key-file` names, or into the environment
    c.yaml:3:10: `url` has a password in it; put that into the file that `credentials-file` or `key-file` names, or into the environment
    c.yaml:4:5: an entry of `offsite` has a password in it; put that into the file that `credentials-file` or `key-file` names, or into the environment
    c.yaml:5:5: an entry of `offsite` has a password in it; put that into the file that `credentials-file` or `key-file` names, or into the environment
    """),
  Broken(
    "an option for ssh in a target",
    """
    offsite:
      - -oProxyCommand=x@host:dir
      - sftp://-oProxyCommand=x/dir
      - a@-host:dir

    """,
    """
    c.yaml:2:5: an entry of `offsite` must be s3://BUCKET/PREFIX, sftp://, scp://, rsync://, https://, file:///DIR or user@host:path
    c.yaml:3:5: an entry of `offsite` must be s3://BUCKET/PREFIX, sftp://, scp://, rsync://, https://, file:///DIR or user@host:path
    c.yaml:4:5: an entry of `offsite` must be s3://BUCKET/PREFIX, sftp://, scp://, rsync://, https://, file:///DIR or user@host:path
    """),
  Broken(
    "secrets where a path belongs",
    """
    offsite:
      - url: s3://b/k
        credentials-file: AKIA:hunter2
    encryption: {recipients: [age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj], identity: hunter2}
    etcd: {cert-file: /c, key-file: hunter2}

    """,
    """
    c.yaml:3:23: `credentials-file` must be the absolute path of a file
    c.yaml:4:102: `identity` must be the absolute path of a file
    c.yaml:5:33: `key-file` must be the absolute path of a file
    """),
  Broken(
    "plain HTTP to another host",
    "offsite: [\"http://dav.example/k\"]\n",
    """
    c.yaml:1:11: an entry of `offsite` must be s3://BUCKET/PREFIX, sftp://, scp://, rsync://, https://, file:///DIR or user@host:path
    """),
  Broken(
    "a target without a URL",
    """
    offsite:
      - region: eu

    """,
    "c.yaml:2:5: an entry of `offsite` has no `url`"),
  Broken(
    "an unknown option",
    """
    offsite:
      - url: s3://b/k
        end-point: https://minio:9000

    """,
    "c.yaml:3:5: unknown key `end-point`; did you mean `endpoint`?"),
  Broken(
    "an option of another scheme",
    """
    offsite:
      - url: sftp://host/dir
        region: eu
        parallel: 4
      - url: s3://b/k
        known-hosts: /etc/ssh/known

    """,
    """
    c.yaml:3:5: `region` has no meaning for this target; it is an option of s3
    c.yaml:4:5: `parallel` has no meaning for this target; it is an option of s3
    c.yaml:6:5: `known-hosts` has no meaning for this target; it is an option of sftp, scp, ssh
    """),
  Broken(
    "ill-typed options",
    """
    offsite:
      - url: s3://b/k
        required: maybe
        path-style: 1
        part-size: 1MiB
        parallel: 0
        ca-file: ca.pem
        endpoint: minio:9000

    """,
    """
    c.yaml:3:15: `required` must be true or false, not `maybe`
    c.yaml:4:17: `path-style` must be true or false, not `1`
    c.yaml:5:16: `part-size` must be from 5MiB to 512MiB, not `1MiB`
    c.yaml:6:15: `parallel` must be a whole number from 1 to 16, not `0`
    c.yaml:7:14: `ca-file` must be an absolute path, not `ca.pem`
    c.yaml:8:15: `endpoint` must be a URL such as https://minio.example:9000
    """),
  Broken(
    "a size without a unit",
    "offsite: [{url: \"s3://b/k\", part-size: 16}]\n",
    "c.yaml:1:40: `part-size` must be a size such as `16MiB`, not `16`"),
  Broken(
    "a target twice",
    """
    offsite:
      - s3://b/k
      - s3://b/k

    """,
    "c.yaml:3:5: this target comes a second time; the first is in line 2"),
  Broken(
    "no recipients",
    "encryption: {identity: /root/key.txt}\n",
    "c.yaml:1:13: `encryption` has no `recipients`"),
  Broken(
    "an empty list of recipients",
    "encryption: {recipients: []}\n",
    "c.yaml:1:26: `recipients` is an empty list; at least one entry is needed"),
  Broken(
    "a wrong recipient",
    """
    encryption: {recipients: [age1short, age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj, ssh-ed25519 AAAA]}

    """,
    """
    c.yaml:1:27: an entry of `recipients` must be an age recipient: `age1` and 58 more characters, as `kguard key new` prints it, not `age1short`
    c.yaml:1:102: an entry of `recipients` must be an age recipient: `age1` and 58 more characters, as `kguard key new` prints it, not `ssh-ed25519 AAAA`
    """),
  Broken(
    "a placeholder for a recipient",
    "encryption: {recipients: [YOUR-PUBLIC-KEY]}\n",
    """
    c.yaml:1:27: an entry of `recipients` must be an age recipient: `age1` and 58 more characters, as `kguard key new` prints it, \
    not `YOUR-PUBLIC-KEY`
    """),
  Broken(
    "the recipients of age's own manual",
    """
    encryption:
      recipients:
        - age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
        - age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj
        - age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg

    """,
    """
    c.yaml:3:7: this recipient is an example of age's manual, whose secret half you do not have; `kguard key new` makes your own
    c.yaml:5:7: this recipient is an example of age's manual, whose secret half you do not have; `kguard key new` makes your own
    """),
  Broken(
    "an unknown kind of encryption",
    "encryption: off\n",
    "c.yaml:1:13: `encryption` must be a map or `none`, not `off`"),
  Broken(
    "a private key",
    """
    encryption:
      recipients: [age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj]
      identity: AGE-SECRET-KEY-1QQQQ
    values: {k: AGE-SECRET-KEY-1ZZZZ}

    """,
    """
    c.yaml:3:13: `identity` must be the absolute path of a file
    c.yaml:4:13: a private key has no place here; put it into a file of its own with mode 0600, and name the file
    """),
  Broken(
    "retention that keeps nothing",
    "retention: {keep-last: 0, keep-daily: 0, keep-weekly: 0, keep-monthly: 0}\n",
    "c.yaml:1:12: `retention` would keep nothing; let one of its numbers be more than 0"),
  Broken(
    "ill-typed retention",
    "retention: {keep-last: many, keep-daily: -1, keep-yearly: 3}\n",
    """
    c.yaml:1:24: `keep-last` must be a whole number from 0 to 10000, not `many`
    c.yaml:1:42: `keep-daily` must be a whole number from 0 to 10000, not `-1`
    c.yaml:1:46: unknown key `keep-yearly`; did you mean `keep-daily`?
    """),
  Broken(
    "an unknown package manager",
    "packages: yum\n",
    "c.yaml:1:11: `packages` must be one of `auto`, `apt`, `dnf`, `none`, not `yum`"),
  Broken(
    "a wrong etcd section",
    """
    etcd:
      endpoints: [127.0.0.1:2379]
      cert-file: /a.crt
      data-dir: var/lib/etcd
      restore: allways

    """,
    """
    c.yaml:2:15: an entry of `endpoints` must be a URL such as https://127.0.0.1:2379
    c.yaml:3:14: `cert-file` needs `key-file` beside it
    c.yaml:4:13: `data-dir` must be an absolute path, not `var/lib/etcd`
    c.yaml:5:12: `restore` must be one of `auto`, `always`, `never`, not `allways`; did you mean `always`?
    """),
  Broken(
    "a password in an endpoint",
    "etcd: {endpoints: [\"https://root:hunter2@127.0.0.1:2379\"]}\n",
    """
    c.yaml:1:20: an entry of `endpoints` has a password in it; put that into the file that `credentials-file` or `key-file` names, or into the environment
    """),
  Broken(
    "health that is never reached",
    "health: {soak: 10m, timeout: 5m}\n",
    "c.yaml:1:9: `soak` (10m) must be less than `timeout` (5m), or it is never reached"),
  Broken(
    "wrong durations",
    "health: {soak: 60, timeout: 0s, interval: 1h}\n",
    """
    c.yaml:1:16: `soak` must be a duration such as `30s`, `5m` or `1h30m`, not `60`
    c.yaml:1:29: `timeout` must be more than zero
    """),
  Broken(
    "a notification to nobody",
    """
    notify:
      - on: [start]

    """,
    "c.yaml:2:5: the entry tells nobody; it needs `webhook`, `webhook-file` or `command`"),
  Broken(
    "a notification twice over",
    """
    notify:
      - webhook: https://hooks.example/T0/secret
        command: [mail]

    """,
    "c.yaml:3:14: the entry has `webhook` already; make another entry for `command`"),
  Broken(
    "a token for a command",
    """
    notify:
      - command: [mail]
        token-file: /etc/kguard/token

    """,
    "c.yaml:3:17: `token-file` has no meaning for a command; it is for webhooks"),
  Broken(
    "a wrong notification",
    """
    notify:
      - webhook: http://hooks.example/T0/secret
        on: [sucess]
      - command: []

    """,
    """
    c.yaml:2:14: `webhook` must be an https:// URL
    c.yaml:3:10: an entry of `on` must be one of `start`, `success`, `failure`, `rollback`, not `sucess`; did you mean `success`?
    c.yaml:4:14: `command` is an empty list; at least one entry is needed
    """),
  Broken(
    "metrics without a directory",
    "metrics: {}\n",
    "c.yaml:1:10: `metrics` has no `textfile`"),
  Broken(
    "values that are a list",
    "values: [a]\n",
    "c.yaml:1:9: `values` must be a map, not a list"),
  Broken(
    "a value's name with a dot",
    "values: {a.b: 1}\n",
    "c.yaml:1:10: the key `a.b` of `values` must be a name of letters, digits, `_` and `-`"),
  Broken(
    "an empty section",
    """
    etcd:
    health: ~

    """,
    """
    c.yaml:1:6: `etcd` is empty; it must be a map
    c.yaml:2:9: `health` is empty; it must be a map
    """),
  Broken(
    "broken YAML",
    "offsite: [s3://b/k\n",
    "c.yaml:2:1: did not find expected ',' or ']' while parsing a flow sequence"),
]
