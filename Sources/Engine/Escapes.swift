internal import Host
internal import Journal
internal import Model
internal import Playbooks

extension Runner {
  /// Writes something down; where the disk is full, at the cost of the reserve.
  @discardableResult
  func write<T>(_ body: () throws(Failure) -> T) throws(Failure) -> T { try reserve.spend(body) }

  /// Why a step of this run must not begin: nobody could write down how it ends. A rollback goes on all the same.
  func shortage(_ run: RunRecord) -> Failure? {
    do throws(Failure) {
      try reserve.ensure()
      return nil
    } catch {
      return run.parent == nil ? error : nil
    }
  }

  /// A failure of the engine itself (the journal cannot be written, say) belongs to no step. The run stays as it is, to be resumed; and
  /// where the cluster may have been changed, no such failure ends as "nothing was changed".
  func answering(for before: RunRecord, _ body: () throws(Failure) -> RunResult) throws(Failure) -> RunResult {
    let escaped: Failure
    do throws(Failure) {
      return try body()
    } catch {
      escaped = error
    }
    // Another kguard has the node: nothing may be said of a run that is not ours any more.
    if escaped.exit == .held { throw escaped }
    let run = (try? record(before.id)) ?? before
    if run.state.isFinal { throw escaped }
    let isTouched = run.state == .rollingBack || run.state == .needsOperator || mayHaveTouched(run)
    if !isTouched && escaped.exit == .usage { throw escaped }
    var failure = escaped
    if failure.exit != .interrupted { failure.exit = isTouched ? .needsOperator : .interrupted }
    let resume = "`kguard resume \(run.parent ?? run.id)`"
    if !failure.next.contains("kguard resume") { failure.next += (failure.next.isEmpty ? "" : "; then ") + "run \(resume) to go on" }
    var state = run.state
    if state == .running {
      state = (try? write { () throws(Failure) in try journal.record(run.id, .interrupt, error: failure, at: machine.now()) }) ?? state
    }
    observer?.notice(.runEnded(run.id, state, failure))
    return RunResult(run: run.id, state: state, exit: failure.exit, failure: failure)
  }

  /// Where nobody can say, it may.
  private func mayHaveTouched(_ run: RunRecord) -> Bool {
    do throws(Failure) { return try touchedCluster(run, try actions.playbook(of: run)) } catch { return true }
  }
}
