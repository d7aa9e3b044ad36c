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
      if let why = try silence(run.id, wanted, journal, session) { session.say(why + "\n") }
      return .done
    })

  /// Why nothing was printed; nil where something was.
  private static func silence(_ run: RunID, _ wanted: String?, _ journal: RunJournal, _ session: Session) throws(Failure) -> String? {
    let steps = try journal.steps(run).filter { wanted == nil || $0.id == wanted }
    var ranCommand = false
    for step in steps {
      for attempt in step.attempts {
        guard let log = try Files.info(session.state.log(of: run, step: step.id, attempt: attempt.number)) else { continue }
        if log.size > 0 { return nil }
        ranCommand = true
      }
    }
    guard let wanted else { return ranCommand ? "No command of run \(run) printed anything." : "No step of run \(run) ran a command." }
    if ranCommand { return "The command of the step \(wanted) printed nothing." }
    switch steps.first?.state {
    case .pending: return "The step \(wanted) has not begun."
    case .started: return "The step \(wanted) has run no command yet."
    case .skipped: return "The step \(wanted) was skipped."
    default: return "The step \(wanted) ran no command; `kguard show \(run)` tells what it did."
    }
  }

  private static func print(_ run: RunID, _ wanted: String?, _ journal: RunJournal, _ session: Session) throws(Failure) {
    let stop = StopSignal()
    Signals.receive { number in if number != Signals.windowChanged { stop.ask(.now, reason: "") } }
    // What goes on and on is no matter for a pager.
    let pages = session.invocation.has(follow) ? nil : Pages(session)
    defer { pages?.finish() }
    let write = { (bytes: [UInt8]) in if let pages { pages.write(bytes) } else { Terminal.write(bytes, to: .output) } }
    var printed: [String: Int64] = [:]
    var cutters: [String: LineCutter] = [:]
    while true {
      guard let record = try journal.run(run) else { return }
      let goesOn = try session.invocation.has(follow) ? RunFacts(record, journal).isWorkedOn : false
      for step in try journal.steps(run) where wanted == nil || step.id == wanted {
        for attempt in step.attempts {
          let path = session.state.log(of: run, step: step.id, attempt: attempt.number)
          let title = wanted == nil || step.attempts.count > 1 ? "==> \(step.id), attempt \(attempt.number)\n" : ""
          guard session.isJSON else {
            printed[path] = try copy(path, from: printed[path] ?? 0, title: title, write)
            continue
          }
          var cutter = cutters[path] ?? LineCutter()
          func writeLine(_ line: String) {
            let json: JSON = [
              "run": .string(run.text), "step": .string(step.id), "attempt": JSON(attempt.number), "line": .string(line),
            ]
            write(Array((json.text() + "\n").utf8))
          }
          printed[path] = try copy(path, from: printed[path] ?? 0, title: "") { cutter.take($0).forEach(writeLine) }
          if !goesOn { cutter.end().map(writeLine) }
          cutters[path] = cutter
        }
      }
      guard goesOn, stop.sleep(.milliseconds(300)) else { return }
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

/// Cuts what comes in pieces into lines; one that is longer than any reader wants comes in parts.
private struct LineCutter {
  private static let longest = 1 << 20
  private var pending: [UInt8] = []

  mutating func take(_ bytes: [UInt8]) -> [String] {
    var parts = bytes.split(separator: 0x0a, omittingEmptySubsequences: false)
    let last = parts.removeLast()
    var lines: [String] = []
    for part in parts {
      lines.append(String(decoding: pending + part, as: UTF8.self))
      pending = []
    }
    pending += last
    if pending.count > Self.longest, let line = end() { lines.append(line) }
    return lines
  }

  /// What has come of a line that has no end.
  mutating func end() -> String? {
    defer { pending = [] }
    return pending.isEmpty ? nil : String(decoding: pending, as: UTF8.self)
  }
}
