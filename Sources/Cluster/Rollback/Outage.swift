internal import Engine
internal import Host
internal import Model

/// How long each phase of a rollback took, from its first beginning to its last end, crashes and pauses between included.
struct Outage {
  enum Phase: String, CaseIterable { case stop, swap, files, start, verify }

  /// Of earlier rollbacks that ended half way, the oldest first, and of this one.
  private let parts: [JSON]

  /// `together`: the rollbacks of the same run that moved something, this one among them.
  init(_ context: StepContext, together rollbacks: [RunID] = []) throws(Failure) {
    var parts: [JSON] = []
    for run in rollbacks.filter({ $0 != context.run }) + [context.run] { parts.append(try Self.read(context, run)) }
    self.parts = parts
  }

  static func begin(_ phase: Phase, _ context: StepContext) throws(Failure) {
    var record = try read(context, context.run)
    if record[phase.rawValue] != nil { return }
    record[phase.rawValue] = ["began": .int(context.machine.now().milliseconds)]
    try save(record, context)
  }

  static func end(_ phase: Phase, _ context: StepContext) throws(Failure) {
    var record = try read(context, context.run)
    guard let began = record.at(phase.rawValue, "began")?.int else { return }
    let now = context.machine.now().milliseconds
    record[phase.rawValue] = ["began": .int(began), "ended": .int(now), "milliseconds": .int(max(0, now &- began))]
    try save(record, context)
  }

  private static func path(_ context: StepContext, _ run: RunID) -> String { context.state.directory(of: run) + "/outage.json" }

  private static func read(_ context: StepContext, _ run: RunID) throws(Failure) -> JSON {
    guard let text = try Files.textIfPresent(path(context, run)), let found = try? JSON(parsing: text) else { return [:] }
    return found
  }

  private static func save(_ record: JSON, _ context: StepContext) throws(Failure) {
    try Files.makeDirectory(context.state.directory(of: context.run), mode: 0o700)
    try Files.replace(path(context, context.run), with: Array(record.text(pretty: true).utf8))
  }

  func milliseconds(_ phase: Phase) -> Int64? {
    let all = parts.compactMap { $0.at(phase.rawValue, "milliseconds")?.int }
    return all.isEmpty ? nil : all.reduce(0, &+)
  }

  /// From the first manifest that was moved out until the API server was ready again, each time.
  var total: Int64? {
    var (sum, open): (Int64?, Int64?) = (nil, nil)
    for part in parts {
      open = open ?? part.at("stop", "began")?.int
      guard let began = open, let ended = part.at("start", "ended")?.int else { continue }
      sum = (sum ?? 0) &+ max(0, ended &- began)
      open = nil
    }
    return sum
  }

  /// Milliseconds by phase.
  var split: JSON {
    var members = JSON.Members()
    for phase in Phase.allCases { members[phase.rawValue] = milliseconds(phase).map { .int($0) } }
    members["outage"] = total.map { .int($0) }
    return .object(members)
  }
}
