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

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let ahead = ignored.isEmpty ? "" : "; failures are only warned of: \(ignored.joined(separator: ", "))"
    let command = "kguard check" + (version.map { " \($0)" } ?? "")
    let line = "\(PreflightCheck.all.count) checks of node, etcd and cluster\(ahead); `\(command)` carries them out now"
    var refusals: [String] = []
    if let target = version.flatMap({ KubernetesVersion($0) }), let now = try ControlPlane.manifestVersions(outlook.machine).values.max(),
      let obstacle = now.obstacle(to: target)
    {
      refusals.append("\(obstacle)")
    }
    return Intentions([line], refusals: refusals)
  }

  func perform(_ context: StepContext) throws(Failure) {
    let report = try runPreflight(
      context.machine, context.settings, context.state, version: version, ignoring: ignored, mayStayHere: mayStayHere)
    for check in report.warnings { context.message("warning: \(check.name): \(check.evidence)") }
    if let refusal = report.refusal { throw refusal }
    let evidence: JSON = [
      "checks": report.json, "ignored": JSON(report.checks.filter(\.isIgnored).map(\.name)), "summary": .string(report.summary),
    ]
    try Files.makeDirectory(Files.directory(of: file(context)), mode: 0o700)
    try Files.replace(file(context), with: Array((evidence.text(pretty: true) + "\n").utf8))
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    guard let text = try Files.textIfPresent(file(context)) else {
      throw Failure(what: "the preflight left no record", why: "\(file(context)) is missing", next: "run `kguard resume`")
    }
    return try JSON(parsing: text)
  }

  private func file(_ context: StepContext) -> String { context.state.directory(of: context.run) + "/preflight.json" }
}
