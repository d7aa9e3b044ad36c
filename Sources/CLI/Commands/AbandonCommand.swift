internal import Engine
internal import Host
internal import Journal
internal import Model

/// `kguard abandon`: a run that nobody wants to go on with makes room for the next one.
enum AbandonCommand {
  static let spec = CommandSpec(
    name: "abandon", summary: "give an unfinished run up: nothing goes on, and nothing is put back",
    arguments: [ArgumentSpec("RUN", "the run, or the end of its id (default: the unfinished one)", isOptional: true)],
    options: [RunCommands.takeOver],
    details: """
      For a run that is in the way of the next one, such as a backup that was cut short, or one that an older kguard began. A command \
      that it left behind is waited for. Where the run has changed the cluster, the cluster stays as it is now; `kguard rollback RUN` \
      is still possible.
      """,
    examples: [.init("kguard abandon", "give the unfinished run up"), .init("kguard abandon 7xk2m --yes", "without a question")],
    acts: true,
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      guard let journal = try session.existingJournal() else { throw nothing(session) }
      let named = try invocation.arguments["RUN"].map { (text) throws(Failure) in try session.findRun(text, in: journal) }
      let unfinished = try journal.unfinishedRun()
      guard let found = named ?? unfinished else { throw nothing(session) }
      let run = try found.parent.flatMap { (id) throws(Failure) in try journal.run(id) } ?? found
      guard !run.state.isFinal else {
        throw Failure(
          .usage, what: "cannot give run \(run.id) up", why: "it has ended: \(run.state.rawValue)", next: "see `kguard show \(run.id)`")
      }
      let warning = run.state == .rollingBack ? " ITS ROLLBACK IS HALF DONE: the cluster may be down." : ""
      guard try session.confirm("Nothing would go on with run \(run.id) (\(run.playbook)), and nothing is put back.\(warning) Give it up?")
      else {
        throw Failure(what: "nothing was changed", why: "the answer was no", next: "`kguard resume` goes on with the run")
      }
      return try session.carryOut(journal, takeOver: invocation.has(RunCommands.takeOver)) { (runner) throws(Failure) in
        try runner.abandon(run.id)
      }
    })

  private static func nothing(_ session: Session) -> Failure { RunCommands.nothingToResume(session, "there is nothing to give up") }
}
