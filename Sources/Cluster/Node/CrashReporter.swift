internal import Engine
internal import Host
internal import Model
internal import Playbooks
internal import Synchronization

/// Looks at the control plane while kubeadm works, and tells the operator once what crashes. It decides nothing: kubeadm gives a component
/// minutes, then puts back what it has changed, and that way no write is lost.
final class CrashReporter: Sendable {
  static let period = Duration.seconds(3)

  private let machine: any Machine
  private let version: KubernetesVersion
  private let say: @Sendable (String) -> Void
  private let state = Mutex<Seen?>(nil)

  struct Seen {
    let crash: CrashWatch.Crash
    var log: CrashLog?
  }

  init(_ context: StepContext, _ version: KubernetesVersion) {
    machine = context.machine
    say = context.messageFromAnywhere
    self.version = version
  }

  /// A container of the target has failed for long enough: what kubeadm then says of kubelet is no reason to try again.
  var seen: Seen? { state.withLock { $0 } }

  /// Looks as long as `body` runs.
  func watch<T>(_ body: () throws(Failure) -> T) throws(Failure) -> T {
    let stop = StopSignal()
    startThread("crashes") { self.look(until: stop) }
    defer { stop.ask(.now, reason: "kubeadm has ended") }
    return try body()
  }

  private func look(until stop: StopSignal) {
    var crashes = CrashWatch(version)
    while stop.sleep(Self.period) {
      // Between two manifests there may be nothing to read for a moment.
      guard let controlPlane = try? ControlPlane.read(machine), let crashing = crashes.see(controlPlane) else { continue }
      if stop.isNow { return }
      state.withLock { $0 = Seen(crash: crashing) }
      // Now, as kubeadm has its containers removed when it gives up.
      let log = CrashLog.read(machine, crashing.component)
      state.withLock { $0 = Seen(crash: crashing, log: log) }
      if stop.isNow { return }
      let quote = log?.lastWords.map { " (\($0))" } ?? ""
      say("\(crashing.words)\(quote): kubeadm waits up to 5 minutes for it, then puts its manifest back; no write is lost that way")
      return
    }
  }
}
