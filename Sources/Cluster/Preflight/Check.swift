public import Model

/// One thing that is looked at before anything is touched.
public struct Check: Sendable, Equatable {
  public enum Result: String, Sendable { case pass, warn, fail }
  public let name: String
  public internal(set) var result: Result
  /// What was seen.
  public let evidence: String
  /// What to do about it; empty where there is nothing to do.
  public let remedy: String
  /// It failed, and somebody said to go on all the same.
  public internal(set) var isIgnored = false

  func hasSameCause(as other: Check) -> Bool { (result, evidence, remedy) == (other.result, other.evidence, other.remedy) }

  public var json: JSON {
    var json: JSON = ["name": .string(name), "result": .string(result.rawValue), "evidence": .string(evidence)]
    if !remedy.isEmpty { json["remedy"] = .string(remedy) }
    if isIgnored { json["ignored"] = true }
    return json
  }
}

extension Check {
  /// What a check found out.
  enum Verdict {
    case pass(String)
    case warn(String, remedy: String)
    case fail(String, remedy: String)
  }

  /// Carries a check out. What cannot be found out is a failure, too.
  init(_ name: String, _ body: () throws(Failure) -> Verdict) {
    do throws(Failure) {
      switch try body() {
      case .pass(let evidence): self.init(name: name, result: .pass, evidence: evidence, remedy: "")
      case .warn(let evidence, let remedy): self.init(name: name, result: .warn, evidence: evidence, remedy: remedy)
      case .fail(let evidence, let remedy): self.init(name: name, result: .fail, evidence: evidence, remedy: remedy)
      }
    } catch {
      self.init(name: name, result: .fail, evidence: error.description, remedy: error.next)
    }
  }
}
