internal import Cluster
internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// What is run, where and when: the same for systemd, cron and Kubernetes.
struct Schedule {
  enum Job: String, CaseIterable { case backup, drill }

  /// One file, or a part of standard output.
  struct Part: Equatable {
    let name: String
    let text: String
  }

  let job: Job
  /// What follows the program's name.
  let arguments: [String]
  let time: ScheduleTime
  let state: String
  let config: String?
  let root: String
  /// False: nothing is restored, so nothing is written beside etcd's data.
  let drills: Bool
  /// Directories that are written to besides the state directory, and must be there.
  let written: [String]
  /// etcd's data directory and perhaps its log's, really.
  let etcd: [String]

  /// The directory of the configuration of encryption at rest, where that is not kubeadm's.
  let encryption: String?

  static let mark = "Written by `kguard schedule"

  var name: String { "kguard-\(job.rawValue)" }
  var title: String { job == .backup ? "take, verify, prove and copy a bundle of etcd" : "prove that the newest bundle of etcd restores" }

  init(_ session: Session, job: Job, time: ScheduleTime, noOffsite: Bool, noDrill: Bool) throws(Failure) {
    let configuration = try session.configuration()
    self.job = job
    self.time = time
    state = session.state.path
    root = session.machine.root
    config = try session.invocation.value(.config).map { (path) throws(Failure) in try Files.absolute(path) }
    var arguments = [job.rawValue, "--resume"]
    if job == .backup, noOffsite { arguments.append("--no-offsite") }
    if job == .backup, noDrill { arguments.append("--no-drill") }
    if root != "/" { arguments += ["--root", root] }
    if session.invocation.has(.state) { arguments += ["--state", state] }
    if let config { arguments += ["--config", config] }
    self.arguments = arguments
    drills = job == .drill || !noDrill
    let targets = configuration.offsite.filter { $0.scheme == "file" }.map { String($0.url.dropFirst("file://".count)) }
    let directories = (job == .backup && !noOffsite ? targets : []) + (configuration.metricsTextfile.map { [$0] } ?? [])
    written = directories.map(session.machine.locate)
    let keys = job == .backup ? NodePaths.encryptionConfig(session.machine).map { Files.directory(of: $0) } : nil
    encryption = keys.flatMap { $0 == "/etc/kubernetes" || $0.hasPrefix("/etc/kubernetes/") ? nil : session.machine.locate($0) }
    etcd = drills ? NodePaths.etcdDirectories(session.machine, configuration) : []
  }
}

/// When: what a person writes for `--at`.
enum ScheduleTime: Equatable {
  case daily(hour: Int, minute: Int)
  case weekly(day: Int, hour: Int, minute: Int)
  /// In the words of the system itself.
  case verbatim(String)

  static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]

  init(_ text: String) throws(Failure) {
    let words = text.split(separator: " ")
    if words.count == 1, let (hour, minute) = Self.clock(words[0]) {
      self = .daily(hour: hour, minute: minute)
    } else if words.count == 2, let day = Self.days.firstIndex(where: { $0.lowercased() == words[0].lowercased() }),
      let (hour, minute) = Self.clock(words[1])
    {
      self = .weekly(day: day, hour: hour, minute: minute)
    } else {
      guard !text.isEmpty, text.unicodeScalars.allSatisfy({ $0.isASCII && $0.value >= 0x20 && $0.value != 0x7f }) else {
        throw Self.wrong(text, "it is no time")
      }
      self = .verbatim(text)
    }
  }

  static func wrong(_ text: String, _ why: String) -> Failure {
    Failure(
      .usage, what: "cannot understand `--at \(printable(text))`", why: why,
      next: "write it as 02:30 or `Sun 04:30`, or in the words of the system: OnCalendar for systemd, five fields for cron")
  }

  private static func clock(_ text: Substring) -> (Int, Int)? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ (1...2).contains($0.count) && $0.allSatisfy(\.isASCII) }), let hour = Int(parts[0]),
      let minute = Int(parts[1]), 0...23 ~= hour, 0...59 ~= minute
    else { return nil }
    return (hour, minute)
  }

  /// For a timer of systemd.
  var onCalendar: String {
    switch self {
    case .daily(let hour, let minute): "*-*-* \(pad(hour, 2)):\(pad(minute, 2)):00"
    case .weekly(let day, let hour, let minute): "\(Self.days[day]) *-*-* \(pad(hour, 2)):\(pad(minute, 2)):00"
    case .verbatim(let text): text
    }
  }

  /// For cron, and for Kubernetes.
  func cron() throws(Failure) -> String {
    switch self {
    case .daily(let hour, let minute): return "\(minute) \(hour) * * *"
    case .weekly(let day, let hour, let minute): return "\(minute) \(hour) * * \(day)"
    case .verbatim(let text):
      if ["@hourly", "@daily", "@midnight", "@weekly", "@monthly"].contains(text) { return text }
      let fields = text.split(separator: " ")
      guard fields.count == 5 else { throw Self.wrong(text, "cron wants five fields: minute, hour, day, month, day of the week") }
      let ranges = [0...59, 0...23, 1...31, 1...12, 0...7]
      let names = ["minute", "hour", "day", "month", "day of the week"]
      let words = [[], [], [], Self.months, Self.days.map { $0.lowercased() }]
      for (number, field) in fields.enumerated() where !Self.isField(field, ranges[number], words[number]) {
        throw Self.wrong(text, "`\(field)` is no \(names[number]) for cron")
      }
      return fields.joined(separator: " ")
    }
  }

  private static let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

  /// `*`, `5`, `1-5`, `*/10`, `1-30/5`, `mon`, and lists of these.
  private static func isField(_ field: Substring, _ range: ClosedRange<Int>, _ words: [String]) -> Bool {
    field.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { entry in
      let parts = entry.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count <= 2, let base = parts.first else { return false }
      if parts.count == 2 { guard let step = Int(parts[1]), step > 0, step <= range.upperBound else { return false } }
      if base == "*" { return true }
      let ends = base.split(separator: "-", omittingEmptySubsequences: false).map { text in
        words.firstIndex(of: text.lowercased()).map { $0 + (range.lowerBound == 1 ? 1 : 0) }
          ?? (text.allSatisfy(\.isNumber) ? Int(text) : nil)
      }
      let numbers = ends.compactMap { $0 }
      guard numbers.count == ends.count, (1...2).contains(numbers.count), numbers.allSatisfy(range.contains) else { return false }
      return numbers.count == 1 || numbers[0] <= numbers[1]
    }
  }
}
