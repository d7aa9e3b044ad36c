/// How far a long piece of work has come, in bytes.
public struct Progress: Sendable, Equatable {
  public var done: Int64
  /// Nil where nobody knows.
  public var total: Int64?

  public init(done: Int64, total: Int64?) {
    self.done = done
    self.total = total
  }
}
