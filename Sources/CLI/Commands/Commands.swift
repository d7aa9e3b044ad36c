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
