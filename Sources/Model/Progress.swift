/// How far a long operation has come.
public struct Progress: Sendable, Equatable {
  public var done: Int64
  /// Nil where nobody knows yet.
  public var total: Int64?

  public init(done: Int64, total: Int64?) {
    self.done = done
    self.total = total
  }
}
