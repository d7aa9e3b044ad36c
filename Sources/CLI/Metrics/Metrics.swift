internal import Bundles
internal import Cluster
internal import Journal
internal import Model
internal import Playbooks

/// What a monitoring system is told. All of it is read from the journal, so it is as true after a crash as before.
enum Metrics {
  /// `targets`: where bundles go by the configuration of today; a target that is gone from it raises no alarm any more.
  static func text(_ journal: RunJournal?, targets: [String]) throws(Failure) -> String {
    var out = MetricText()
    out.gauge("kguard_build_info", "The kguard that wrote these metrics; the value is always 1.", [.init([("version", kguardVersion)], 1)])
    guard let journal else { return out.text }
    try runs(journal, &out)
    try bundles(journal, targets, &out)
    return out.text
  }

  private static func runs(_ journal: RunJournal, _ out: inout MetricText) throws(Failure) {
    let runs = try journal.newestRuns()
    out.gauge(
      "kguard_run_last_success_timestamp_seconds", "When a run of the playbook last succeeded.",
      try journal.lastSuccesses().map { .init([("playbook", $0.playbook)], $0.ended) })
    out.gauge(
      "kguard_run_start_timestamp_seconds", "When the newest run of the playbook was begun.",
      runs.map { .init([("playbook", $0.playbook)], $0.started ?? $0.created) })
    out.gauge(
      "kguard_run_duration_seconds", "How long the newest run of the playbook took, from its beginning to its end.",
      runs.compactMap { run in
        guard let ended = run.ended else { return nil }
        return .init([("playbook", run.playbook)], (ended - (run.started ?? run.created)).inSeconds)
      })
    out.gauge(
      "kguard_run_state", "The state of the newest run of the playbook: 1 for the state that it is in, 0 for the others.",
      runs.flatMap { run in
        RunState.allCases.map { .init([("playbook", run.playbook), ("state", $0.rawValue)], $0 == run.state ? 1 : 0) }
      })
    var states: [MetricText.Sample] = []
    var durations: [MetricText.Sample] = []
    for run in runs {
      for step in try journal.steps(run.id) {
        states.append(.init([("playbook", run.playbook), ("step", step.id), ("state", step.state.rawValue)], 1))
        let taken = step.attempts.last?.duration ?? step.ended.flatMap { ended in step.started.map { ended - $0 } }
        if let taken { durations.append(.init([("playbook", run.playbook), ("step", step.id)], taken.inSeconds)) }
      }
    }
    out.gauge("kguard_step_state", "The state that each step of the playbook's newest run is in; the value is always 1.", states)
    out.gauge("kguard_step_duration_seconds", "How long each step of the playbook's newest run took.", durations)
  }

  private static func bundles(_ journal: RunJournal, _ targets: [String], _ out: inout MetricText) throws(Failure) {
    let all = try journal.bundles()
    var copies: [CopyRecord] = []
    for bundle in all { copies += try journal.copies(of: bundle.id) }
    out.gauge("kguard_bundles", "How many bundles there are on this node.", [.init([], Double(all.count { $0.removed == nil }))])
    if let found = try NewestBundle(journal) {
      let newest = found.record
      let manifest = newest.manifest
      out.gauge("kguard_bundle_timestamp_seconds", "When the newest bundle was taken.", [.init([], found.taken)])
      out.gauge(
        "kguard_bundle_size_bytes", "The size of the newest bundle's snapshot.",
        [.init([], Double(manifest.at("snapshot", "fileSize")?.int ?? 0))])
      out.gauge(
        "kguard_bundle_revision", "The revision of etcd that the newest bundle holds.",
        [.init([], Double(manifest.at("snapshot", "revision")?.int ?? 0))])
      out.gauge(
        "kguard_bundle_keys", "How many live keys the newest bundle holds.",
        [.init([], Double(manifest.at("snapshot", "liveKeys")?.int ?? 0))])
      out.gauge(
        "kguard_bundle_verified", "Whether every page and record of the newest bundle was read and found sound.",
        [.init([], newest.verified == nil ? 0 : 1)])
      out.gauge(
        "kguard_bundle_drilled", "Whether the newest bundle was restored and booted once.", [.init([], newest.drilled == nil ? 0 : 1)])
      out.gauge(
        "kguard_bundle_offsite_copies", "At how many off-site targets the newest bundle lies whole, read back.",
        [.init([], Double(found.targets.count))])
    }
    let drills = all.filter { $0.drilled != nil }.sorted { ($0.drilled ?? $0.created) > ($1.drilled ?? $1.created) }
    if let last = drills.first, let time = last.drilled {
      out.gauge("kguard_drill_timestamp_seconds", "When a bundle was last restored and booted.", [.init([], time)])
      var milliseconds: Int64 = 0
      for (_, part) in last.drill?["milliseconds"]?.object?.pairs ?? [] { milliseconds &+= max(0, part.int ?? 0) }
      if milliseconds > 0 {
        out.gauge("kguard_drill_duration_seconds", "How long that drill took.", [.init([], Double(milliseconds) / 1000)])
      }
    }
    let readBack = Dictionary(grouping: copies.filter { $0.verified != nil && targets.contains($0.target) }, by: \.target)
    out.gauge(
      "kguard_read_back_timestamp_seconds", "When a copy at the off-site target was last read back and found the same.",
      readBack.sorted { $0.key < $1.key }.compactMap { target, copies in
        copies.compactMap(\.verified).max().map { .init([("target", target)], $0) }
      })
  }
}
