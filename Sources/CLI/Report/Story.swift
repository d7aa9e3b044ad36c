internal import Cluster
internal import Engine
internal import Host
internal import Journal
internal import Model

/// Everything that a report tells about a run, read once: a page and a ticket are made from the same.
struct Story {
  /// One run with its steps: the run itself, or a rollback of it.
  struct Chapter {
    let run: RunRecord
    let steps: [StepRecord]
    let events: [EventRecord]
    let artifacts: [ArtifactRecord]

    init(_ run: RunRecord, _ journal: RunJournal) throws(Failure) {
      self.run = run
      steps = try journal.steps(run.id)
      events = try journal.events(run.id)
      artifacts = try journal.artifacts(run.id).filter { $0.state != .removed }
    }

    var isRollback: Bool { run.parent != nil }

    func evidence(ofAction path: String) -> JSON? { steps.last { $0.action == path && $0.evidence != nil }?.evidence }
  }

  let facts: RunFacts
  let main: Chapter
  /// The oldest first.
  let rollbacks: [Chapter]
  let bundle: BundleRecord?
  let copies: [CopyRecord]
  let availability: AvailabilityRecord?
  private let lastEvent: Timestamp
  let state: StateDirectory
  /// When the story was read.
  let now: Timestamp

  var run: RunRecord { main.run }
  var chapters: [Chapter] { [main] + rollbacks }

  init(_ run: RunRecord, _ journal: RunJournal, _ state: StateDirectory, now: Timestamp) throws(Failure) {
    self.state = state
    self.now = now
    facts = try RunFacts(run, journal)
    main = try Chapter(run, journal)
    var rollbacks: [Chapter] = []
    for id in try journal.rollbacks(of: run.id) {
      if let record = try journal.run(id) { rollbacks.append(try Chapter(record, journal)) }
    }
    self.rollbacks = rollbacks
    lastEvent = ([main] + rollbacks).compactMap { $0.events.last?.at }.max() ?? run.created
    // A drill of an earlier bundle is about that bundle.
    let named = run.inputs["bundle"].flatMap { $0.isEmpty ? nil : $0 } ?? run.id.text
    bundle = try journal.bundles().first { $0.id == named }
    copies = try bundle.map { (bundle) throws(Failure) in try journal.copies(of: bundle.id) } ?? []
    availability = AvailabilityRecord.read(state, run.id)
  }

  /// The newest evidence that an action left, in the run or its rollbacks.
  func evidence(ofAction path: String) -> JSON? { chapters.reversed().lazy.compactMap { $0.evidence(ofAction: path) }.first }

  /// Why a rollback has put the node back and left etcd's data, where that may differ from before the run.
  var etcdStays: String? { evidence(ofAction: "cluster/verify-restored")?["etcdStays"]?.string }
  var putBack: String { etcdStays == nil ? "the cluster" : "the node" }

  /// The step at which the run stopped.
  var failedStep: StepRecord? {
    main.steps.last { $0.state == .failed && $0.error == run.error } ?? main.steps.last { $0.state == .failed }
  }

  /// The step that works now, or that was cut off.
  var openStep: StepRecord? {
    let chapter = facts.run.state == .rollingBack ? chapters.last ?? main : main
    return chapter.steps.first { $0.state == .started }
  }

  /// When something was done: each attempt's beginning and end.
  func spans(of chapter: Chapter) -> [ClosedRange<Int64>] {
    chapter.steps.flatMap { step in step.attempts.map { span(of: $0) } }
  }

  /// An attempt whose end nobody saw lasts until now where somebody works on it, else until the last that is known of the run.
  func span(of attempt: AttemptRecord) -> ClosedRange<Int64> {
    let begin = attempt.started.milliseconds
    let end = (attempt.ended ?? (facts.isWorkedOn ? now : lastEvent)).milliseconds
    return begin...max(begin, end)
  }
}

/// What a rollback took away, and how to have it again.
struct Losses {
  /// `ConfigMap demo/late`, some of them.
  let names: [String]
  let count: Int64
  /// Objects that those who live in the cluster write all the time, and write again.
  let restless: Int64
  /// The file that lists them all.
  let list: String?
  /// Why nobody can tell.
  let unknown: String?

  static let most = 50

  /// Nil where nothing was exchanged, or what was is taken back.
  init?(_ story: Story) {
    let isExchanged = story.rollbacks.contains { rollback in rollback.artifacts.contains { $0.kind == "etcd-restored" } }
    guard isExchanged || !story.run.state.isFinal else { return nil }
    let restored = story.evidence(ofAction: "cluster/verify-restored")?["lost"]
    guard let lost = restored ?? story.evidence(ofAction: "etcd/rescue")?["lost"] else { return nil }
    let all = (lost["names"]?.array ?? []).compactMap(\.string)
    names = Array(all.prefix(Self.most))
    count = max(lost["objects"]?.int ?? 0, Int64(all.count))
    restless = lost["restless"]?.int ?? 0
    list = lost["list"]?.string
    unknown = lost["unknown"]?.string
  }
}
