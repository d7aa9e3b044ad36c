/// Conditions that are wrong, and steps that are wrong together, and all that is said of each.
let brokenConditions: [Broken] = [
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
