internal import Engine
internal import Host
internal import Journal
internal import Model

/// `kguard logs RUN [STEP]`: what the commands of a run printed.
enum LogsCommand {
  static let follow = OptionSpec("--follow", short: "-f", "keep printing while the run goes on")

  static let spec = CommandSpec(
    name: "logs", summary: "print what the commands of a run printed",
    arguments: [
      ArgumentSpec("RUN", "the run, or the end of its id, or `last` (default: the newest)", isOptional: true),
      ArgumentSpec("STEP", "only this step", isOptional: true),
    ], options: [follow, .noPager],
    examples: [.init("kguard logs last apply", "what kubeadm said"), .init("kguard logs -f", "follow the run that goes on")],
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      guard let journal = try session.readJournal() else { throw StatusCommand.noRuns(session) }
      let run = try session.findRun(invocation.arguments["RUN"], in: journal)
      let wanted = invocation.arguments["STEP"]
      let ids = try journal.steps(run.id).map(\.id)
      if let wanted, !ids.contains(wanted) {
        throw Failure(
          .usage, what: "run \(run.id) has no step `\(wanted)`",
          why: "its steps are \(ids.joined(separator: ", "))" + didYouMean(wanted, among: ids),
          next: "name one of these")
      }
      try print(run.id, wanted, journal, session)
      return .done
    })

  private static func print(_ run: RunID, _ wanted: String?, _ journal: RunJournal, _ session: Session) throws(Failure) {
    let stop = StopSignal()
    Signals.receive { number in if number != Signals.windowChanged { stop.ask(.now, reason: "") } }
    // What goes on and on is no matter for a pager.
    let pages = session.invocation.has(follow) ? nil : Pages(session)
    defer { pages?.finish() }
    let write = { (bytes: [UInt8]) in if let pages { pages.write(bytes) } else { Terminal.write(bytes, to: .output) } }
    var printed: [String: Int64] = [:]
    while true {
      guard let record = try journal.run(run) else { return }
      let isWorkedOn = try RunFacts(record, journal).isWorkedOn
      for step in try journal.steps(run) where wanted == nil || step.id == wanted {
        for attempt in step.attempts {
          let path = session.state.log(of: run, step: step.id, attempt: attempt.number)
          let title = wanted == nil || step.attempts.count > 1 ? "==> \(step.id), attempt \(attempt.number)\n" : ""
          printed[path] = try copy(path, from: printed[path] ?? 0, title: title, write)
        }
      }
      guard session.invocation.has(follow), isWorkedOn, stop.sleep(.milliseconds(300)) else { return }
    }
  }

  /// Prints a file from an offset to its present end, a bounded piece at a time.
  private static func copy(_ path: String, from start: Int64, title: String, _ write: ([UInt8]) -> Void) throws(Failure) -> Int64 {
    guard try Files.exists(path) else { return start }
    var offset = start
    while true {
      let piece = try Files.read(path, from: offset, upTo: 65536)
      if piece.isEmpty { return offset }
      if offset == 0 { write(Array(title.utf8)) }
      write(piece)
      offset += Int64(piece.count)
    }
  }
}
