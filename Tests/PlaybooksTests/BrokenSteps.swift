/// Steps that are wrong in themselves, and all that is said of each.
let brokenSteps: [Broken] = [
  Broken(
    "a step without an id",
    """
    name: p
    steps:
      - action: bundle/verify

    """,
    "p.yaml:3:5: an entry of `steps` has no `id`"),
  Broken(
    "a step without work",
    """
    name: p
    steps:
      - id: a

    """,
    "p.yaml:3:5: the step says nothing to do; it needs one of `action`, `run` and `shell`"),
  Broken(
    "two kinds of work",
    """
    name: p
    steps:
      - id: a
        action: bundle/verify
        run: [true]

    """,
    "p.yaml:5:5: the step has `action` already; `action`, `run` and `shell` exclude each other"),
  Broken(
    "three kinds of work",
    """
    name: p
    steps:
      - {id: a, run: [x], shell: y, action: bundle/verify}

    """,
    """
    p.yaml:3:23: the step has `run` already; `action`, `run` and `shell` exclude each other
    p.yaml:3:33: the step has `run` already; `action`, `run` and `shell` exclude each other
    """),
  Broken(
    "an id twice",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify}
      - {id: a, action: bundle/verify}

    """,
    "p.yaml:4:10: the id `a` comes a second time; the first is in line 3"),
  Broken(
    "an id with an underscore",
    """
    name: p
    steps:
      - {id: my_step, action: bundle/verify}

    """,
    """
    p.yaml:3:10: `id` must be lower-case letters and digits, with single hyphens between them, not `my_step`
    """),
  Broken(
    "an id with a hyphen at its end",
    """
    name: p
    steps:
      - {id: step-, action: bundle/verify}

    """,
    """
    p.yaml:3:10: `id` must be lower-case letters and digits, with single hyphens between them, not `step-`
    """),
  Broken(
    "an unknown key of a step",
    """
    name: p
    steps:
      - id: a
        action: bundle/verify
        on-failur: stop

    """,
    "p.yaml:5:5: unknown key `on-failur`; did you mean `on-failure`?"),
  Broken(
    "an unknown action",
    """
    name: p
    steps:
      - {id: a, action: etcd/snapshoot}

    """,
    "p.yaml:3:21: unknown action `etcd/snapshoot`; did you mean `etcd/snapshot`?"),
  Broken(
    "an unknown action that resembles none",
    """
    name: p
    steps:
      - {id: a, action: reboot}

    """,
    """
    p.yaml:3:21: unknown action `reboot`; known actions: `node/preflight`, `etcd/snapshot`, `bundle/verify`, `etcd/drill`, `bundle/copy`, `kubeadm/apply`
    """),
  Broken(
    "an action that is a list",
    """
    name: p
    steps:
      - {id: a, action: [bundle/verify]}

    """,
    "p.yaml:3:21: `action` must be a text that is not empty, not a list"),
  Broken(
    "an empty argv",
    """
    name: p
    steps:
      - {id: a, run: []}

    """,
    "p.yaml:3:18: `run` is an empty list; at least one entry is needed"),
  Broken(
    "an argv that is a text",
    """
    name: p
    steps:
      - {id: a, run: velero backup}

    """,
    "p.yaml:3:18: `run` must be a list, not `velero backup`"),
  Broken(
    "an empty program",
    """
    name: p
    steps:
      - {id: a, run: ['', b]}

    """,
    "p.yaml:3:19: the program's name is empty"),
  Broken(
    "an argument that is empty",
    """
    name: p
    steps:
      - {id: a, run: [a, ~]}

    """,
    "p.yaml:3:22: an entry of `run` is empty; it must be a text"),
  Broken(
    "an argument that is a map",
    """
    name: p
    steps:
      - {id: a, run: [a, {b: c}]}

    """,
    "p.yaml:3:22: an entry of `run` must be a text, not a map"),
  Broken(
    "an argument with NUL",
    """
    name: p
    steps:
      - {id: a, run: [a, "b\\0c"]}

    """,
    "p.yaml:3:22: an entry of `run` holds a NUL character"),
  Broken(
    "an empty script",
    """
    name: p
    steps:
      - {id: a, shell: ''}

    """,
    "p.yaml:3:20: `shell` must be a text that is not empty, not an empty text"),
  Broken(
    "a script that interpolates",
    """
    name: p
    inputs: {tag: }
    steps:
      - id: a
        shell: echo ${inputs.tag}

    """,
    """
    p.yaml:5:12: `shell` fills in no `${inputs.…}`; pass the value by `env: {NAME: "${inputs.…}"}` and write "$NAME"
    """),
  Broken(
    "a bad duration",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify, timeout: 5 minutes}

    """,
    "p.yaml:3:45: `timeout` must be a duration such as `30s`, `5m` or `1h30m`, not `5 minutes`"),
  Broken(
    "a duration without a unit",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify, timeout: 30}

    """,
    "p.yaml:3:45: `timeout` must be a duration such as `30s`, `5m` or `1h30m`, not `30`"),
  Broken(
    "no time at all",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify, timeout: 0s}

    """,
    "p.yaml:3:45: `timeout` must be more than zero"),
  Broken(
    "too many retries",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify, retries: {max: 101}}

    """,
    "p.yaml:3:51: `max` must be a whole number from 0 to 100, not `101`"),
  Broken(
    "a negative number of retries",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify, retries: -1}

    """,
    "p.yaml:3:45: `retries` must be a whole number from 0 to 100, not `-1`"),
  Broken(
    "retries without max",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify, retries: {backoff: 2s}}

    """,
    "p.yaml:3:45: `retries` has no `max`"),
  Broken(
    "retries that are a list",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify, retries: [3]}

    """,
    "p.yaml:3:45: `retries` must be a whole number from 0 to 100 or a map, not a list"),
  Broken(
    "an unknown key of retries",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify, retries: {max: 3, backof: 2s}}

    """,
    "p.yaml:3:54: unknown key `backof`; did you mean `backoff`?"),
  Broken(
    "a limit below the backoff",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify, retries: {max: 3, backoff: 2m, limit: 1m}}

    """,
    "p.yaml:3:74: `limit` is less than `backoff` (2m)"),
  Broken(
    "an unknown policy",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify, on-failure: rolback}

    """,
    """
    p.yaml:3:48: `on-failure` must be one of `stop`, `rollback`, `continue`, not `rolback`; did you mean `rollback`?
    """),
  Broken(
    "a rollback that is not named",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify, on-failure: rollback}

    """,
    """
    p.yaml:3:48: the playbook names no rollback; add `rollback: rollback` at its top level, or write `stop`
    """),
  Broken(
    "a rollback that is not used",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify}
    rollback: rollback

    """,
    "p.yaml:4:1: `rollback` is never used: no step says `on-failure: rollback`"),
  Broken(
    "a playbook as its own rollback",
    """
    name: p
    rollback: p
    steps:
      - {id: a, action: bundle/verify, on-failure: rollback}

    """,
    "p.yaml:2:11: a playbook can't be its own rollback"),
]
