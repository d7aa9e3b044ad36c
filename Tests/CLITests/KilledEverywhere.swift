import Glibc
import Host
import Model

/// Kills one undertaking at many points: a round arms every third failpoint, dies at each of them in turn, and goes on to its end, so that
/// three rounds have died at all of them; a fourth round dies at every single one.
struct KilledEverywhere {
  let points: [String]
  /// Where kguard writes the failpoints it passes.
  let log: String
  /// A row for each point: step, point, what `kguard status` said then, the round.
  private(set) var rows: [[String]] = []

  init(points: [String], log: String) {
    self.points = points
    self.log = log
  }

  /// The failpoints that are armed in each round.
  var rounds: [Set<String>] {
    [3, 3, 3, 1].enumerated().map { number, stride in
      Set(points.enumerated().filter { $0.offset % stride == number % stride }.map(\.element))
    }
  }

  struct Round {
    var kills = 0
    var outcome: Bench.Outcome
    /// Points that were armed and not passed.
    var left: Set<String>
    /// Where it died though nothing was armed there.
    var strange: [String] = []
  }

  /// `go` starts or resumes with an environment; `standing` is what a person would see after a kill.
  mutating func run(
    _ number: Int, go: (_ environment: [String: String]) throws -> Bench.Outcome, standing: () throws -> String
  ) throws -> Round {
    var armed = rounds[number]
    var kills = 0
    var strange: [String] = []
    while true {
      unlink(log)
      let outcome = try go(["KGUARD_FAILPOINT": armed.sorted().map { "\($0)=crash" }.joined(separator: ","), "KGUARD_FAILPOINT_LOG": log])
      guard outcome.wasKilled, kills < 2000 else { return Round(kills: kills, outcome: outcome, left: armed, strange: strange) }
      kills += 1
      let last = (try Files.textIfPresent(log) ?? "").split(separator: "\n").last.map(String.init) ?? ""
      if armed.remove(last) == nil { strange.append(last) }
      if rounds[number].count < points.count { rows.append([last, try standing(), String(number)]) }
    }
  }

  /// The table for `docs/`, in the order in which an undisturbed run passes the points. `ends`: how each round ended.
  func table(title: String, introduction: String, ends: [String]) -> String {
    var found: [String: [String]] = [:]
    for row in rows { found[row[0]] = row }
    let lines = points.map { point -> String in
      let parts = point.split(separator: "/", maxSplits: 1).map(String.init)
      let place = "| \(parts[0]) | \(parts.count > 1 ? parts[1] : "") |"
      // The supervisor has failpoints too: there kguard lives on.
      guard let row = found[point] else { return "\(place) not passed again | |" }
      return "\(place) \(row[1]) | \(ends[Int(row[2]) ?? 0]) |"
    }
    return """
      # \(title)

      \(introduction)

      \(points.count) failpoints.

      | step | killed at | what `kguard status` said then | end |
      |---|---|---|---|
      \(lines.joined(separator: "\n"))

      """
  }
}
