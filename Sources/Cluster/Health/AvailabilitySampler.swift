internal import Engine
internal import Host
internal import Model
internal import Synchronization

/// Asks the API server once a second whether it is ready, and writes each answer to a file of the run. It ends with the process; the
/// next process of the run goes on with the same file.
final class AvailabilitySampler: Sendable {
  static let period = Duration.seconds(1)
  /// More than a day of samples; the file stays small.
  static let mostSamples = 100_000
  private static let running = Mutex<[String: AvailabilitySampler]>([:])

  private let file: String
  private let machine: any Machine
  private let stop = StopSignal()

  private init(_ file: String, _ machine: any Machine) {
    self.file = file
    self.machine = machine
  }

  static func file(_ state: StateDirectory, _ run: RunID) -> String { state.directory(of: run) + "/availability" }

  /// A rollback goes on with the file of the run that it rolls back: it is one outage.
  private static func file(_ context: StepContext) -> String { file(context.state, context.parent ?? context.run) }

  /// Starts sampling for a run, if this process does not do it already.
  static func start(_ context: StepContext) throws(Failure) {
    let path = file(context)
    try Files.makeDirectory(Files.directory(of: path), mode: 0o700)
    let new = running.withLock { table -> AvailabilitySampler? in
      guard table[path] == nil else { return nil }
      let sampler = AvailabilitySampler(path, context.machine)
      table[path] = sampler
      return sampler
    }
    if let new { startThread("availability") { new.sample() } }
  }

  /// Goes on where an earlier process of the run had begun to sample: it may have died at any step.
  static func goOn(_ context: StepContext) throws(Failure) {
    if try Files.exists(file(context)) { try start(context) }
  }

  /// Ends it; what was measured stays in the file.
  static func end(_ context: StepContext) {
    let path = file(context)
    running.withLock { table in
      table[path]?.stop.ask(.now, reason: "the run is over")
      table[path] = nil
    }
  }

  private func sample() {
    guard let log = try? OpenFile(file, Files.appendFlags) else { return }
    // Times of one boot can be compared; those of another cannot.
    write("boot \(ProcessIdentity.currentBoot())", log)
    // What a clock on the wall said at a time of this boot.
    write("wall \(monotonicNow().milliseconds) \(machine.now().milliseconds)", log)
    for _ in 0..<Self.mostSamples {
      let began = monotonicNow()
      let isUp = Self.isUp(machine, stop)
      if stop.isNow { return }
      write("\(began.milliseconds) \(isUp ? "up" : "down")", log)
      let left = Self.period - (monotonicNow() - began)
      if left > .zero, !stop.sleep(left) { return }
    }
  }

  private func write(_ line: String, _ log: borrowing OpenFile) { try? log.write(Array((line + "\n").utf8)) }

  private static func isUp(_ machine: any Machine, _ stop: StopSignal) -> Bool {
    guard let api = try? ThisNode.api(machine, timeout: period, stop: stop) else { return false }
    return (try? api.health("/readyz").isOK) == true
  }
}

/// What the samples of a run say.
struct Availability: Equatable {
  var samples: Int64 = 0
  var failed: Int64 = 0
  /// From the first sample of an outage to the first good one after it, summed.
  var outage = Duration.zero
  var outages: Int64 = 0
  /// Nobody looked: kguard was not running.
  var unobserved = Duration.zero

  init() {}

  init(_ text: String) {
    var last: (at: Int64, isUp: Bool)?
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 2 else { continue }
      if words[0] == "boot" {
        if let before = last { last = (before.at, true) }
        continue
      }
      guard let at = Int64(words[0]), words[1] == "up" || words[1] == "down" else { continue }
      let isUp = words[1] == "up"
      samples += 1
      if !isUp { failed += 1 }
      if let before = last, at > before.at, at - before.at < 86_400_000 {
        let gap = Duration.milliseconds(at - before.at)
        if gap > .seconds(10) { unobserved += gap } else if !before.isUp { outage += gap }
      }
      if !isUp && last?.isUp != false { outages += 1 }
      last = (at, isUp)
    }
  }

  static func read(_ state: StateDirectory, _ run: RunID) -> Availability? {
    guard let text = try? Files.textIfPresent(AvailabilitySampler.file(state, run), limit: 16 << 20) else { return nil }
    return Availability(text)
  }

  var json: JSON {
    [
      "outageMilliseconds": .int(outage.milliseconds), "outages": .int(outages), "samples": .int(samples), "failed": .int(failed),
      "unobservedMilliseconds": .int(unobserved.milliseconds),
    ]
  }

  var words: String {
    if samples == 0 { return "the API server's availability was not measured" }
    let blind = AvailabilityRecord.blind(unobserved)
    if failed == 0 { return "the API server answered " + (blind.isEmpty ? "all the time" : "whenever it was asked" + blind) }
    // Of the last sample nobody knows for how long it holds.
    if outage == .zero { return "the API server did not answer \(failed == 1 ? "once" : "\(failed) times")" + blind }
    return "the API server was away for \(outage.forPeople)" + (outages > 1 ? " in \(outages) outages" : "") + blind
  }
}
