internal import Engine
internal import Host
internal import Model

/// What a run does at this moment, for another process to show: `runs/RUN/live.json`. No part of the record; who finds it asks whether its
/// writer lives, and believes the journal in everything else.
struct LiveRecord: Equatable {
  /// A message that stays on the screen.
  struct Message: Equatable {
    let number: Int64
    let step: String?
    let text: String
  }

  let writer: ProcessIdentity
  var run: RunID
  var step: String?
  var attempt = 1
  var waits = false
  /// Of `monotonicNow`, in this boot.
  var since = Duration.zero
  var phase = ""
  var line = ""
  var reading: ProgressMeter.Reading?
  /// Another attempt begins then.
  var nextAttempt: Duration?
  var stop = StopLevel.none
  var messages: [Message] = []

  static let mostMessages = 20
  static let longestText = 500

  static func path(_ state: StateDirectory, _ run: RunID) -> String { state.directory(of: run) + "/live.json" }

  /// Nil where nobody writes it any more.
  static func read(_ state: StateDirectory, _ run: RunID) -> LiveRecord? {
    guard let text = try? Files.textIfPresent(path(state, run)), let json = try? JSON(parsing: text),
      let record = LiveRecord(json: json), record.writer.isAlive
    else { return nil }
    return record
  }

  init(writer: ProcessIdentity, run: RunID) {
    self.writer = writer
    self.run = run
  }

  var json: JSON {
    var json: JSON = [
      "process": writer.json, "run": .string(run.text), "step": JSON(step), "attempt": JSON(attempt), "waits": .bool(waits),
      "since": .int(since.milliseconds), "phase": .string(phase), "line": .string(line), "stop": .string(stop.word),
      "messages": .array(messages.map { ["n": .int($0.number), "step": JSON($0.step), "text": .string($0.text)] }),
    ]
    if let nextAttempt { json["nextAttempt"] = .int(nextAttempt.milliseconds) }
    if let reading {
      json["done"] = .int(reading.progress.done)
      json["total"] = reading.progress.total.map { .int($0) }
      json["bytesPerSecond"] = reading.bytesPerSecond.map { .int(Int64($0)) }
    }
    return json
  }

  init?(json: JSON) {
    guard let writer = ProcessIdentity(json: json["process"]), let run = json["run"]?.string.flatMap({ RunID($0) }) else { return nil }
    self.init(writer: writer, run: run)
    step = json["step"]?.string
    attempt = Int(clamping: json["attempt"]?.int ?? 1)
    waits = json["waits"]?.bool ?? false
    since = Self.duration(json["since"]) ?? .zero
    phase = printable(json["phase"]?.string ?? "")
    line = printable(json["line"]?.string ?? "")
    nextAttempt = Self.duration(json["nextAttempt"])
    stop = StopLevel(word: json["stop"]?.string)
    if let done = json["done"]?.int {
      let progress = Progress(done: max(0, done), total: json["total"]?.int)
      reading = ProgressMeter.Reading(progress: progress, bytesPerSecond: json["bytesPerSecond"]?.double)
    }
    messages = (json["messages"]?.array ?? []).suffix(Self.mostMessages).compactMap { entry in
      guard let number = entry["n"]?.int, let text = entry["text"]?.string else { return nil }
      return Message(number: number, step: entry["step"]?.string, text: printable(text))
    }
  }

  /// A time since boot; nothing that arithmetic could not bear.
  private static func duration(_ json: JSON?) -> Duration? { json?.int.map { .milliseconds(min(max($0, 0), 1 << 50)) } }
}

extension StopLevel {
  fileprivate var word: String {
    switch self {
    case .none: "none"
    case .atCheckpoint: "at-checkpoint"
    case .now: "now"
    }
  }

  fileprivate init(word: String?) {
    switch word {
    case "at-checkpoint": self = .atCheckpoint
    case "now": self = .now
    default: self = .none
    }
  }
}
