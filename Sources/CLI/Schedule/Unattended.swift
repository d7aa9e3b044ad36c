internal import Cluster
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks

extension Session {
  /// For a timer: what an earlier start left unfinished is finished first, if that is harmless. An upgrade waits for a person.
  func startUnattended(_ playbook: Playbook, inputs: [String: String]) throws(Failure) -> ExitStatus {
    let inputs = try playbook.resolveInputs(inputs)
    let configuration = try configuration()
    let journal = try writeJournal()
    return try carryOut(journal, takeOver: false) { (runner) throws(Failure) in
      if let unfinished = try journal.unfinishedRun() {
        guard unfinished.parent == nil, [.pending, .running, .interrupted].contains(unfinished.state), try isHarmless(unfinished, journal)
        else { throw Self.unfinished(unfinished) }
        let earlier = try runner.execute(unfinished.id)
        // Interrupted again. Where it failed for good, a new one is begun: that is what the timer is for.
        guard earlier.state.isFinal else { return earlier }
        if earlier.state == .succeeded, unfinished.playbook == playbook.name, machine.now() - unfinished.created < Self.stillFresh {
          return earlier
        }
      }
      return try runner.execute(try runner.create(playbook, inputs: inputs, config: configuration.json))
    }
  }

  /// A run that was begun this short a while ago is as good as a new one.
  private static var stillFresh: Duration { .seconds(3600) }

  /// It is made of the steps of a backup or a drill only: none can change the cluster, none is a program of somebody's own.
  private func isHarmless(_ run: RunRecord, _ journal: RunJournal) throws(Failure) -> Bool {
    let types: [any Action.Type] = [
      NodeArchiveAction.self, EtcdSnapshot.self, BundleVerify.self, EtcdDrill.self, BundleCopyAction.self, BundlePrune.self,
    ]
    let harmless = Set(types.map { $0.signature.path })
    return try journal.steps(run.id).allSatisfy { harmless.contains($0.action) }
  }

  static func unfinished(_ run: RunRecord) -> Failure {
    Failure(
      .held, what: "cannot start a new run", why: "run \(run.id) (\(run.playbook)) is \(run.state.rawValue)",
      next: "finish it first: \(run.waysOut)")
  }
}
