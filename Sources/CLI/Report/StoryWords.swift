internal import Engine
internal import Cluster
internal import Host
internal import Journal
internal import Model

/// The sentences of a story, for a page and for a ticket.
extension Story {
  /// What was wanted: `upgrade v1.28.0`.
  var title: String { facts.title }

  /// `The upgrade to v1.28.0`, `The run of nightly`.
  private var subject: String {
    switch run.playbook {
    case "upgrade": "The upgrade" + (run.inputs["version"].map { " to \($0)" } ?? "")
    case "backup", "drill", "rollback", "undo": "The \(run.playbook)"
    default: "The run of the playbook \(run.playbook)"
    }
  }

  /// How it ended, in a sentence or two.
  var outcome: String {
    let took = run.ended.map { " after \(($0 - run.created).forPeople)" } ?? ""
    let cause = failedStep.map { " at the step \($0.id)" } ?? ""
    switch run.state {
    case .succeeded:
      let failed = main.steps.filter { $0.state == .failed }.map(\.id)
      let though =
        failed.isEmpty
        ? "" : ", though \(failed.count == 1 ? "the step \(failed[0])" : "\(failed.count) steps") failed, as the playbook allows"
      return "\(subject) succeeded\(run.ended.map { " in \(($0 - run.created).forPeople)" } ?? "")\(though). \(sentence(lastWords))"
    case .failed where rollbacks.isEmpty: return "\(subject) was given up\(took)\(cause), and nothing of the cluster was changed."
    case .failed: return "\(subject) failed\(cause). Nothing of the cluster had changed: nothing was restored, and no write was lost."
    case .rolledBack:
      let how = run.error == nil ? "was rolled back, as asked" : "failed\(cause) and was rolled back"
      if let undo = facts.undo {
        return "\(subject) \(how); run \(undo) took the rollback back: the cluster is as it was before that rollback."
      }
      if let etcdStays { return "\(subject) \(how): the node is as it was before the run. \(sentence(etcdStays))" }
      return "\(subject) \(how): the cluster is as it was before the run. \(lossSentence)"
    case .needsOperator: return "\(subject) stopped\(cause) and needs an operator. \(sentence(run.error?.next ?? ""))"
    case .interrupted: return "\(subject) was interrupted\(openWords); \(progressWords). `kguard resume` goes on."
    case .pending: return "\(subject) has not begun yet."
    case .running where facts.isWorkedOn: return "\(subject) is under way\(openWords); \(progressWords)."
    case .rollingBack where facts.isWorkedOn: return "\(subject) failed\(cause) and is being rolled back\(openWords)."
    case .running, .rollingBack:
      return "\(subject) was cut off\(openWords): the kguard that worked on it is gone. `kguard resume` goes on."
    }
  }

  /// In a word or two, beside the sign.
  var verdict: String {
    switch run.state {
    case .succeeded: "succeeded"
    case .failed: "failed, nothing changed"
    case .rolledBack: facts.undo == nil ? "rolled back" : "rolled back, then taken back"
    case .needsOperator: "needs an operator"
    case .interrupted: "interrupted"
    case .pending: "not begun"
    case .running: facts.isWorkedOn ? "running" : "cut off"
    case .rollingBack: facts.isWorkedOn ? "rolling back" : "cut off in the rollback"
    }
  }

  private var openWords: String { openStep.map { " in the step \($0.id)" } ?? "" }
  private var progressWords: String { "\(main.steps.count(where: \.state.isDone)) of \(main.steps.count) steps are done" }
  private var lastWords: String {
    let telling =
      main.steps.last { $0.action == "cluster/verify" && $0.evidence != nil }
      ?? main.steps.last { $0.evidence?["summary"] != nil && $0.action != "bundle/prune" }
    return telling.map { Words.summary($0.evidence) } ?? ""
  }

  private var lossSentence: String {
    guard let losses = Losses(self) else { return "" }
    if losses.unknown != nil { return "What was written since the snapshot is not known." }
    switch losses.count {
    case 0: return "No object that was written since the snapshot was lost."
    case 1: return "One object that was written since the snapshot was lost."
    default: return "\(losses.count) objects that were written since the snapshot were lost."
    }
  }

  private func sentence(_ words: String) -> String {
    guard let first = words.first else { return "" }
    return first.uppercased() + words.dropFirst() + (words.hasSuffix(".") ? "" : ".")
  }

  /// What a person could type now, and what for.
  var next: [NextStep] { facts.next }

