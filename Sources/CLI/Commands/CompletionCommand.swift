internal import Model

/// `kguard completion SHELL`
enum CompletionCommand {
  private static let shells = [
    ("bash", CompletionScripts.bash), ("zsh", CompletionScripts.zsh), ("fish", CompletionScripts.fish),
  ]

  static let spec = CommandSpec(
    name: "completion", summary: "print what makes a shell complete kguard's commands, runs, bundles and playbooks",
    arguments: [ArgumentSpec("SHELL", "bash, zsh or fish", completes: .words(shells.map(\.0)))],
    details: """
      The Debian package has these scripts in place already. Run ids and bundles come from the journal, which only root can read: \
      a shell of another user completes commands and options.
      """,
    examples: [
      .init("kguard completion bash > /etc/bash_completion.d/kguard", "bash, for every user"),
      .init("kguard completion zsh > /usr/local/share/zsh/site-functions/_kguard", "zsh"),
      .init("kguard completion fish > ~/.config/fish/completions/kguard.fish", "fish"),
    ],
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      let shell = invocation.arguments["SHELL"] ?? ""
      guard let script = shells.first(where: { $0.0 == shell })?.1 else {
        throw Failure(
          .usage, what: "cannot complete for `\(shell)`", why: "there is no such shell here" + didYouMean(shell, among: shells.map(\.0)),
          next: "say bash, zsh or fish")
      }
      session.print(script)
      return .done
    })
}
