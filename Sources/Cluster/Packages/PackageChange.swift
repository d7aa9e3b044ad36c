internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// Installs one release of some packages: what both `packages/…` actions do.
struct PackageChange {
  /// The first one is what its step is about; the others follow where they are installed.
  let packages: [String]
  /// What a later step will install: fetched now, while nothing has happened that a missing package could spoil.
  var ahead: [String] = []
  let version: KubernetesVersion
  /// With nobody to install packages, an older program may stay.
  let mayStay: Bool

  private var program: String { packages.first ?? "" }

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    let manager = try Self.manager(context)
    // A program that an interrupted installation has broken tells nothing.
    guard (try? ThisNode.version(of: program, context.machine)) == version else { return manager is NoPackages && mayStay }
    let present = try present(packages, manager)
    for package in present {
      guard let exact = try manager.installed(package), PackageManagers.release(exact) == version else { return false }
    }
    if manager is NoPackages { return true }
    let former = try FormerPackages.load(context)
    for package in try self.present(ahead, manager) {
      guard let fetched = former?.fetched[package], PackageManagers.release(fetched) == version else { return false }
    }
    // The holds are part of it: apt drops them when it installs.
    let held = try manager.holds()
    return former?.holds.allSatisfy { held.contains($0) } ?? true
  }

  func intentions(_ outlook: Outlook) throws(Failure) -> Intentions {
    let manager = try Self.manager(outlook)
    if manager is NoPackages {
      let told = try ThisNode.version(of: program, outlook.machine)
      if told == version { return Intentions(["nothing: \(program) is at \(told) already"]) }
      guard mayStay else { return Intentions(refusals: ["\(try notHere(outlook))"]) }
      return Intentions(["nothing: \(Self.stays(program, told))"])
    }
    var lines: [String] = []
    // The first step that changes packages keeps them all.
    if !ahead.isEmpty, try FormerPackages.load(outlook) == nil {
      let kept = try FormerPackages.present(manager).map { "\($0.name) \($0.version)" }
      lines.append("keeps \(kept.joined(separator: ", ")) as files in \(FormerPackages.directory(outlook))")
    }
    for package in try present(packages, manager) { lines.append(try intention(package, manager)) }
    for package in try present(ahead, manager) {
      let exact = try manager.available(package, version)
      lines.append(exact.map { "fetches \(package) \($0) for later" } ?? notOffered(package, manager))
    }
    return Intentions(lines)
  }

  private func intention(_ package: String, _ manager: any PackageManager) throws(Failure) -> String {
    guard let exact = try manager.available(package, version) else { return notOffered(package, manager) }
    let now = try manager.installed(package)
    if now == exact { return "\(package) is at \(exact) already" }
    return "\(package) \(now ?? "(not installed)") → \(exact) with \(manager.name)"
      + (try manager.isHeld(package) ? ", its hold put back" : "")
  }

  private func notOffered(_ package: String, _ manager: any PackageManager) -> String {
    "\(package) \(version) is not in the lists of \(manager.name) now: they are read anew, and without it the step fails"
  }

  private static func stays(_ program: String, _ told: KubernetesVersion) -> String {
    "\(program) stays at \(told): packages are not kguard's business here"
  }

  func perform(_ context: StepContext) throws(Failure) {
    let manager = try Self.manager(context)
    if manager is NoPackages { throw try notHere(context) }
    try manager.repair()
    var former = try FormerPackages.keep(manager, context)
    var wanted: [(name: String, version: String)] = []
    var later: [(name: String, version: String)] = []
    for package in try present(packages, manager) { wanted.append((package, try exact(package, manager, context))) }
    for package in try present(ahead, manager) { later.append((package, try exact(package, manager, context))) }
    if !later.isEmpty {
      try failpoint("packages/\(program)-fetch.before")
      if let failure = try context.carryOut(manager.fetch(wanted + later)) { throw failure }
      try former.note(fetched: later, context)
      try failpoint("packages/\(program)-fetch.after")
    }
    try install(wanted, former, manager, context)
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let manager = try Self.manager(context)
    let told = try ThisNode.version(of: program, context.machine)
    if told != version {
      guard manager is NoPackages, mayStay else {
        throw Failure(
          what: "\(program) is not at \(version)", why: "it says that it is \(told)",
          next: "check that \(context.machine.find(program: program) ?? program) is the one that the package installs")
      }
      return [
        "manager": "none", "version": .string(told.description),
        "summary": .string(Self.stays(program, told)),
      ]
    }
    var members = JSON.Members()
    for package in try present(packages, manager) {
      members[package] = ["version": JSON(try manager.installed(package)), "held": .bool(try manager.isHeld(package))]
    }
    let words = members.pairs.map { "\($0.key) \($0.value["version"]?.string ?? "")\($0.value["held"] == true ? " (held)" : "")" }
    var evidence: JSON = ["manager": .string(manager.name), "version": .string(told.description), "packages": .object(members)]
    var summary = words.isEmpty ? "\(program) is \(told)" : words.joined(separator: ", ")
    if !ahead.isEmpty, let former = try FormerPackages.load(context) {
      evidence["kept"] = former.json
      var fetched = JSON.Members()
      for (name, version) in former.fetched.sorted(by: { $0.key < $1.key }) { fetched[name] = .string(version) }
      evidence["fetched"] = .object(fetched)
      let kept = former.json.object?.count ?? 0
      if kept > 0 { summary += "; \(kept) former packages are kept" }
      if !fetched.keys.isEmpty { summary += ", \(fetched.keys.joined(separator: " and ")) fetched" }
    }
    evidence["summary"] = .string(summary)
    return evidence
  }

  /// Everything as it was before the run, from what was kept then. Nothing to do where the run recorded no change.
  static func undo(_ context: StepContext) throws(Failure) {
    guard let former = try FormerPackages.load(context) else { return }
    try former.restore(try manager(context), context)
  }

  /// What is not as it was before the run, in words, and the commands that put it back by hand. A package manager that does not answer
  /// is one more thing that is not as it was: it must not keep a rollback from the rest.
  static func left(_ context: some StepSight) -> (words: [String], commands: String) {
    do throws(Failure) {
      guard let former = try FormerPackages.load(context), case let manager = try manager(context), !(manager is NoPackages) else {
        return ([], "")
      }
      let words = try former.left(manager)
      return (words, words.isEmpty ? "" : try former.commands(manager))
    } catch {
      return (["what is installed cannot be told (\(error))"], error.next)
    }
  }

  // MARK: - Parts

  private func install(
    _ wanted: [(name: String, version: String)], _ former: FormerPackages, _ manager: any PackageManager, _ context: StepContext
  ) throws(Failure) {
    var missing = false
    for package in wanted where try manager.installed(package.name) != package.version { missing = true }
    var failure: Failure?
    if missing {
      try failpoint("packages/\(program)-install.before")
      failure = try context.carryOut(manager.install(wanted))
      try failpoint("packages/\(program)-install.after")
    }
    try former.putHoldsBack(manager, changed: wanted.map(\.name))
    try failpoint("packages/\(program)-hold.after")
    if let failure { throw failure }
  }

  static func manager(_ context: some StepSight) throws(Failure) -> any PackageManager {
    try PackageManagers.find(context.machine, context.settings.packages, recorded: try FormerPackages.load(context)?.manager)
  }

  /// Those that are installed; the program of the step always.
  private func present(_ packages: [String], _ manager: any PackageManager) throws(Failure) -> [String] {
    if manager is NoPackages { return [] }
    var found: [String] = []
    for package in packages {
      if package == program { found.append(package) } else if try manager.installed(package) != nil { found.append(package) }
    }
    return found
  }

  private func exact(_ package: String, _ manager: any PackageManager, _ context: StepContext) throws(Failure) -> String {
    if let exact = try manager.available(package, version) { return exact }
    context.message("\(package) \(version) is not in the lists of \(manager.name); reading them anew")
    try manager.refresh()
    if let exact = try manager.available(package, version) { return exact }
    throw Failure(
      what: "cannot install \(package) \(version)", why: "\(manager.name) does not offer it",
      next:
        "add the repository of that minor version (https://pkgs.k8s.io/core:/stable:/v\(version.major).\(version.minor)/), then `kguard resume`"
    )
  }

  private func notHere(_ context: some StepSight) throws(Failure) -> Failure {
    let told = try ThisNode.version(of: program, context.machine)
    return Failure(
      what: "\(program) is not at \(version)", why: "it is \(told), and kguard does not install packages here (packages: none)",
      next: "install \(program) \(version) by your own way, then run the upgrade again")
  }
}
