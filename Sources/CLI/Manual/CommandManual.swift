internal import Cluster
internal import Model
internal import Playbooks

/// kguard(1): every command, from the descriptions that `--help` is made of.
enum CommandManual {
  static var page: ManualPage {
    ManualPage(
      name: "kguard", section: 1, summary: Commands.root.summary,
      sections: [
        .init(
          "Synopsis", [.example("kguard [COMMAND] [ARGUMENTS] [OPTIONS]\nkguard COMMAND --help")]),
        .init(
          "Description",
          [
            .text(
              """
              No verified, restorable, off-site snapshot of etcd: no upgrade. `kguard upgrade` takes a snapshot through etcd, reads every \
              page of it, restores it and boots an etcd from it, seals it and sends it off, and only then lets kubeadm change the cluster. \
              Afterwards the cluster is compared with what it was; where it is not well, it is put back, etcd included.
              Every step is recorded before and after it happens. Whatever ends a run, `kguard resume` asks the world what happened and \
              goes on, and `kguard rollback` puts things back.
              """),
            .text(Commands.root.details),
          ]),
        .init("Commands", commands(Commands.root, path: ["kguard"])),
        .init("Options", [.text("These stand before or after any command."), .terms(OptionSpec.common.map(term))]),
        .init(
          "Checks",
          [
            .text("What `kguard check` and the step `node/preflight` look at. `--ignore-check NAME` turns a failure into a warning."),
            .terms(PreflightCheck.all.map { .init($0.name, $0.meaning + ".") }),
          ]),
        .init("Exit status", [.terms(ExitStatus.allCases.map { .init(String($0.rawValue), $0.meaning) })]),
        .init("Environment", [.terms(Surroundings.variables.map { .init($0.name, $0.meaning) })]),
        .init("Files", [.terms(Surroundings.files.map { .init($0.path, $0.meaning) })]),
        .init("Examples", [.terms(Commands.root.examples.map { .init($0.line, $0.meaning) })]),
        .init(
          "Bugs",
          [
            .text(
              """
              One control-plane node with stacked etcd at a time; nothing is done on other nodes.
              Objects that are written between the snapshot and a rollback that restores etcd are lost; the rollback lists them and keeps \
              the data that had them.
              """)
          ]),
        ManualPage.references(from: "kguard", ["kubeadm", "etcdctl", "etcdutl", "age", "zstd"]),
      ])
  }

  /// A heading, text and terms for each command that can be run.
  private static func commands(_ spec: CommandSpec, path: [String]) -> [ManualPage.Block] {
    var out: [ManualPage.Block] = []
    for command in spec.visible {
      let path = path + [command.name]
      if command.run != nil {
        let words =
          path + command.arguments.map { $0.isOptional ? "[\($0.name)]" : $0.name } + (command.options.isEmpty ? [] : ["[OPTIONS]"])
        out.append(.heading(words.joined(separator: " ")))
        out.append(.text(sentence(command.summary)))
        if !command.details.isEmpty { out.append(.text(command.details)) }
        let terms = command.arguments.map { ManualPage.Term($0.name, sentence($0.summary)) } + command.options.map(term)
        if !terms.isEmpty { out.append(.terms(terms)) }
        let examples = command.examples.map { ManualPage.Term($0.line, $0.meaning) }
        if !examples.isEmpty { out += [.text("For example:"), .terms(examples)] }
      }
      out += commands(command, path: path)
    }
    return out
  }

  private static func term(_ option: OptionSpec) -> ManualPage.Term {
    let short = option.short.map { "\($0), " } ?? ""
    let value = option.value.map { " \($0)" } ?? ""
    let more =
      (option.isRepeated ? " May be given more than once." : "")
      + (option.variable.map { " `\($0)` in the environment stands in for it." } ?? "")
    return ManualPage.Term(short + option.name + value, sentence(option.summary) + more)
  }

  private static func sentence(_ text: String) -> String {
    // `batch/v1` is a name, and stays as it is written.
    (text.prefix { $0 != " " }.contains("/") ? text : text.prefix(1).uppercased() + text.dropFirst()) + (text.hasSuffix(".") ? "" : ".")
  }
}
