internal import Bundles
internal import Cluster
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// The commands that execute runs.
enum RunCommands {
  static let playbookOption = OptionSpec("--playbook", value: "FILE", "use this playbook instead of the built-in one", completes: .playbook)
  static let set = OptionSpec("--set", value: "NAME=VALUE", "set an input of the playbook", isRepeated: true)
  static let undo = OptionSpec("--undo", "take the rollback of RUN back: what it moved aside is put in place again")
  static let etcd = OptionSpec(
    "--etcd", value: "MODE", "whether etcd is restored: auto (only where something changed), always or never",
    completes: .words(["auto", "always", "never"]))
  static let takeOver = OptionSpec("--take-over", "end a kguard that hangs, and go on in its place")

  static let upgrade = CommandSpec(
    name: "upgrade", summary: "upgrade this control-plane node, or put it back",
    arguments: [ArgumentSpec("VERSION", "the version to upgrade to, for example v1.28.0")],
    options: [CheckCommand.ignore, BackupCommands.noOffsite, playbookOption, set, .dryRun],
    details: """
      Runs the playbook `upgrade`, step by step. Every step is recorded before and after it happens, so that a crash, a lost \
      ssh session or Ctrl-C never loses the thread: `kguard resume` goes on.
      """,
    examples: [
      .init("kguard upgrade v1.28.0", "upgrade"),
      .init("kguard upgrade v1.28.0 --dry-run", "see the steps first"),
      .init("kguard upgrade v1.28.0 -o json | jq .", "for another program"),
    ],
    acts: true,
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      // Another playbook may want its version written otherwise.
      if invocation.value(playbookOption) == nil { try targetVersion(invocation.arguments["VERSION"] ?? "") }
      let playbook = try session.playbook(invocation.value(playbookOption) ?? "upgrade")
      var inputs = try inputs(invocation)
      inputs["version"] = invocation.arguments["VERSION"]
      if invocation.has(BackupCommands.noOffsite) { inputs["no-offsite"] = "true" }
      if invocation.has(CheckCommand.ignore) { inputs["ignore-checks"] = try CheckCommand.ignored(invocation).joined(separator: ",") }
      return try session.start(playbook, inputs: inputs)
    })

  static let resume = CommandSpec(
    name: "resume", summary: "go on with a run that was interrupted",
    arguments: [
      ArgumentSpec("RUN", "the run, or the end of its id (default: the unfinished one)", isOptional: true, completes: .run(.unfinished))
    ],
    options: [takeOver],
    details: """
      Looks at the world before it does anything: what an earlier kguard left running is waited for, what has happened already \
      is not done again.
      """,
    examples: [.init("kguard resume", "go on with the unfinished run"), .init("kguard resume --take-over", "the other kguard hangs")],
    acts: true,
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      guard let journal = try session.existingJournal() else { throw nothingToResume(session) }
      let named = try invocation.arguments["RUN"].map { (text) throws(Failure) in try session.findRun(text, in: journal) }
      let unfinished = try journal.unfinishedRun()
      guard let run = named ?? unfinished else { throw nothingToResume(session) }
      try session.requireSameRoot(run)
      guard !run.state.isFinal else {
        throw Failure(
          .usage, what: "cannot resume run \(run.id)", why: "it has ended: \(run.state.rawValue)",
          next: "`kguard show \(run.id)` tells what it did")
      }
      // A rollback is resumed through the run that it rolls back.
      return try session.carryOut(journal, takeOver: invocation.has(takeOver)) { (runner) throws(Failure) in
        try runner.execute(run.parent ?? run.id)
      }
    })

  static let rollback = CommandSpec(
    name: "rollback", summary: "put the cluster back to where it was before a run",
    arguments: [ArgumentSpec("RUN", "the run, or the end of its id (default: the newest)", isOptional: true, completes: .run(.parents))],
    options: [undo, etcd, takeOver, .dryRun],
    details: "Runs the playbook that the run's own playbook names under `rollback:`. It is recorded and resumed like any other run.",
    examples: [
      .init("kguard rollback", "roll the newest run back"), .init("kguard rollback --dry-run", "see the steps first"),
      .init("kguard rollback --undo 7xk2m", "have again what the rollback of that run took away"),
    ],
    acts: true,
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      guard let journal = try session.existingJournal() else {
        throw Failure(.usage, what: "there is nothing to roll back", why: "no run was ever started here", next: "see `kguard --help`")
      }
      let text = invocation.arguments["RUN"]
      let newest = { () throws(Failure) in
        try invocation.has(undo) ? session.newestToUndo(journal) : session.newestToRollBack(journal)
      }
      let run = try text == nil ? newest() : session.findRun(text, in: journal)
      try session.requireSameRoot(run)
      if let mode = invocation.value(etcd), Configuration.EtcdRestore(rawValue: mode) == nil {
        throw Failure(.usage, what: "cannot understand `--etcd \(mode)`", why: "there is no such mode", next: "say auto, always or never")
      }
      if invocation.has(undo) { return try session.undoRollback(of: run, journal) }
      let isTakenBack = try journal.undo(of: run.id) != nil
      guard run.state != .rolledBack || isTakenBack else {
        throw Failure(
          .usage, what: "run \(run.id) is rolled back already", why: "there is nothing left to do", next: "see `kguard show \(run.id)`")
      }
      if !invocation.has(.dryRun) {
        try session.actions.requireNothingOnTop(of: run, journal, what: "cannot roll run \(run.id) back")
      } else {
        return try session.showRollback(of: run, journal, inputs: invocation.value(etcd).map { ["etcd": $0] } ?? [:])
      }
      if !invocation.has(.yes), !session.isJSON { session.sayWhatIsLost(run, journal, etcd: invocation.value(etcd)) }
      guard try session.confirm("Roll back run \(run.id) (\(run.playbook)), begun \(localTime(run.created))?") else {
        throw Failure(what: "nothing was rolled back", why: "the answer was no", next: "run `kguard rollback` again when you are sure")
      }
      let inputs = invocation.value(etcd).map { ["etcd": $0] } ?? [:]
      return try session.carryOut(journal, takeOver: invocation.has(takeOver)) { (runner) throws(Failure) in
        try runner.rollBack(run.id, inputs: inputs)
      }
    })

  static func nothingToResume(_ session: Session, _ what: String = "there is nothing to resume") -> Failure {
    Failure(.usage, what: what, why: "no run in \(session.state.path) is unfinished", next: "see `kguard history`")
  }

  /// `--set name=value`, any number of times.
  static func inputs(_ invocation: Invocation) throws(Failure) -> [String: String] {
    var inputs: [String: String] = [:]
    for text in invocation.values(set) {
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty else {
        throw Failure(
          .usage, what: "cannot understand `--set \(text)`", why: "it is not NAME=VALUE", next: "write it as `--set name=value`")
      }
      inputs[String(parts[0])] = String(parts[1])
    }
    return inputs
  }
}

