internal import Engine
internal import Host
internal import Model

/// How long each phase of a rollback took, from its first beginning to its last end, crashes and pauses between included.
struct Outage {
  enum Phase: String, CaseIterable { case stop, swap, files, start, verify }

  private var json: JSON
  private let path: String

  init(_ context: StepContext) throws(Failure) {
    path = context.state.directory(of: context.run) + "/outage.json"
    json = [:]
    if let text = try Files.textIfPresent(path), let found = try? JSON(parsing: text) { json = found }
  }

  static func begin(_ phase: Phase, _ context: StepContext) throws(Failure) {
    var outage = try Outage(context)
    if outage.json[phase.rawValue] != nil { return }
    outage.json[phase.rawValue] = ["began": .int(context.machine.now().milliseconds)]
    try outage.save(context)
  }

  static func end(_ phase: Phase, _ context: StepContext) throws(Failure) {
    var outage = try Outage(context)
    guard let began = outage.json.at(phase.rawValue, "began")?.int else { return }
    let now = context.machine.now().milliseconds
    outage.json[phase.rawValue] = ["began": .int(began), "ended": .int(now), "milliseconds": .int(max(0, now &- began))]
    try outage.save(context)
  }

  private func save(_ context: StepContext) throws(Failure) {
    try Files.makeDirectory(context.state.directory(of: context.run), mode: 0o700)
    try Files.replace(path, with: Array(json.text(pretty: true).utf8))
  }

  func milliseconds(_ phase: Phase) -> Int64? { json.at(phase.rawValue, "milliseconds")?.int }

  /// From the first manifest that was moved out until the API server was ready again.
  var total: Int64? {
    guard let began = json.at("stop", "began")?.int, let ended = json.at("start", "ended")?.int else { return nil }
    return max(0, ended &- began)
  }

  /// Milliseconds by phase.
  var split: JSON {
    var members = JSON.Members()
    for phase in Phase.allCases { members[phase.rawValue] = milliseconds(phase).map { .int($0) } }
    members["outage"] = total.map { .int($0) }
    return .object(members)
  }
}
