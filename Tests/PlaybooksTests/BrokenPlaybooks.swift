/// Playbooks that are wrong, and all that is said of each.
let brokenPlaybooks: [Broken] = [
  Broken(
    "an empty file",
    "",
    "p.yaml:1:1: the file is empty"),
  Broken(
    "a list instead of a map",
    """
    - a
    - b

    """,
    "p.yaml:1:1: the playbook must be a map, not a list"),
  Broken(
    "a tab",
    "name: p\nsteps:\n\t- id: a\n",
    "p.yaml:3:1: YAML indents with spaces; a tab stands here"),
  Broken(
    "a key twice",
    """
    name: p
    name: q
    steps:
      - {id: a, action: bundle/verify}

    """,
    "p.yaml:2:1: the key `name` comes a second time; the first is in line 1"),
  Broken(
    "an anchor",
    """
    name: &n p
    steps:
      - {id: a, action: bundle/verify}

    """,
    "p.yaml:1:7: anchors and aliases are not allowed; write the value out"),
  Broken(
    "a second document",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify}
    ---
    name: q

    """,
    "p.yaml:4:1: a second document begins; one file holds one"),
  Broken(
    "nothing that is needed",
    "description: nothing\n",
    """
    p.yaml:1:1: the playbook has no `name`
    p.yaml:1:1: the playbook has no `steps`
    """),
  Broken(
    "an unknown key at the top",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify}
    stepz: []

    """,
    "p.yaml:4:1: unknown key `stepz`; did you mean `steps`?"),
  Broken(
    "an unknown key that resembles none",
    """
    name: p
    steps:
      - {id: a, action: bundle/verify}
    maintainer: me

    """,
    """
    p.yaml:4:1: unknown key `maintainer`; known keys: `name`, `description`, `inputs`, `steps`, `rollback`
    """),
  Broken(
    "a name with capitals",
    """
    name: My Playbook
    steps:
      - {id: a, action: bundle/verify}

    """,
    """
    p.yaml:1:7: `name` must be lower-case letters and digits, with single hyphens between them, not `My Playbook`
    """),
  Broken(
    "an empty name",
    """
    name:
    steps:
      - {id: a, action: bundle/verify}

    """,
    """
    p.yaml:1:6: `name` is empty; it must be lower-case letters and digits, with single hyphens between them
    """),
  Broken(
    "a list as a description",
    """
    name: p
    description: [a]
    steps:
      - {id: a, action: bundle/verify}

    """,
    "p.yaml:2:14: `description` must be a text, not a list"),
  Broken(
    "steps that are a text",
    """
    name: p
    steps: none

    """,
    "p.yaml:2:8: `steps` must be a list, not `none`"),
  Broken(
    "steps that are a map",
    """
    name: p
    steps:
      a: {action: bundle/verify}

    """,
    "p.yaml:3:3: `steps` must be a list, not a map"),
  Broken(
    "no steps",
    """
    name: p
    steps: []

    """,
    "p.yaml:2:8: `steps` is an empty list; at least one entry is needed"),
  Broken(
    "a step that is a text",
    """
    name: p
    steps:
      - bundle/verify

    """,
    "p.yaml:3:5: an entry of `steps` must be a map, not `bundle/verify`"),
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
    "env, check and undo of an action",
    """
    name: p
    steps:
      - id: a
        action: bundle/verify
        env: {A: b}
        check: [x]
        undo: [y]

    """,
    """
    p.yaml:5:5: `env` belongs to an own step (`run` or `shell`); an action sees to that itself
    p.yaml:6:5: `check` belongs to an own step (`run` or `shell`); an action sees to that itself
    p.yaml:7:5: `undo` belongs to an own step (`run` or `shell`); an action sees to that itself
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
  Broken(
    "a condition that begins with !",
    """
    name: p
    steps:
      - id: a
        run: [x]
        when: !${run.id}

    """,
    "p.yaml:5:11: YAML takes a text that begins with `!` for a tag; quote it, or write `not`"),
  Broken(
    "a fixed condition",
    """
    name: p
    steps:
      - {id: a, run: [x], when: velero}

    """,
    "p.yaml:3:29: `velero` is a fixed text; a condition asks for a `${…}`, or is true or false"),
  Broken(
    "one equals sign",
    """
    name: p
    steps:
      - id: a
        run: [x]
        when: ${run.id} = x

    """,
    "p.yaml:5:21: `=` is not a comparison; write `==`"),
  Broken(
    "half a comparison",
    """
    name: p
    steps:
      - id: a
        run: [x]
        when: ${run.id} ==

    """,
    "p.yaml:5:23: the condition ends where a value was expected"),
  Broken(
    "half a conjunction",
    """
    name: p
    steps:
      - id: a
        run: [x]
        when: and ${run.id}

    """,
    "p.yaml:5:11: a value was expected before `and`"),
  Broken(
    "two values side by side",
    """
    name: p
    steps:
      - id: a
        run: [x]
        when: ${run.id} ${run.attempt}

    """,
    "p.yaml:5:21: `and`, `or`, `==` or `!=` was expected here"),
  Broken(
    "two fixed texts",
    """
    name: p
    steps:
      - id: a
        run: [x]
        when: a == b

    """,
    "p.yaml:5:11: this compares two fixed texts; one side should be a `${…}`"),
  Broken(
    "! before a comparison",
    """
    name: p
    steps:
      - id: a
        run: [x]
        when: "!${run.id} == x"

    """,
    "p.yaml:5:12: `!` before a comparison can be read in two ways; write `!=`, or `not`"),
  Broken(
    "a reference in quotes",
    """
    name: p
    steps:
      - id: a
        run: [x]
        when: ${run.id} == "x${run.id}"

    """,
    "p.yaml:5:26: in a condition, `${…}` stands outside of quotes"),
  Broken(
    "a quote that is not closed",
    """
    name: p
    steps:
      - id: a
        run: [x]
        when: ${run.id} == "x

    """,
    "p.yaml:5:24: the quote is not closed"),
  Broken(
    "parentheses",
    """
    name: p
    steps:
      - id: a
        run: [x]
        when: (${run.id})

    """,
    """
    p.yaml:5:11: `(` has no meaning in a condition; a text with such characters is written in quotes
    """),
  Broken(
    "an unknown reference in a condition",
    """
    name: p
    steps:
      - id: a
        run: [x]
        when: ${run.id} == ${inputs.x}

    """,
    "p.yaml:5:24: the playbook has no input `x`; there are no inputs"),
  Broken(
    "a condition that is a list",
    """
    name: p
    steps:
      - {id: a, run: [x], when: [true]}

    """,
    "p.yaml:3:29: `when` must be a condition such as `${inputs.x}`, not a list"),
  Broken(
    "an apply without its guards",
    """
    name: p
    steps:
      - {id: apply, action: kubeadm/apply, with: {version: v1.34.1}}

    """,
    """
    p.yaml:3:5: `kubeadm/apply` must come after `bundle/verify`; add above this step: `- {id: verify, action: bundle/verify}`
    p.yaml:3:5: `kubeadm/apply` must come after `etcd/drill`; add above this step: `- {id: drill, action: etcd/drill}`
    p.yaml:3:5: `kubeadm/apply` must come after `bundle/copy`; add above this step: `- {id: copy, action: bundle/copy}`
    """),
  Broken(
    "guards that can be passed by",
    """
    name: p
    steps:
      - {id: v, action: bundle/verify, when: false}
      - {id: d, action: etcd/drill, on-failure: continue}
      - {id: apply, action: kubeadm/apply, with: {version: v1.34.1}}
      - {id: c, action: bundle/copy}

    """,
    """
    p.yaml:5:5: `kubeadm/apply` must come after `bundle/verify`; the step `v` in line 3 can be passed by: remove its `when`
    p.yaml:5:5: `kubeadm/apply` must come after `etcd/drill`; the step `d` in line 4 can be passed by: remove its `on-failure: continue`
    p.yaml:5:5: `kubeadm/apply` must come after `bundle/copy`; move the step `c` from line 6 above this one
    """),
  Broken(
    "many mistakes, in the order of the text",
    """
    nmae: p
    inputs:
      v: {pattern: '['}
    steps:
      - id: A
        acton: etcd/snapshot
        timeout: soon
      - id: b
        run: [x, "${inputs.w}", "${steps.c.d}"]
        retries: {max: 1000}
        on-failure: rollback
      - id: b
        shell: ""

    """,
    """
    p.yaml:1:1: unknown key `nmae`; did you mean `name`?
    p.yaml:1:1: the playbook has no `name`
    p.yaml:3:16: `pattern` is not a regular expression: a `[` is not closed, at its character 2
    p.yaml:5:5: the step says nothing to do; it needs one of `action`, `run` and `shell`
    p.yaml:5:9: `id` must be lower-case letters and digits, with single hyphens between them, not `A`
    p.yaml:6:5: unknown key `acton`; did you mean `action`?
    p.yaml:7:14: `timeout` must be a duration such as `30s`, `5m` or `1h30m`, not `soon`
    p.yaml:9:15: the playbook has no input `w`; did you mean `v`?
    p.yaml:9:30: there is no earlier step `c`; did you mean `A`?
    p.yaml:10:20: `max` must be a whole number from 0 to 100, not `1000`
    p.yaml:11:17: the playbook names no rollback; add `rollback: rollback` at its top level, or write `stop`
    p.yaml:12:9: the id `b` comes a second time; the first is in line 8
    p.yaml:13:12: `shell` must be a text that is not empty, not an empty text
    """),
]
