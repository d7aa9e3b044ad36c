internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// What somebody is told about a run. It carries no inputs of the playbook, no configuration and no secret.
struct RunNews: Sendable, Equatable {
  let event: Playbooks.Notification.Event
  let run: RunID
  let state: RunState
  let playbook: String
  /// The playbook, and the version that it upgrades to.
  let title: String
  let node: String
  let at: Timestamp
  let failure: Failure?
  /// A rollback of the run was carried out.
  var wasRolledBack = false
  /// What the rollback has put back: where etcd's data was left, not all of the cluster.
  var putBack = "the cluster"

  /// The same whenever the same news is sent again, so that a receiver can drop what it has seen.
  var id: String { "\(run)/\(event.rawValue)/\(state.rawValue)" }

  /// One line for people.
  var text: String {
    let outcome =
      switch (event, state) {
      case (.start, _): "has begun"
      case (.success, _): "succeeded"
      case (.rollback, .rollingBack): "is being rolled back"
      case (.rollback, .rolledBack): "is rolled back: \(putBack) is as it was"
      case (.rollback, .failed): "had changed nothing: nothing was put back"
      case (.failure, .failed) where wasRolledBack: "failed, and had changed nothing: nothing was put back"
      case (_, .needsOperator): "needs an operator"
      default: "failed"
      }
    let why = failure.map { ": \($0.what): \($0.why)" } ?? ""
    let next = failure.map { $0.next.isEmpty || event == .rollback ? "" : ". Next: \($0.next)" } ?? ""
    return fit(inOneLine("kguard on \(node): \(title) (run \(run)) \(outcome)\(why)\(next)"), 2000)
  }

  /// `text` is what chat systems (Slack, Mattermost, Teams) show.
  var json: JSON {
    [
      "text": .string(text), "id": .string(id), "event": .string(event.rawValue), "run": .string(run.text),
      "state": .string(state.rawValue), "playbook": .string(playbook), "title": .string(title), "node": .string(node),
      "at": .string(at.description), "error": failure.map { Self.short($0).json } ?? .null, "kguard": .string(kguardVersion),
    ]
  }

  /// For a command. `KGUARD_STATE` and the like are options of kguard itself, so none of these is called so.
  var environment: [String: String] {
    [
      "KGUARD_EVENT": event.rawValue, "KGUARD_EVENT_ID": id, "KGUARD_RUN": run.text, "KGUARD_RUN_STATE": state.rawValue,
      "KGUARD_RUN_PLAYBOOK": playbook, "KGUARD_NODE": node, "KGUARD_MESSAGE": text,
    ]
  }

  private static func short(_ failure: Failure) -> Failure {
    Failure(failure.exit, what: fit(failure.what, 2000), why: fit(failure.why, 8000), next: fit(failure.next, 2000))
  }
}
