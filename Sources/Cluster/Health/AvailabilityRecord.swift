public import Engine
internal import Host
public import Model

/// When the API server answered during a run, by the clock on the wall: what a report draws. Rollbacks of the run go on with the same record.
public struct AvailabilityRecord: Sendable, Equatable {
  public enum Answer: String, Sendable { case up, down, unobserved }

  /// A time in which every sample said the same.
  public struct Span: Sendable, Equatable {
    public var from: Timestamp
    public var to: Timestamp
    public var answer: Answer

    public var length: Duration { to - from }
  }

  /// In order, without gaps between them where one clock measured; at most `mostSpans`.
  public private(set) var spans: [Span] = []
  public private(set) var samples = 0
  /// Spans that were left out, since there were too many.
  public private(set) var leftOut = 0

  public static let mostSpans = 2000
  /// Two samples that are further apart than this have time between them of which nothing is known.
  static let mostGap: Int64 = 10_000

  public var outages: [Span] { spans.filter { $0.answer == .down } }
  public var outage: Duration { outages.reduce(.zero) { $0 + $1.length } }
  public var unobserved: Duration { spans.filter { $0.answer == .unobserved }.reduce(.zero) { $0 + $1.length } }

  /// The time of which nothing is known: no kguard worked on the run.
  public static func blind(_ unobserved: Duration) -> String {
    unobserved == .zero ? "" : "; nobody asked it for \(unobserved.forPeople)"
  }

  /// The record of a run; nil where none was kept.
  public static func read(_ state: StateDirectory, _ run: RunID) -> AvailabilityRecord? {
    let path = AvailabilitySampler.file(state, run)
    guard let info = try? Files.info(path), let text = try? Files.textIfPresent(path, limit: 16 << 20) else { return nil }
    let record = AvailabilityRecord(text, lastWritten: info.modified)
    return record.spans.isEmpty ? nil : record
  }

  /// `lastWritten`: stands in for the clock on the wall where an earlier kguard did not write it down.
  init(_ text: String, lastWritten: Timestamp) {
    var group: [(at: Int64, isUp: Bool)] = []
    var offset: Int64?
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.first == "boot" {
        add(group, offset, lastWritten)
        (group, offset) = ([], nil)
      } else if words.count == 3, words[0] == "wall", let at = Int64(words[1]), let wall = Int64(words[2]) {
        offset = wall &- at
      } else if words.count == 2, let at = Int64(words[0]), at >= group.last?.at ?? 0, words[1] == "up" || words[1] == "down" {
        group.append((at, words[1] == "up"))
      }
    }
    add(group, offset, lastWritten)
  }

  private mutating func add(_ group: [(at: Int64, isUp: Bool)], _ offset: Int64?, _ lastWritten: Timestamp) {
    guard let last = group.last else { return }
    let offset = offset ?? lastWritten.milliseconds &- last.at
    func time(_ at: Int64) -> Timestamp { Timestamp(milliseconds: at &+ offset) }
    samples += group.count
    if let before = spans.last?.to, let first = group.first, time(first.at) > before {
      add(Span(from: before, to: time(first.at), answer: .unobserved))
    }
    for (sample, next) in zip(group, group.dropFirst()) {
      let answer: Answer = next.at - sample.at > Self.mostGap ? .unobserved : sample.isUp ? .up : .down
      add(Span(from: time(sample.at), to: time(next.at), answer: answer))
    }
    add(Span(from: time(last.at), to: time(last.at), answer: last.isUp ? .up : .down))
  }

  private mutating func add(_ span: Span) {
    if let last = spans.last, last.answer == span.answer, last.to == span.from {
      spans[spans.count - 1].to = span.to
    } else if spans.count < Self.mostSpans {
      spans.append(span)
    } else {
      leftOut += 1
    }
  }
}
