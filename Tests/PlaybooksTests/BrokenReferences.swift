/// Inputs, variables and references that are wrong, and all that is said of each.
let brokenReferences: [Broken] = [
  Broken(
    "inputs of a program",
    """
    name: p
    steps:
      - {id: a, run: [x], with: {b: c}}

    """,
    """
    p.yaml:3:23: `with` belongs to a step with `action`; values reach `run` by `${…}`, and `shell` by `env`
    """),
  Broken(
    "env, check, undo and changes of an action",
    """
    name: p
    steps:
      - id: a
        action: bundle/verify
        env: {A: b}
        check: [x]
        undo: [y]
        changes: false

    """,
    """
    p.yaml:5:5: `env` belongs to an own step (`run` or `shell`); an action sees to that itself
    p.yaml:6:5: `check` belongs to an own step (`run` or `shell`); an action sees to that itself
    p.yaml:7:5: `undo` belongs to an own step (`run` or `shell`); an action sees to that itself
    p.yaml:8:5: `changes` belongs to an own step (`run` or `shell`); an action sees to that itself
    """),
  Broken(
    "a variable with a hyphen",
    """
    name: p
    steps:
      - {id: a, run: [x], env: {MY-VAR: b}}

    """,
    "p.yaml:3:29: the key `MY-VAR` of `env` must be a name of letters, digits and underscores"),
  Broken(
    "an unknown input of an action",
    """
    name: p
    steps:
      - {id: a, action: etcd/snapshot, with: {rat: 5}}

    """,
    "p.yaml:3:43: `etcd/snapshot` has no input `rat`; did you mean `rate`?"),
  Broken(
    "an input of an action that has none",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify, with: {x: 5}}

    """,
    "p.yaml:3:43: `bundle/verify` has no input `x`; there are no inputs"),
  Broken(
    "ill-typed inputs of an action",
    """
    name: p
    steps:
      - id: a
        action: etcd/snapshot
        with:
          rate: fast
          deadline: 5
          defragment: yes
          from: folower

    """,
    """
    p.yaml:6:13: `rate` must be a whole number, not `fast`
    p.yaml:7:17: `deadline` must be a duration such as `30s`, `5m` or `1h30m`, not `5`
    p.yaml:8:19: `defragment` must be true or false, not `yes`
    p.yaml:9:13: `from` must be one of `leader`, `follower`, `any`, not `folower`
    """),
  Broken(
    "an input that is a list",
    """
    name: p
    steps:
      - {id: a, action: etcd/snapshot, with: {from: [any]}}

    """,
    "p.yaml:3:49: `from` must be a text, not a list"),
  Broken(
    "a missing input of an action",
    """
    name: p
    steps:
      - {id: v, action: bundle/verify}
      - {id: d, action: etcd/drill}
      - {id: c, action: bundle/copy}
      - {id: a, action: kubeadm/apply}

    """,
    """
    p.yaml:6:21: `kubeadm/apply` needs its input `version`: add `with: {version: …}` (the target version)
    """),
  Broken(
    "inputs that are a list",
    """
    name: p
    inputs: [a]
    steps:
      - {id: a, run: ["${inputs.a}"]}

    """,
    "p.yaml:2:9: `inputs` must be a map, not a list"),
  Broken(
    "an unknown key of an input",
    """
    name: p
    inputs: {a: {requird: true}}
    steps:
      - {id: a, action: bundle/verify}

    """,
    "p.yaml:2:14: unknown key `requird`; did you mean `required`?"),
  Broken(
    "an input's name with capitals",
    """
    name: p
    inputs: {Version: {required: true}}
    steps:
      - {id: a, action: bundle/verify}

    """,
    """
    p.yaml:2:10: the key `Version` of `inputs` must be lower-case letters and digits, with single hyphens between them
    """),
  Broken(
    "required that is a text",
    """
    name: p
    inputs: {a: {required: yes}}
    steps:
      - {id: a, action: bundle/verify}

    """,
    "p.yaml:2:24: `required` must be true or false, not `yes`"),
  Broken(
    "a required input with a default",
    """
    name: p
    inputs: {a: {required: true, default: x}}
    steps:
      - {id: a, action: bundle/verify}

    """,
    """
    p.yaml:2:39: the input `a` is required, so its default is never used; remove one of the two
    """),
  Broken(
    "a default that does not match",
    """
    name: p
    inputs: {a: {pattern: 'v\\d+', default: 1.2}}
    steps:
      - {id: a, action: bundle/verify}

    """,
    "p.yaml:2:40: the default `1.2` does not match the pattern `v\\d+`"),
  Broken(
    "a default that refers to something",
    """
    name: p
    inputs: {a: {default: "${config.values.a}"}}
    steps:
      - {id: a, action: bundle/verify}

    """,
    "p.yaml:2:23: a default is taken as it is: no `${…}` is filled in"),
  Broken(
    "a pattern that is not closed",
    """
    name: p
    inputs: {a: {pattern: '(v\\d+'}}
    steps:
      - {id: a, action: bundle/verify}

    """,
    """
    p.yaml:2:23: `pattern` is not a regular expression: a `(` is not closed, at its character 6
    """),
  Broken(
    "a pattern that is too long",
    """
    name: p
    inputs: {a: {pattern: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}
    steps:
      - {id: a, action: bundle/verify}

    """,
    "p.yaml:2:23: `pattern` is not a regular expression: it is longer than 200 characters"),
  Broken(
    "a pattern that multiplies",
    """
    name: p
    inputs: {a: {pattern: '((a{200}){200}){200}'}}
    steps:
      - {id: a, action: bundle/verify}

    """,
    """
    p.yaml:2:23: `pattern` is not a regular expression: its repetitions multiply to too large a pattern
    """),
  Broken(
    "an undefined input",
    """
    name: p
    inputs: {version: }
    steps:
      - {id: a, run: [echo, "${inputs.verison}"]}

    """,
    "p.yaml:4:26: the playbook has no input `verison`; did you mean `version`?"),
  Broken(
    "an input where there is none",
    """
    name: p
    steps:
      - {id: a, run: [echo, "x ${inputs.v}"]}

    """,
    "p.yaml:3:28: the playbook has no input `v`; there are no inputs"),
  Broken(
    "too deep into an input",
    """
    name: p
    inputs: {v: }
    steps:
      - {id: a, run: [echo, "${inputs.v.major}"]}

    """,
    "p.yaml:4:26: `${inputs.v.major}` goes too deep; an input is a text"),
  Broken(
    "an unknown root",
    """
    name: p
    steps:
      - {id: a, run: [echo, "${input.v}"]}

    """,
    "p.yaml:3:26: unknown reference `${input.v}`; did you mean `inputs`?"),
  Broken(
    "a root alone",
    """
    name: p
    steps:
      - {id: a, run: [echo, "${run}"]}

    """,
    "p.yaml:3:26: `${run}` names no value; write `${run.…}`"),
  Broken(
    "an unknown key of the run",
    """
    name: p
    steps:
      - {id: a, run: [echo, "${run.ids}"]}

    """,
    "p.yaml:3:26: a run has no `ids`; did you mean `id`?"),
  Broken(
    "an unknown key of the configuration",
    """
    name: p
    steps:
      - id: a
        run: [echo, "${config.health.soack}"]
        when: ${config.velero.enabled}

    """,
    """
    p.yaml:4:18: `config.health` has no key `soack`; did you mean `soak`?
    p.yaml:5:11: `config` has no key `velero`; known keys: `offsite`, `encryption`, `retention`, `packages`, `etcd`, `health`, `metrics`, `values`
    """),
  Broken(
    "a secret of the configuration",
    """
    name: p
    steps:
      - {id: a, run: [echo, "${config.notify.0.webhook}"]}

    """,
    "p.yaml:3:26: `config.notify` is not for playbooks, since it can hold a secret"),
  Broken(
    "a key below a text of the configuration",
    """
    name: p
    steps:
      - {id: a, run: [echo, "${config.packages.kind}"]}

    """,
    "p.yaml:3:26: `config.packages` has no key `kind`; there are no keys"),
  Broken(
    "an entry of a list by its name",
    """
    name: p
    steps:
      - {id: a, run: [echo, "${config.offsite.first.url}"]}

    """,
    "p.yaml:3:26: `config.offsite` is a list; its entries are `0`, `1` and so on, not `first`"),
  Broken(
    "a later step",
    """
    name: p
    steps:
      - {id: a, run: [echo, "${steps.b.x}"]}
      - {id: b, action: bundle/verify}

    """,
    """
    p.yaml:3:26: `${steps.b.x}` asks for what the step `b` has not done yet; only earlier steps have evidence
    """),
  Broken(
    "the step itself",
    """
    name: p
    steps:
      - {id: a, run: [echo, "${steps.a.x}"]}

    """,
    """
    p.yaml:3:26: `${steps.a.x}` asks for what the step `a` has not done yet; only earlier steps have evidence
    """),
  Broken(
    "an unknown step",
    """
    name: p
    steps:
      - {id: verify, action: bundle/verify}
      - {id: b, run: [echo, "${steps.verfiy.x}"]}

    """,
    "p.yaml:4:26: there is no earlier step `verfiy`; did you mean `verify`?"),
  Broken(
    "a reference that is not closed",
    """
    name: p
    steps:
      - {id: a, run: [echo, "pre-${run.id"]}

    """,
    "p.yaml:3:30: `${` is not closed with `}`; a literal one is written `$${`"),
  Broken(
    "a reference to nothing",
    """
    name: p
    steps:
      - {id: a, run: [echo, "${}"]}

    """,
    """
    p.yaml:3:26: `${}` is not a reference; write it as `${inputs.name}`, and a literal `${` as `$${`
    """),
  Broken(
    "a shell's expansion",
    """
    name: p
    steps:
      - {id: a, run: [echo, "${HOME:-x}"]}

    """,
    """
    p.yaml:3:26: `${HOME:-x}` is not a reference; write it as `${inputs.name}`, and a literal `${` as `$${`
    """),
  Broken(
    "a reference without quotes in braces",
    """
    name: p
    steps:
      - {id: a, run: [echo, ${run.id}]}

    """,
    "p.yaml:3:25: inside `{…}` or `[…]`, YAML wants quotes around a text with `${…}`"),
  Broken(
    "a reference without quotes in a map",
    """
    name: p
    steps:
      - id: a
        action: node/preflight
        with: {version: ${run.id}}

    """,
    "p.yaml:5:21: inside `{…}` or `[…]`, YAML wants quotes around a text with `${…}`"),
  Broken(
    "references in env, check, undo and with",
    """
    name: p
    steps:
      - id: a
        run: [x]
        env: {A: "${run.a}"}
        check: [y, "${run.b}"]
        undo: [z, "${run.c}"]
      - id: b
        action: etcd/snapshot
        with:
          rate: ${run.d}

    """,
    """
    p.yaml:5:15: a run has no `a`; known keys: `id`, `playbook`, `step`, `attempt`, `started`
    p.yaml:6:17: a run has no `b`; known keys: `id`, `playbook`, `step`, `attempt`, `started`
    p.yaml:7:16: a run has no `c`; known keys: `id`, `playbook`, `step`, `attempt`, `started`
    p.yaml:11:13: a run has no `d`; did you mean `id`?
    """),
]
