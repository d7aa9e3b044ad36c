internal import Journal
public import Model

extension Runner {
  /// Gives a run up: nothing goes on with it any more, and nothing is put back. A command that it left behind is waited for first. Needs
  /// no playbook, so that a run of another kguard can be given up too.
  public func abandon(_ id: RunID) throws(Failure) -> RunResult {
    var runs = [try record(id)]
    if let rollback = try journal.rollback(of: id), !rollback.state.isFinal { runs.insert(rollback, at: 0) }
    var failure: Failure?
    for run in runs {
      guard let open = try openSteps(of: run) else {
        return RunResult(run: id, state: run.state, exit: .interrupted, failure: Self.stillRuns(resume: run))
      }
      try close(open, of: run, cutShortBy: "a person, who gave the run up")
      failure = Failure(
        what: "run \(run.id) was given up", why: "a person wanted no more of it",
        next: run.wayBack.map { "where it has changed the cluster, `kguard rollback \($0)` puts it back" } ?? "start anew when you want to")
      _ = try finish(run, .abandon, failure, exit: .done)
    }
    return RunResult(run: id, state: .failed, exit: .done, failure: failure)
  }
}
