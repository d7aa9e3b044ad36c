internal import Engine
internal import Host
internal import Journal
internal import Model
internal import Playbooks
internal import Synchronization

/// Keeps the textfile of node_exporter up to date, on a thread of its own: a directory that hangs or is full delays and fails nothing.
final class MetricsWriter: Observer {
  static let fileName = "kguard.prom"

  private let directory: String
  private let state: StateDirectory
  private let targets: [String]
  private let thread = OnDemand()
  private let trouble = Mutex<(text: String?, isTold: Bool)>((nil, false))

  /// `directory` as it really is on this machine.
  init(directory: String, state: StateDirectory, targets: [String]) {
    self.directory = directory
    self.state = state
    self.targets = targets
    thread.begin("metrics") { self.write() }
  }

  /// Steps and runs change what the metrics say; nothing else does.
  func notice(_ notice: Notice) {
    switch notice {
    case .runStarted, .stepStarted, .stepEnded, .runEnded: thread.ask()
    default: break
    }
  }

  /// Writes a last time, and waits for that, but not for long.
  func finish(within limit: Duration = .seconds(3)) {
    thread.ask()
    thread.close()
    _ = thread.hasEnded(within: limit)
  }

  /// Why the metrics could not be written; said once.
  func takeTrouble() -> String? {
    trouble.withLock { trouble in
      guard let text = trouble.text, !trouble.isTold else { return nil }
      trouble.isTold = true
      return text
    }
  }

  private func write() {
    do throws(Failure) {
      let text = try Metrics.text(try RunJournal.open(in: state.path, .read), targets: targets)
      guard try Files.info(directory)?.kind == .directory else {
        throw Failure(what: "cannot write metrics to \(directory)", why: "there is no such directory", next: "make it")
      }
      // node_exporter is another user; it reads whole files named *.prom only.
      try Files.replace("\(directory)/\(Self.fileName)", with: Array(text.utf8), mode: 0o644)
    } catch {
      trouble.withLock { if $0.text == nil { $0.text = "\(error)" } }
    }
  }
}

extension Session {
  /// After a command that changed the catalogue without being a run.
  func refreshMetrics() {
    guard let configuration = try? configuration(), let writer = metricsWriter(configuration) else { return }
    writer.finish()
    if let trouble = writer.takeTrouble() { say("warning: the metrics are not up to date: \(trouble)\n") }
  }

  /// A writer where the configuration asks for one.
  func metricsWriter(_ configuration: Configuration) -> MetricsWriter? {
    configuration.metricsTextfile.map {
      MetricsWriter(directory: machine.locate($0), state: state, targets: configuration.offsite.map(\.url))
    }
  }
}
