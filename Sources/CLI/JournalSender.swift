internal import Cluster
internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks
internal import Synchronization

/// Sends the journal off-site after every checkpoint of a run whose bundle is there, on a thread of its own: a target that hangs or is
/// away delays and fails nothing. It sends what the journal holds now; checkpoints that come meanwhile are one more sending.
final class JournalSender: Observer {
  struct Trouble: Sendable {
    let run: RunID
    let target: String
    let why: String
  }
  private struct State {
    var run: RunID?
    /// Where the last sending to each target failed.
    var troubles: [String: Trouble] = [:]
    var told: Set<String> = []
    /// Where the journal is being sent just now.
    var target: String?
  }

  private let machine: LocalMachine
  private let directory: StateDirectory
  private let thread = OnDemand()
  private let state = Mutex(State())
  private let stop = StopSignal()

  init(_ machine: LocalMachine, _ directory: StateDirectory) {
    self.machine = machine
    self.directory = directory
    thread.begin("journal") { self.send() }
  }

  func notice(_ notice: Notice) {
    let run: RunID
    switch notice {
    case .runStarted(let id, _, _, _, _), .stepEnded(let id, _, _, _, _, _), .runEnded(let id, _, _): run = id
    // That a change was about to begin is worth knowing where the node does not come back from it.
    case .stepStarted(let id, _, let action, _, _) where LiveBlock.mayChange(action): run = id
    default: return
    }
    state.withLock { $0.run = run }
    thread.ask()
  }

  /// Why the journal could not be sent: each target is told of once.
  func takeTroubles() -> [Trouble] {
    state.withLock { state in
      let new = state.troubles.values.filter { !state.told.contains($0.target) }.sorted { $0.target < $1.target }
      state.told.formUnion(new.map(\.target))
      return new
    }
  }

  /// Nothing more comes.
  func close() { thread.close() }

  /// Waits until the last state is sent; past `deadline`, or where `hurry` is in a hurry, it is given up. Gives what is not off-site.
  func finish(by deadline: Duration, hurry: StopSignal) -> [Trouble] {
    while monotonicNow() < deadline, hurry.current != .now, !thread.hasEnded(within: .milliseconds(50)) {}
    stop.ask(.now, reason: "kguard was ending")
    let isStuck = !thread.hasEnded(within: .milliseconds(500))
    return state.withLock { state in
      if isStuck, let run = state.run, let target = state.target, state.troubles[target] == nil {
        state.troubles[target] = Trouble(run: run, target: target, why: "kguard ended before it was sent")
      }
      return state.troubles.values.sorted { $0.target < $1.target }
    }
  }

  private func send() {
    guard let run = state.withLock({ $0.run }) else { return }
    do throws(Failure) {
      guard let journal = try RunJournal.open(in: directory.path, .read),
        let offsite = try OffsiteJournal(run, journal, machine, directory)
      else { return }
      try offsite.copying(journal) { file in
        for target in offsite.targets { send(file, offsite, to: target, run) }
      }
      state.withLock { $0.troubles[""] = nil }
    } catch {
      note(run, "", error)
    }
  }

  private func send(_ file: String, _ offsite: OffsiteJournal, to target: OffsiteTarget, _ run: RunID) {
    state.withLock { $0.target = target.url }
    defer { state.withLock { $0.target = nil } }
    do throws(Failure) {
      try offsite.send(file, to: target, stop: stop)
      state.withLock { $0.troubles[target.url] = nil }
    } catch {
      note(run, target.url, error)
    }
  }

  private func note(_ run: RunID, _ target: String, _ failure: Failure) {
    let why = stop.isAsked ? "kguard ended before it was sent" : failure.why
    state.withLock { $0.troubles[target] = Trouble(run: run, target: target, why: why) }
  }
}
