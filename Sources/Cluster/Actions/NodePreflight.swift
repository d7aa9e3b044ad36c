internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// `node/preflight`: refuses before anything is touched, with all reasons at once.
struct NodePreflight: Action {
  static let signature = ActionSignature(
    "node/preflight", summary: "look at the node, etcd and the cluster, and refuse before anything is touched",
    inputs: [
      .version("the version to upgrade to; left out, the node is checked as it is", isRequired: false),
      ActionInput("ignore", description: "names of checks, with commas, whose failure is only warned of"),
      ActionInput("no-offsite", .bool, description: "true: go on without a copy where no target is configured"),
    ])

  let version: String?
  let ignored: [String]
  let mayStayHere: Bool

  init(_ inputs: ActionInputs) throws(Failure) {
    version = inputs["version"].flatMap { $0.isEmpty ? nil : $0 }
    ignored = (inputs["ignore"] ?? "").split(separator: ",").map { $0.trimmed }.filter { !$0.isEmpty }
    mayStayHere = inputs.isTrue("no-offsite")
  }

  /// It changes nothing; looking is its proof.
  func perform(_ context: StepContext) throws(Failure) {}

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let report = try runPreflight(
      context.machine, context.settings, context.state, version: version, ignoring: ignored, mayStayHere: mayStayHere)
    for check in report.warnings { context.message("warning: \(check.name): \(check.evidence)") }
    if let refusal = report.refusal { throw refusal }
    return [
      "checks": report.json, "ignored": JSON(report.checks.filter(\.isIgnored).map(\.name)), "summary": .string(report.summary),
    ]
  }
}
