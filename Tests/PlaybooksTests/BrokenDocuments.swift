/// Texts that are no playbook, or not at their top level, and all that is said of each.
let brokenDocuments: [Broken] = [
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
]
