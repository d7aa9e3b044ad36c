internal import Cluster
internal import Engine
internal import Playbooks

/// kguard-playbook(5): the keys from the table that checks playbooks, the actions from their own signatures.
enum PlaybookManual {
  static var page: ManualPage {
    ManualPage(
      name: "kguard-playbook", section: 5, summary: "the steps that kguard takes",
      sections: [
        .init(
          "Description",
          [
            .text(
              """
              A playbook is an ordered list of steps in YAML. kguard carries it out as one run, keeps what each step did, and resumes it \
              after a crash. `kguard playbook list` names those there are, `kguard playbook check FILE` says all that is wrong with one, \
              `kguard playbook schema` prints a JSON Schema for editors.
              A step has an `id` and one of `action`, `run` and `shell`. An action is a verb that kguard brings along. `run` is a program \
              and its arguments: no shell is involved. `shell` is a script, taken word for word: values reach it through `env`.
              Some actions must come after others, so that the guard cannot be edited away: a step counts only if it cannot be passed by, \
              so one with `when` or with `on-failure: continue` does not.
              """)
          ]),
        .init("Keys", keys(Playbook.reference)),
        .init(
          "Values",
          [
            .text(
              "In texts, `${…}` stands for a value. `$${` is a literal `${`. Within `{…}` and `[…]`, YAML wants quotes around such a text."),
            .terms([
              .init("${inputs.NAME}", "An input; the empty text where it is not given and has no default."),
              .init("${run.id}, ${run.playbook}, ${run.step}, ${run.attempt}, ${run.started}", "The run."),
              .init("${config.KEY}", "A key of the configuration, such as `${config.etcd.data-dir}`."),
              .init("${config.values.NAME}", "A value of your own, from `values:` of the configuration."),
              .init("${steps.ID.KEY}", "The evidence of an earlier step; `undo` sees its own step's too."),
            ]),
          ]),
        .init(
          "Conditions",
          [
            .text(
              """
              `when` takes `${…}`, which asks whether the value is true, and `==` and `!=`, which compare texts; `not` binds more strongly \
              than `and`, and `and` more than `or`. False are: no value, `false`, `0`, an empty text, list or map, and the texts `false`, \
              `no`, `off` and `0`.
              """),
            .example("when: ${config.values.velero} and ${inputs.channel} != edge"),
          ]),
        .init("Actions", actions),
        .init(
          "Examples",
          [
            .text("An upgrade that makes a Velero backup first:"),
            .example(
              """
              name: upgrade-with-velero
              inputs:
                version: {required: true, pattern: 'v\\d+\\.\\d+\\.\\d+'}
              steps:
                - id: preflight
                  action: node/preflight
                - id: velero
                  run: [velero, backup, create, "pre-${run.id}", --wait]
                  check: [velero, backup, get, "pre-${run.id}"]
                  timeout: 30m
                - id: snapshot
                  action: etcd/snapshot
                  retries: {max: 3, backoff: 2s}
                - id: verify
                  action: bundle/verify
                - id: drill
                  action: etcd/drill
                - id: copy
                  action: bundle/copy
                - id: apply
                  action: kubeadm/apply
                  with: {version: "${inputs.version}"}
                  timeout: 30m
                  on-failure: rollback
              rollback: rollback
              """),
            .text("The built-in ones are longer: `kguard playbook show upgrade`."),
          ]),
        ManualPage.references(from: "kguard-playbook", []),
      ])
  }

  private static var actions: [ManualPage.Block] {
    [
      .terms(
        Actions(BuiltIn.actions).catalogue.signatures.map { signature in
          var blocks: [ManualPage.Block] = [.text(sentence(signature.summary) + before(signature))]
          if !signature.inputs.isEmpty { blocks.append(.terms(signature.inputs.map(input))) }
          return ManualPage.Term(signature.path, blocks)
        })
    ]
  }

  private static func before(_ signature: ActionSignature) -> String {
    let names = signature.requiresBefore.map { "`\($0)`" }.joined(separator: ", ")
    return names.isEmpty ? "" : " Must come after \(names)."
  }

  private static func input(_ input: ActionInput) -> ManualPage.Term {
    let kind =
      switch input.kind {
      case .text: ""
      case .duration: " It is a duration, such as `30m`."
      case .bool: " It is true or false."
      case .int: " It is a whole number."
      case .choice(let names): " It is one of " + names.map { "`\($0)`" }.joined(separator: ", ") + "."
      }
    return ManualPage.Term(input.name + (input.isRequired ? " (required)" : ""), sentence(input.description) + kind)
  }

  private static func sentence(_ text: String) -> String {
    text.prefix(1).uppercased() + text.dropFirst() + (text.hasSuffix(".") ? "" : ".")
  }

  /// The keys of a map, and those within each.
  static func keys(_ keys: [KeyReference]) -> [ManualPage.Block] {
    [
      .terms(
        keys.map { key in
          let needed = key.isRequired ? " Required." : ""
          let kind = key.phrase.hasPrefix("a text") ? "" : " It is \(key.phrase)."
          let text = key.description + kind + needed
          return ManualPage.Term(key.key, [.text(text)] + (key.keys.isEmpty ? [] : self.keys(key.keys)))
        })
    ]
  }
}