extension Session {
  /// Every built-in action.
  var actions: Actions { Actions(BuiltIn.actions) }

  func playbook(_ nameOrFile: String) throws(Failure) -> Playbook { try library().load(nameOrFile, catalogue: actions.catalogue) }

  /// Begins a run and carries it out. `resumes`: for a timer, see `startUnattended`.
  func start(_ playbook: Playbook, inputs: [String: String], resumes: Bool = false) throws(Failure) -> ExitStatus {
    let inputs = try playbook.resolveInputs(inputs)
    let configuration = try configuration()
    if invocation.has(.dryRun) { return try showSteps(playbook, inputs, configuration.json) }
    if resumes { return try startUnattended(playbook, inputs: inputs) }
    let journal = try writeJournal()
    return try carryOut(journal, takeOver: false) { (runner) throws(Failure) in
      if let unfinished = try journal.unfinishedRun() { throw Self.unfinished(unfinished) }
      return try runner.execute(try runner.create(playbook, inputs: inputs, config: configuration.json))
    }
  }

  /// Takes the node, lets `body` run, and shows how it went.
  func carryOut(_ journal: RunJournal, takeOver: Bool, _ body: (Runner) throws(Failure) -> RunResult) throws(Failure) -> ExitStatus {
    let claim = try NodeClaim.take(state, journal, takeOver: takeOver, at: machine.now())
    let stop = StopSignal()
    let view = makeView(stop)
    let recorder = LiveRecorder(state, stop: stop)
    defer { recorder.end() }
    receiveSignals(stop)
    let screen = DetachedObserver(view)
    let watch = RunWatch(screen, self)
    let runner = Runner(
      journal: journal, machine: machine, actions: actions, state: state, supervisor: Supervisor(state: state),
      observer: Observers([watch, recorder]), stop: stop,
      version: kguardVersion, findPlaybook: { (name) throws(Failure) in try playbook(name) })
    let result: RunResult
    do throws(Failure) {
      result = try body(runner)
    } catch {
      watch.finish(journal, stop: stop, at: machine.now())
      close(screen, view)
      throw error
    }
    watch.finish(journal, stop: stop, at: machine.now())
    _ = consume claim
    close(screen, view)
    if isJSON {
      print(JSONView.result(result))
    } else {
      let afterwards = Afterwards(result, journal, state, now: machine.now())
      let ending = Words.ending(result, putBack: afterwards?.putBack ?? "the cluster", style)
      say(style.inCharset(ending + (afterwards?.text ?? "")))
    }
    return result.exit
  }

