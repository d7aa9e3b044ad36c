internal import Engine
internal import Host
internal import Journal
internal import Model

/// All commands there are.
enum Commands {
  static let root = CommandSpec(
    name: "kguard", summary: "guards a kubeadm upgrade: the cluster ends upgraded and healthy, or as it was",
    details: "Without a command it says where things stand, and what to do next. `kguard help COMMAND` is `kguard COMMAND --help`.",
    examples: [
      .init("kguard upgrade v1.28.0", "upgrade this control-plane node"),
      .init("kguard status -w", "watch it from a second terminal"),
      .init("kguard resume", "go on after a crash or Ctrl-C"),
    ],
    subcommands: [
      CheckCommand.spec, RunCommands.upgrade, RunCommands.resume, RunCommands.rollback, AbandonCommand.spec, StatusCommand.spec,
      HistoryCommand.spec,
      ShowCommand.spec, LogsCommand.spec, ReportCommand.spec, BackupCommands.backup, BackupCommands.drill, BundleCommands.spec,
      BackupCommands.key, MetricsCommand.spec, ScheduleCommand.spec,
      PlaybookCommands.spec, ConfigCommands.spec,
      CompletionCommand.spec, VersionCommand.spec, DocsCommand.spec,
    ],
    run: { (invocation) throws(Failure) in try StandingCommand.run(try Session(invocation)) })
}

/// `kguard` alone.
enum StandingCommand {
  static func run(_ session: Session) throws(Failure) -> ExitStatus {
    let next: String
    if let journal = try session.readJournal(), let run = try journal.currentRun() {
      let facts = try RunFacts(run, journal)
      session.print(prose(facts.sentence(session.outputStyle), .output) + "\n")
      next = facts.next
    } else {
      session.print("No run yet: the journal in \(session.state.path) is empty.\n")
      next = "kguard upgrade VERSION    to upgrade this node\nkguard --help             for everything else"
    }
    session.print("Next:\n" + next.split(separator: "\n").map { "  \($0)\n" }.joined())
    return .done
  }
}

enum VersionCommand {
  static let spec = CommandSpec(
    name: "version", summary: "print the version of kguard", examples: [.init("kguard version -o json", "for another program")],
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      if session.isJSON {
        session.printJSON(["kguard": .string(kguardVersion), "failpoints": .bool(hasFailpoints)])
      } else {
        session.print("kguard \(kguardVersion)\(hasFailpoints ? " (test build: has failpoints)" : "")\n")
      }
      return .done
    })
}
