public import Host
public import Journal
public import Model

/// What a step may look at: the node, the run and what is recorded of it. Nothing here changes anything, so that the same questions are
/// asked by a step that acts and by one that is only thought through.
public protocol StepSight {
  var machine: any Machine { get }
  var state: StateDirectory { get }
  var run: RunID { get }
  /// The run that this run rolls back.
  var parent: RunID? { get }
  var configuration: JSON { get }
  var stop: StopSignal { get }
  /// Nil where there is no journal yet.
  var records: RunJournal? { get }
  /// Whether the run that this one rolls back began a step that may have changed the cluster. An own step may do anything.
  func parentMayHaveChangedCluster() throws(Failure) -> Bool
}

extension StepSight {
  public func artifacts(of run: RunID) throws(Failure) -> [ArtifactRecord] { try records?.artifacts(run) ?? [] }
}

/// The sight of a step that is not carried out. Its journal is opened to be read only.
public struct Outlook: StepSight {
  public let machine: any Machine
  public let state: StateDirectory
  /// Of a run that is not begun, a name that stands for the one that it will get.
  public let run: RunID
  public let parent: RunID?
  public let configuration: JSON
  public let stop = StopSignal()
  public let records: RunJournal?
  let actions: Actions

  public func parentMayHaveChangedCluster() throws(Failure) -> Bool {
    guard let parent, let records, let run = try records.run(parent) else { return true }
    return try actions.everTouchedCluster(run, records)
  }
}

/// What a step would do, in lines for a person.
public struct Intentions: Sendable, Equatable {
  public var lines: [String]
  /// Why it would refuse, as far as that is known before: what the whole run would end with.
  public var refusals: [String]
  /// What it would find out, where that can be told already: conditions of later steps ask for it.
  public var evidence: JSON?

  public init(_ lines: [String] = [], refusals: [String] = [], evidence: JSON? = nil) {
    self.lines = lines
    self.refusals = refusals
    self.evidence = evidence
  }
}