  /// The run is over: from here on a signal ends kguard, which may wait for a terminal that nobody reads.
  private func close(_ screen: DetachedObserver, _ view: any Observer) {
    Signals.release()
    if screen.finish() { (view as? LiveView)?.clear() }
  }

  /// What a run did below one root can't be gone on with below another.
  func requireSameRoot(_ run: RunRecord) throws(Failure) {
    guard run.root != machine.root else { return }
    throw Failure(
      .usage, what: "cannot go on with run \(run.id) here", why: "it was begun with the root \(run.root), and this is \(machine.root)",
      next: run.root == "/" ? "leave out --root (and unset KGUARD_ROOT)" : "say --root \(run.root)")
  }

  /// The newest run whose playbook can be rolled back: last night's backup is none. Where it was refused before it did anything, and an
  /// older one stands, a person has to say which is meant: nobody's writes are lost by a guess.
  func newestToRollBack(_ journal: RunJournal) throws(Failure) -> RunRecord {
    var newest: RunRecord?
    for id in try journal.runsWithWayBack() {
      guard let run = try journal.run(id) else { continue }
      guard let first = newest else {
        if try hasChangedNode(run, journal) { return run }
        newest = run
        continue
      }
      if (try? actions.stands(run, journal)) == true {
        throw Failure(
          .usage, what: "cannot tell which run to roll back",
          why: "the newest, run \(first.id) (\(first.purpose)), ended before it changed anything",
          next: "`kguard rollback \(run.id)` rolls back the one before it that did: \(run.purpose), begun \(localTime(run.created))")
      }
    }
    if let newest { return newest }
    return try findRun(nil, in: journal)
  }

  /// The run whose rollback came last and can be taken back.
  func newestToUndo(_ journal: RunJournal) throws(Failure) -> RunRecord {
    var newest: (run: RunRecord, rollback: RunID)?
    for id in try journal.runsWithWayBack() {
      guard let rollback = try journal.rollback(of: id)?.id, newest.map({ $0.rollback < rollback }) ?? true,
        try RollbackRecords.canBeUndone(id, journal), let run = try journal.run(id)
      else { continue }
      newest = (run, rollback)
    }
    if let newest { return newest.run }
    throw Failure(
      .usage, what: "there is no rollback to take back", why: "none has moved anything, or all are taken back already",
      next: "see `kguard history`")
  }

