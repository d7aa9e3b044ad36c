public import Model

/// Which bundles are kept. A bundle is kept for the first reason that holds.
public struct Retention: Sendable, Equatable {
  public var last: Int
  public var daily: Int
  public var weekly: Int
  public var monthly: Int

  public init(last: Int, daily: Int, weekly: Int, monthly: Int) {
    self.last = last
    self.daily = daily
    self.weekly = weekly
    self.monthly = monthly
  }

  public struct Candidate: Sendable, Equatable {
    public let id: String
    public let created: Timestamp
    public let isVerified: Bool
    /// Why a run needs it, where one does.
    public let need: String?
    public init(id: String, created: Timestamp, isVerified: Bool, need: String?) {
      self.id = id
      self.created = created
      self.isVerified = isVerified
      self.need = need
    }
  }

  /// Each bundle with the reason it is kept for, or nil where it goes. The newest of a day, week or month stands for it. The newest
  /// verified one is never removed, whatever the numbers say.
  public func judge(_ bundles: [Candidate]) -> [(id: String, reason: String?)] {
    let newestFirst = bundles.sorted { ($0.created, $0.id) > ($1.created, $1.id) }
    var reasons: [String: String] = [:]
    func keep(_ bundle: Candidate, _ reason: String) { if reasons[bundle.id] == nil { reasons[bundle.id] = reason } }

    for bundle in newestFirst { if let need = bundle.need { keep(bundle, need) } }
    if let newest = newestFirst.first(where: \.isVerified) { keep(newest, "the newest verified one") }
    for bundle in newestFirst.prefix(max(0, last)) { keep(bundle, "one of the last \(last)") }
    let periods: [(String, Int, (Timestamp) -> String)] = [
      ("day", daily, { String($0.description.prefix(10)) }),
      ("week", weekly, { String(($0.milliseconds / 86_400_000 + 3) / 7) }),
      ("month", monthly, { String($0.description.prefix(7)) }),
    ]
    for (name, count, period) in periods {
      var seen: Set<String> = []
      for bundle in newestFirst where bundle.isVerified && seen.count < count && seen.insert(period(bundle.created)).inserted {
        keep(bundle, "the newest of its \(name)")
      }
    }
    return newestFirst.map { ($0.id, reasons[$0.id]) }
  }
}
