public import Model

/// What can be said of conditions and templates before a run: the evidence of some steps is not there yet.
extension Condition {
  /// `known`: the steps whose evidence is in the scope, or who are known to leave none. Nil: only the run will tell.
  public func foreseen(_ scope: Scope, known: Set<String>) throws(Failure) -> Bool? {
    try Self.foreseen(expression, scope, known)
  }

  private static func foreseen(_ expression: Expression, _ scope: Scope, _ known: Set<String>) throws(Failure) -> Bool? {
    switch expression {
    case .constant, .truth, .equal:
      let part = Condition(expression: expression, source: "")
      return part.references.allSatisfy { $0.isKnown(known) } ? try part.holds(scope) : nil
    case .not(let inner): return try foreseen(inner, scope, known).map { !$0 }
    case .and(let a, let b):
      let left = try foreseen(a, scope, known)
      if left == false { return false }
      let right = try foreseen(b, scope, known)
      return right == false ? false : left == nil || right == nil ? nil : true
    case .or(let a, let b):
      let left = try foreseen(a, scope, known)
      if left == true { return true }
      let right = try foreseen(b, scope, known)
      return right == true ? true : left == nil || right == nil ? nil : false
    }
  }
}

extension Template {
  /// References to what only an earlier step of the run will have found out.
  public func unknown(_ known: Set<String>) -> [Reference] { references.filter { !$0.isKnown(known) } }

  /// The text where all in it is known, and the configuration is not told; else the template as it is written.
  public func foreseen(_ scope: Scope, known: Set<String>) -> String {
    guard unknown(known).isEmpty, !references.contains(where: { $0.root == "config" }) else { return source }
    return (try? resolved(scope)) ?? source
  }
}

extension Reference {
  fileprivate func isKnown(_ known: Set<String>) -> Bool { root != "steps" || path.count > 1 && known.contains(path[1]) }
}
