internal import Engine
internal import Host
internal import Journal
internal import Model

/// What is of use once a run is over: a few lines below its end. Nothing depends on them.
struct Afterwards {
  private let result: RunResult
  private let story: Story

  init?(_ result: RunResult, _ journal: RunJournal, _ state: StateDirectory, now: Timestamp) {
    guard let run = try? journal.run(result.run), let story = try? Story(run, journal, state, now: now) else { return nil }
    (self.result, self.story) = (result, story)
  }

  /// What the rollback of this run has put back.
  var putBack: String { story.putBack }

  var text: String { lines.map { $0 + "\n" }.joined() }

  private var lines: [String] {
    let run = story.run
    switch result.state {
    case .succeeded where run.playbook == "undo":
      return run.inputs["run"].map { ["The rollback of run \($0) is taken back."] } ?? []
    case .succeeded where run.rollbackName != nil:
      return [
        "`kguard report \(run.id)` tells the whole story.",
        "`kguard rollback \(run.id)` takes it back, until another upgrade changes the cluster.",
      ]
    case .rolledBack:
      var lines = story.etcdStays.map { ["What etcd holds is as it was left: \($0)."] } ?? []
      let losses = Losses(story)
      if losses?.unknown != nil {
        lines.append("What was written since the snapshot is lost, and not known: the former data cannot be read.")
      }
      if let losses, losses.count > 0, let list = losses.list {
        lines.append("\(losses.count == 1 ? "1 object was" : "\(losses.count) objects were") written since the snapshot: \(list)")
      }
      return lines + (story.undoCommand.map { ["`\($0)` takes the rollback back"] } ?? [])
    default: return []
    }
  }
}
