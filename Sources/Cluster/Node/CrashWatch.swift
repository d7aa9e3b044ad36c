internal import Host
internal import Model

/// Tells a component that crashes again and again from one that had to be started twice: its newest pod was started three times and ended,
/// and that lasts.
struct CrashWatch {
  struct Crash: Equatable {
    let component: String
    let version: KubernetesVersion
    var words: String { "\(component) \(version) exits again and again" }
  }

  private let version: KubernetesVersion
  /// By name: since when it is seen so.
  private var since: [String: Duration] = [:]
  /// By name: the container that was seen running, since when.
  private var running: [String: (id: String, since: Duration)] = [:]

  /// Longer than kubelet's pause after the third start.
  static let lasting = Duration.seconds(45)
  /// A container that runs for so long has started.
  static let started = Duration.seconds(10)

  init(_ version: KubernetesVersion) { self.version = version }

  /// What crashes; nil while nothing does for long enough.
  mutating func see(_ controlPlane: ControlPlane, at now: Duration = monotonicNow()) -> Crash? {
    for component in controlPlane.components where component.version == version {
      if let one = component.running.first {
        if running[component.name]?.id != one.id { running[component.name] = (one.id, now) }
        if now - (running[component.name]?.since ?? now) >= Self.started { since[component.name] = nil }
        continue
      }
      running[component.name] = nil
      guard component.attempts >= 2, component.ended >= 1 else {
        since[component.name] = nil
        continue
      }
      let first = since[component.name] ?? now
      since[component.name] = first
      if now - first >= Self.lasting { return Crash(component: component.name, version: version) }
    }
    return nil
  }
}
