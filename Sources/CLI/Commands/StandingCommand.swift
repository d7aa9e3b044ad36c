internal import Bundles
internal import Cluster
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// `kguard` alone: where things stand, and what to do next.
enum StandingCommand {
  static func run(_ session: Session) throws(Failure) -> ExitStatus {
    var facts: RunFacts?
    var bundle: NewestBundle?
    if let journal = try session.readJournal() {
      facts = try journal.currentRun().map { (run) throws(Failure) in try RunFacts(run, journal) }
      bundle = try NewestBundle(journal)
    }
    let configuration = session.invocation.value(.config) ?? session.machine.locate(Configuration.usualPath)
    let isConfigured = try Files.exists(configuration)
    let next = facts?.next ?? first(isConfigured ? nil : configuration)
    if session.isJSON {
      session.printJSON([
        "run": facts?.json ?? .null, "bundle": bundle?.json ?? .null, "configured": .bool(isConfigured), "next": .array(next.map(\.json)),
      ])
      return .done
    }
    var text = "No run yet: the journal in \(session.state.path) is empty.\n"
    if let facts { text = facts.sentence(session.outputStyle) + "\n" }
    if let bundle { text += bundle.sentence(at: session.machine.now()) + "\n" }
    if let run = facts?.run, let error = run.error, [.failed, .needsOperator].contains(run.state) {
      text += session.outputStyle.failure(error)
    }
    session.print(prose(text, .output) + NextStep.text(next))
    return .done
  }

  /// On a node that kguard has not seen yet. `missing`: the configuration that is not there.
  private static func first(_ missing: String?) -> [NextStep] {
    let toConfigure = [
      NextStep("kguard key new FILE", "to make a key, whose FILE you keep off this node"),
      NextStep("edit config.yaml", "to say in \(missing ?? "") where bundles go, and the public half of the key"),
    ]
    return (missing == nil ? [] : toConfigure) + [
      NextStep("kguard check VERSION", "to see whether this node could be upgraded"),
      NextStep("kguard upgrade VERSION", "to upgrade it"), NextStep("kguard --help", "for everything else"),
    ]
  }
}

/// What a person would type now, and what for.
struct NextStep: Equatable {
  let command: String
  let why: String

  init(_ command: String, _ why: String) {
    self.command = command
    self.why = why
  }

  var json: JSON { ["command": .string(command), "why": .string(why)] }

  static func text(_ steps: [NextStep]) -> String {
    "Next:\n" + table(steps.map { ["  " + padded($0.command, 18), $0.why] }, within: Terminal.size(.output)?.columns)
  }
}

/// The bundle that was taken last, of those that are here or off-site: one that was pulled back today may be old.
struct NewestBundle {
  let record: BundleRecord
  let taken: Timestamp
  /// Where it lies off-site, whole and read back.
  let targets: [String]

  init?(_ journal: RunJournal) throws(Failure) {
    var newest: NewestBundle?
    for record in try journal.bundles() {
      let targets = record.targets(wholeIn: try journal.copies(of: record.id)).sorted()
      let taken = bundleTime(record.manifest) ?? record.created
      // One that is neither here nor anywhere else is none.
      guard record.removed == nil || !targets.isEmpty, newest.map({ $0.taken < taken }) ?? true else { continue }
      newest = NewestBundle(record: record, taken: taken, targets: targets)
    }
    guard let newest else { return nil }
    self = newest
  }

  private init(record: BundleRecord, taken: Timestamp, targets: [String]) {
    (self.record, self.taken, self.targets) = (record, taken, targets)
  }

  func sentence(at now: Timestamp) -> String {
    let parts = [
      record.verified == nil ? "not verified" : "verified", record.drilled == nil ? "not drilled" : "drilled",
      record.removed == nil ? nil : "no longer on this node",
      targets.isEmpty ? "not off-site" : "off-site at \(targets.count == 1 ? "one target" : "\(targets.count) targets")",
    ]
    return "The newest bundle, \(record.id), is \((now - taken).forPeople) old: \(parts.compactMap { $0 }.joined(separator: ", "))."
  }

  var json: JSON {
    [
      "bundle": .string(record.id), "taken": .string(taken.description), "verified": JSON(record.verified?.description),
      "drilled": JSON(record.drilled?.description), "removed": JSON(record.removed?.description), "targets": JSON(targets),
    ]
  }
}