  /// It may have changed the cluster, or packages of this node, or it may yet.
  private func hasChangedNode(_ run: RunRecord, _ journal: RunJournal) throws(Failure) -> Bool {
    if run.state != .failed { return true }
    if try actions.everTouchedCluster(run, journal) { return true }
    return try journal.steps(run.id).contains { $0.action == BuiltIn.kubeadmPackage && !$0.attempts.isEmpty }
  }

  /// Before a person is asked: what a restore of etcd would lose, as far as the living etcd tells.
  func sayWhatIsLost(_ run: RunRecord, _ journal: RunJournal, etcd: String?) {
    let directory = BundleDirectory(state.bundle(run.id.text))
    guard etcd != "never", let manifest = try? BundleManifest(reading: directory) else { return }
    guard let taken = try? journal.bundles().first(where: { $0.id == run.id.text })?.created else { return }
    let age = "\(localTime(taken)), \((machine.now() - taken).forPeople) ago"
    do throws(Failure) {
      say(
        "The snapshot of this run is of \(age). If etcd is restored: "
          + (try LostPreview(since: manifest, machine, try configuration()).words) + ".\n")
    } catch {
      say("What was written since the snapshot (\(age)) cannot be told now: \(error.why). It is listed before etcd's data is exchanged.\n")
    }
  }

  private func makeView(_ stop: StopSignal) -> any Observer {
    let isVerbose = invocation.has(.verbose)
    if isJSON { return JSONView(isVerbose: isVerbose) }
    if Terminal.isTerminal(.errors), !isPlain { return LiveView(style: style, isVerbose: isVerbose, hand: .runs(stop)) }
    return PlainView(style: style, isVerbose: isVerbose)
  }

  /// Ctrl-C once: stop at the checkpoint. Twice, or SIGTERM: leave at once. A lost terminal (SIGHUP) changes nothing.
  private func receiveSignals(_ stop: StopSignal) {
    Signals.receive { number in
      switch number {
      case Signals.interrupt: stop.ask(stop.isAsked ? .now : .atCheckpoint, reason: "Ctrl-C")
      case Signals.terminate: stop.ask(.now, reason: "SIGTERM")
      default: break
      }
    }
  }

  /// A run of its own, with the playbook `undo`.
  fileprivate func undoRollback(of run: RunRecord, _ journal: RunJournal) throws(Failure) -> ExitStatus {
    if let parent = run.parent {
      throw Failure(
        .usage, what: "cannot undo a rollback of run \(run.id)", why: "it is itself the rollback, of run \(parent)",
        next: "say `kguard rollback --undo \(parent)`")
    }
    guard try RollbackRecords.canBeUndone(run.id, journal) else {
      let isStraight = try journal.rollbacks(of: run.id).isEmpty
      let why = isStraight ? "it was never rolled back" : "its rollback moved nothing, or it is taken back already"
      throw Failure(
        .usage, what: "cannot undo the rollback of run \(run.id)", why: why, next: "see `kguard show \(run.id)`")
    }
    let playbook = try playbook("undo"), inputs = ["run": run.id.text]
    var obstacle: Failure?
    do throws(Failure) {
      try actions.requireNothingOnTop(of: run, journal, what: "cannot undo the rollback of run \(run.id)")
      try actions.requireSameBase(of: run, journal)
    } catch {
      obstacle = error
    }
    if invocation.has(.dryRun) { return try showSteps(playbook, inputs, try configuration().json, behind: obstacle) }
    if let obstacle { throw obstacle }
    guard try confirm("Take the rollback of run \(run.id) back? What was written since the rollback moves aside") else {
      throw Failure(what: "nothing was changed", why: "the answer was no", next: "run the command again when you are sure")
    }
    return try start(playbook, inputs: inputs)
  }
}
