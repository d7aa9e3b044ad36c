internal import Host
internal import Model
internal import Playbooks

/// `kguard metrics`
enum MetricsCommand {
  static let spec = CommandSpec(
    name: "metrics", summary: "print metrics of runs and bundles, in Prometheus' text format",
    details: """
      With `metrics: {textfile: DIR}` in the configuration every run keeps DIR/kguard.prom up to date for node_exporter; then this \
      command is not needed.
      """,
    examples: [.init("kguard metrics", "what a run would write")],
    run: { (invocation) throws(Failure) in
      let session = try Session(invocation)
      let targets = try session.configuration().offsite.map(\.url)
      let text = try Metrics.text(try session.readJournal(), targets: targets)
      if session.isJSON { session.printJSON(["text": .string(text)]) } else { session.print(text) }
      return .done
    })
}
