public import Host
public import Journal
public import Model
internal import Playbooks

/// What a step may use while it works. For the engine's thread.
public final class StepContext: StepSight {
  public let machine: any Machine
  public let state: StateDirectory
  public let run: RunID
  public let step: String
  public let attempt: Int
  public let configuration: JSON
  public let stop: StopSignal
  /// Measured with `monotonicNow`; nil: no limit.
  public let deadline: Duration?
  /// True where an earlier process began this step.
  public let isResume: Bool
  /// What became of the command of this step, where `isResume`.
  public let previousChild: PreviousChild
  /// The run that this run rolls back.
  public let parent: RunID?

  /// The supervisor was killed while it had a command of this attempt.
  private(set) var lostChild = false

  let stopping: Stopping
  public let journal: RunJournal
  public var records: RunJournal? { journal }
  let supervisor: Supervisor
  let observer: (any Observer)?
  private let pace = ProgressPace()
  let engine: Runner
  private let evidence: [String: JSON]

  init(
    engine: Runner, run: RunRecord, step: String, attempt: Int, timeout: Duration?, stopping: Stopping, evidence: [String: JSON],
    previousChild: PreviousChild?
  ) {
    self.engine = engine
    machine = engine.machine
    state = engine.state
    journal = engine.journal
    supervisor = engine.supervisor
    observer = engine.observer
    stop = engine.stop
    self.run = run.id
    parent = run.parent
    configuration = run.config
    self.step = step
    self.attempt = attempt
    self.stopping = stopping
    deadline = timeout.map { monotonicNow() + $0 }
    isResume = previousChild != nil
    self.previousChild = previousChild ?? .none
    self.evidence = evidence
  }

  /// This attempt's own directory under the state directory.
  public var directory: String { state.directory(of: run, step: step, attempt: attempt) }

  public func evidence(of step: String) -> JSON? { evidence[step] }

  public func progress(_ progress: Progress) {
    if pace.isDue(progress) { observer?.notice(.progress(run, step: step, progress)) }
  }
  /// The same for a thread of its own.
  public var progressFromAnywhere: @Sendable (Progress) -> Void {
    let (observer, run, step, pace) = (observer, run, step, pace)
    return { if pace.isDue($0) { observer?.notice(.progress(run, step: step, $0)) } }
  }
  public func phase(_ text: String) { observer?.notice(.phase(run, step: step, text)) }
  public func message(_ text: String) { observer?.notice(.message(run, step: step, text)) }
  /// The same for a thread of its own.
  public var messageFromAnywhere: @Sendable (String) -> Void {
    let (observer, run, step) = (observer, run, step)
    return { observer?.notice(.message(run, step: step, $0)) }
  }

  /// Called now and then by long work: throws where it is cancelled or its time is up.
  public func checkpoint() throws(Failure) {
    let level = stop.current
    if level == .now || (level == .atCheckpoint && stopping == .cancels) { throw interrupted }
    if let deadline, monotonicNow() >= deadline {
      throw Failure(
        what: "the step \(step) was given up", why: "its time limit is up", next: "raise `timeout:` of the step, or find out why it is slow"
      )
    }
  }

  /// Waits; throws where it is cancelled or its time is up.
  public func sleep(_ time: Duration) throws(Failure) {
    _ = stop.sleep(time, until: stopping == .cancels ? .atCheckpoint : .now)
    try checkpoint()
  }

  var interrupted: Failure {
    Failure(
      .interrupted, what: "the step \(step) was interrupted", why: stop.reason.isEmpty ? "it was asked to stop" : stop.reason,
      next: "run `kguard resume \(run)` to go on")
  }

  /// Records a path that the step is about to make or to move something to, and later that it is there, or gone.
  public func artifact(_ kind: String, _ path: String, _ state: ArtifactRecord.State, detail: JSON = [:]) throws(Failure) {
    try journal.artifact(run, step: step, kind: kind, path: path, detail: detail, state, at: machine.now())
  }

  public func parentMayHaveChangedCluster() throws(Failure) -> Bool {
    guard let parent else { return true }
    return try engine.actions.everTouchedCluster(try engine.record(parent), journal)
  }

  /// Runs a command of the host under the supervisor: it survives kguard, its output goes to the attempt's log. `each` sees its lines.
  public func supervise(
    _ argv: [String], environment: [String: String] = [:], each: (String) -> Void = { _ in }
  ) throws(Failure) -> ChildEnd {
    let executable = try machine.require(program: argv.first ?? "")
    let command = Command(argv, environment: machine.childEnvironment.merging(environment) { $1 })
    try Files.makeDirectory(directory, mode: 0o700)
    let request = ChildRequest(
      executable: executable, command: command, attemptDirectory: directory,
      timeout: deadline.map { max(.milliseconds(1), $0 - monotonicNow()) })
    var output = OutputTail(state.log(of: run, step: step, attempt: attempt))
    func show(_ line: String) {
      each(line)
      observer?.notice(.output(run, step: step, line))
    }
    let outcome = try supervisor.run(request) {
      output.read(show)
      switch stop.current {
      case .now: return .leave
      case .atCheckpoint: return stopping == .cancels ? .end : .goOn
      case .none: return .goOn
      }
    }
    output.read(show)
    switch outcome {
    case .ended(let end):
      if end.stopped { throw interrupted }
      return end
    case .leftRunning:
      var failure = interrupted
      failure.why = "the command goes on by itself"
      failure.next = "run `kguard resume \(run)`: it waits for the command and goes on"
      throw failure
    case .unknown:
      lostChild = true
      throw Failure(
        what: "the end of `\(argv.joined(separator: " "))` is not known", why: "its supervisor was killed",
        next: "look at its log with `kguard logs \(run) \(step)`", isTransient: true)
    }
  }
}

/// Follows a log file and gives its lines as they come, at most 64 KiB a look.
private struct OutputTail {
  private let path: String
  private var offset: Int64 = 0
  private var partial = ""

  init(_ path: String) { self.path = path }

  mutating func read(_ each: (String) -> Void) {
    guard let chunk = try? Files.read(path, from: offset, upTo: 65536), !chunk.isEmpty else { return }
    offset += Int64(chunk.count)
    let text = partial + String(decoding: chunk, as: UTF8.self)
    var lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }
    partial = String((lines.popLast() ?? "").suffix(4096))
    for line in lines where !line.isEmpty { each(String(line.prefix(4096))) }
  }
}