  /// Label and value, as the head of the page has them.
  var head: [(String, String)] {
    var rows = [("Run", run.id.text), ("What", title), ("State", run.state.rawValue), ("Begun", localTime(run.created))]
    if let ended = run.ended { rows.append(("Ended", "\(localTime(ended)), \((ended - run.created).forPeople) later")) }
    for rollback in rollbacks {
      let ended = rollback.run.ended.map { ", \(($0 - rollback.run.created).forPeople)" } ?? ""
      rows.append(("Rolled back by", "run \(rollback.run.id), \(rollback.run.state.rawValue), \(localTime(rollback.run.created))\(ended)"))
    }
    if let node = evidence(ofAction: "cluster/baseline")?["node"]?.string { rows.append(("Node", node)) }
    if run.root != "/" { rows.append(("Host root", run.root)) }
    let asked = Words.inputs(run.inputs).filter { $0 != run.inputs["version"] }
    if !asked.isEmpty { rows.append(("Asked for", asked.joined(separator: ", "))) }
    rows.append(("Playbook", run.playbookFile))
    rows.append(("kguard", run.kguard))
    return rows
  }

  /// How long the API server was away, and by whose word.
  var availabilityWords: String? {
    guard let availability else {
      guard
        let away = chapters.lazy.compactMap({ $0.evidence(ofAction: "cluster/verify-restored")?.at("milliseconds", "outage")?.int }).last
      else { return nil }
      return "From the first manifest that was moved out until the API server was ready again: \(Duration.milliseconds(away).forPeople)."
    }
    return Self.words(availability)
  }

  static func words(_ availability: AvailabilityRecord) -> String {
    let isOut = availability.spans.last?.answer == .down
    guard availability.samples > 1 else { return "The API server was asked once, and \(isOut ? "did not answer" : "answered")." }
    let blind = AvailabilityRecord.blind(availability.unobserved)
    let asked = "It was asked \(availability.samples) times, once a second\(blind)."
    let outages = availability.outages
    if outages.isEmpty { return "The API server answered \(blind.isEmpty ? "all the time" : "whenever it was asked"). \(asked)" }
    // Of the last sample nobody knows for how long it holds.
    if availability.outage == .zero {
      return "The API server did not answer \(outages.count == 1 ? "once" : "\(outages.count) times"), for how long is not known. \(asked)"
    }
    let count = outages.count == 1 ? "" : " in \(outages.count) outages, the longest \((outages.map(\.length).max() ?? .zero).forPeople)"
    let end = isOut ? " It was away when it was asked last." : ""
    return "The API server was away for \(availability.outage.forPeople)\(count).\(end) \(asked)"
  }

  /// Where everything lies: what it is, and its path or address.
  var places: [(String, String)] {
    var rows: [(String, String)] = []
    if let bundle {
      rows.append(("Bundle \(bundle.id)", bundle.removed.map { "removed from here \(localTime($0))" } ?? bundle.directory))
      for (target, files) in Dictionary(grouping: copies, by: \.target).sorted(by: { $0.key < $1.key }) {
        let there = files.filter { $0.removed == nil }
        let isRead = !there.isEmpty && there.allSatisfy { $0.verified != nil }
        rows.append(("Off-site copy", target + (there.isEmpty ? " (removed)" : isRead ? ", read back and compared" : ", not read back")))
      }
    }
    for chapter in chapters {
      for artifact in chapter.artifacts.prefix(Self.mostPlaces) {
        let from = artifact.detail["from"]?.string.map { " (from \($0))" } ?? ""
        rows.append((Self.kind(artifact), artifact.path + from + (artifact.state == .planned ? ", planned only" : "")))
      }
      if chapter.artifacts.count > Self.mostPlaces {
        rows.append(("and \(chapter.artifacts.count - Self.mostPlaces) more", "`kguard show \(chapter.run.id)`"))
      }
      rows.append(("Logs of run \(chapter.run.id)", state.directory(of: chapter.run.id)))
    }
    if let list = Losses(self)?.list { rows.append(("All that was lost", list)) }
    rows.append(("Journal", state.path + "/kguard.db"))
    return rows
  }

  static let mostPlaces = 60

  private static func kind(_ artifact: ArtifactRecord) -> String {
    let words = artifact.kind.split(separator: "-").joined(separator: " ")
    return words.prefix(1).uppercased() + words.dropFirst()
  }

  /// What takes the rollback back.
  var undoCommand: String? {
    guard run.state == .rolledBack, facts.undo == nil, rollbacks.contains(where: { !$0.artifacts.isEmpty }) else { return nil }
    return "kguard rollback --undo \(run.id)"
  }
}
