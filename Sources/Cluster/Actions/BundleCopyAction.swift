internal import Bundles
public import Engine
internal import Host
internal import Journal
public import Model
public import Playbooks

/// `bundle/copy`: compresses, encrypts and sends the bundle to every off-site target, and reads it back.
public struct BundleCopyAction: Action {
  public static let signature = ActionSignature(
    "bundle/copy", summary: "compress, encrypt and send the bundle off-site, then read it back and compare",
    inputs: [
      ActionInput("bundle", description: "another bundle than this run's"),
      ActionInput("no-offsite", .bool, description: "true: go on without a copy where no target is configured"),
    ], requiresBefore: [])

  private let bundle: String?
  private let mayStayHere: Bool

  public init(_ inputs: ActionInputs) throws(Failure) {
    bundle = inputs["bundle"]
    mayStayHere = inputs.isTrue("no-offsite")
  }

  public func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let bundle = try outlook.bundle(self.bundle)
    let settings = try outlook.settings
    let offsite = try Offsite(settings, outlook.machine, outlook.state)
    if offsite.targets.isEmpty {
      guard mayStayHere else { return Intentions(refusals: ["\(Offsite.none(settings, outlook.machine))"]) }
      return Intentions(["no target is configured: the only copy stays in \(bundle.path)"])
    }
    var (lines, refusals): ([String], [String]) = ([], [])
    do throws(Failure) { try offsite.requireFittingKeys() } catch { refusals.append("\(error)") }
    for target in offsite.targets {
      lines.append("\(bundle.path) → \(target.url)" + (target.isRequired ? "" : ", which may fail"))
      do throws(Failure) {
        if let warning = try offsite.warnOfOwnDisk(target) { lines.append("warning: \(warning)") }
      } catch {
        if target.isRequired { refusals.append("\(error)") } else { lines.append("would not be copied there: \(error)") }
      }
    }
    return Intentions(lines + ["\(offsite.sealing), and read back"], refusals: refusals)
  }

  public func perform(_ context: StepContext) throws(Failure) {
    let bundle = try context.bundle(self.bundle)
    let settings = try context.settings
    let offsite = try Offsite(settings, context.machine, context.state)
    if offsite.targets.isEmpty && !mayStayHere { throw Offsite.none(settings, context.machine) }
    let watch = { (target: OffsiteTarget) in
      context.phase("to \(target.url)")
      return Transfer(stop: context.stop, progress: context.progress) { context.phase("\($0), \(target.url)") }
    }
    try offsite.copy(bundle, context.journal, watch: watch, tell: context.message)
    try SealedAhead.discard(bundle)
  }

  public func verify(_ context: StepContext) throws(Failure) -> JSON {
    let bundle = try context.bundle(self.bundle)
    let offsite = try Offsite(try context.settings, context.machine, context.state)
    if offsite.targets.isEmpty {
      return ["summary": "no off-site copy: it was said aloud that none is wanted", "bundle": .string(bundle.id), "targets": []]
    }
    let files = try bundle.files()
    let copies = try context.journal.copies(of: bundle.id).filter { $0.verified != nil && $0.removed == nil }
    var done: [String] = []
    for target in offsite.targets {
      let copied = Set(copies.filter { $0.target == target.url }.map(\.file))
      if files.allSatisfy(copied.contains) {
        done.append(target.url)
      } else if target.isRequired {
        throw Failure(
          .verification, what: "the copy at \(target.url) is not complete", why: "not every file was read back", next: "run `kguard resume`"
        )
      }
    }
    let count = done.count == 1 ? done[0] : "\(done.count) of \(offsite.targets.count) targets"
    return [
      "summary": .string("\(files.count) files, read back from \(count)"), "bundle": .string(bundle.id), "targets": JSON(done),
      "encrypted": .bool(offsite.isEncrypted),
    ]
  }
}
