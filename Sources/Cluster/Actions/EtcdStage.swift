internal import Bundles
internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// `etcd/stage`: the bundle's data stands restored beside etcd's own and holds, to the last byte, what the bundle holds. Before the outage.
struct EtcdStage: Action {
  static let signature = ActionSignature(
    "etcd/stage", summary: "see that the restored data stands ready beside etcd's and is sound, or restore it from the bundle again")

  init(_ inputs: ActionInputs) throws(Failure) {}

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    let copy = try copy(context)
    guard try copy.ready() != nil else { return false }
    return try copy.isSound(stop: context.stop)
  }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let copy = try copy(outlook)
    let staged = copy.plan.staged
    if try copy.ready() != nil { return Intentions(["reads \(staged), which stands ready, and compares it with the bundle"]) }
    let settings = try outlook.settings
    let tools = DrillOrder.tools(outlook.machine, settings, outlook.state, image: copy.manifest.etcd["image"]?.string)
    let tool = EtcdVersion(copy.manifest.etcdVersion).map { version in
      tools.words("a restore tool") { (tools) throws(Failure) in try tools.findRestoreTool(for: version) }
    }
    return Intentions(["restores \(copy.bundle.snapshot) again, with \(tool ?? "etcd's own tool")", "into \(staged), and proves it"])
  }

  func perform(_ context: StepContext) throws(Failure) {
    let copy = try copy(context)
    if let damaged = try copy.ready() {
      // It was looked at a moment ago, and did not hold what the bundle holds.
      context.message("what the drill has left is damaged: it is restored from the bundle again")
      try damaged.discard()
    }
    try copy.ensure(context)
    guard try copy.isSound(stop: context.stop) else {
      throw Failure(
        .needsOperator, what: "cannot restore the bundle \(copy.bundle.id)", why: "what was restored does not hold what the bundle holds",
        next: "check the disk, and the bundle: `kguard bundle verify \(copy.bundle.id)`")
    }
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let copy = try copy(context)
    guard let data = try copy.ready() else {
      throw Failure(what: "the restored data does not stand ready", why: "\(copy.plan.staged) is not whole", next: "run `kguard resume`")
    }
    try data.plan.requireMovable()
    return [
      "summary": .string("the restored data stands ready, \(copy.manifest.snapshot["liveKeys"]?.int ?? 0) keys the same"),
      "staged": .string(data.plan.staged), "swap": .string(data.plan.swap.rawValue), "bundle": .string(copy.bundle.id),
      "revisionBumped": data.evidence["revisionBumped"] ?? .null,
    ]
  }

  private func copy(_ context: some StepSight) throws(Failure) -> StagedCopy {
    let target = try RollbackTarget(context)
    return try StagedCopy(context, target, try ControlPlaneSite.look(context, target))
  }
}
