internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// Installs one release of some packages, and takes it back: what both `packages/…` actions do.
struct PackageChange {
  /// The first one is what its step is about; the others follow where they are installed.
  let packages: [String]
  let version: KubernetesVersion
  /// With nobody to install packages, an older program may stay.
  let mayStay: Bool

  private var program: String { packages.first ?? "" }

  func isInEffect(_ context: StepContext) throws(Failure) -> Bool {
    let manager = try manager(context)
    // A program that an interrupted installation has broken tells nothing.
    guard (try? ThisNode.version(of: program, context.machine)) == version else { return manager is NoPackages && mayStay }
    for package in try present(manager) {
      guard let exact = try manager.installed(package), PackageManagers.release(exact) == version else { return false }
      // The hold is part of it: apt drops holds when it installs.
      if try record(context).isHeld(package) {
        guard try manager.isHeld(package) else { return false }
      }
    }
    return true
  }

  func perform(_ context: StepContext) throws(Failure) {
    let manager = try manager(context)
    if manager is NoPackages { throw try notHere(context) }
    try manager.repair()
    let present = try present(manager)
    try remember(present, manager, context)
    var wanted: [(name: String, version: String)] = []
    for package in present { wanted.append((package, try exact(package, manager, context))) }
    let record = try record(context)
    try carryOut(wanted, manager, held: { record.isHeld($0) }, context)
  }

  func verify(_ context: StepContext) throws(Failure) -> JSON {
    let manager = try manager(context)
    let told = try ThisNode.version(of: program, context.machine)
    if told != version {
      guard manager is NoPackages, mayStay else {
        throw Failure(
          what: "\(program) is not at \(version)", why: "it says that it is \(told)",
          next: "check that \(context.machine.find(program: program) ?? program) is the one that the package installs")
      }
      return [
        "manager": "none", "version": .string(told.description),
        "summary": .string("\(program) stays at \(told): packages are not kguard's business here"),
      ]
    }
    var members = JSON.Members()
    for package in try present(manager) {
      members[package] = ["version": JSON(try manager.installed(package)), "held": .bool(try manager.isHeld(package))]
    }
    let words = members.pairs.map { "\($0.key) \($0.value["version"]?.string ?? "")\($0.value["held"] == true ? " (held)" : "")" }
    return [
      "manager": .string(manager.name), "version": .string(told.description), "packages": .object(members),
      "summary": .string(words.isEmpty ? "\(program) is \(told)" : words.joined(separator: ", ")),
    ]
  }

  /// Installs what was there before, from the record that was made then.
  func undo(_ context: StepContext) throws(Failure) {
    let manager = try manager(context)
    let record = try record(context)
    var wanted: [(name: String, version: String)] = []
    for package in packages {
      guard let before = record.version(package), try manager.installed(package) != before else { continue }
      wanted.append((package, before))
    }
    try manager.repair()
    if wanted.isEmpty {
      for package in packages where record.isHeld(package) {
        if try !manager.isHeld(package) { try manager.hold(package) }
      }
      return
    }
    try carryOut(wanted, manager, held: { record.isHeld($0) }, context)
  }

  /// For a rollback, which does not know the version that was wanted: nothing to do where the run recorded no change.
  static func undo(_ packages: [String], _ context: StepContext) throws(Failure) {
    guard let any = KubernetesVersion("v0.0.0") else { return }
    try PackageChange(packages: packages, version: any, mayStay: true).undo(context)
  }

  static func isUndone(_ packages: [String], _ context: StepContext) throws(Failure) -> Bool {
    guard let any = KubernetesVersion("v0.0.0") else { return true }
    let change = PackageChange(packages: packages, version: any, mayStay: true)
    let (manager, record) = (try change.manager(context), try change.record(context))
    for package in packages {
      guard let before = record.version(package) else { continue }
      guard try manager.installed(package) == before else { return false }
      if record.isHeld(package), try !manager.isHeld(package) { return false }
    }
    return true
  }

  // MARK: - Parts

  private func carryOut(
    _ wanted: [(name: String, version: String)], _ manager: any PackageManager, held: (String) -> Bool, _ context: StepContext
  ) throws(Failure) {
    let (argv, environment) = manager.install(wanted)
    try failpoint("packages/\(program)-install.before")
    let end = try context.supervise(argv, environment: environment)
    try failpoint("packages/\(program)-install.after")
    let log = context.state.log(of: context.run, step: context.step, attempt: context.attempt)
    // apt drops holds when it changes held packages, also where it fails later on.
    for (package, _) in wanted where held(package) { try manager.hold(package) }
    try failpoint("packages/\(program)-hold.after")
    if let failure = end.failure(of: argv.prefix(2).joined(separator: " "), log: log) { throw failure }
  }

  private func manager(_ context: StepContext) throws(Failure) -> any PackageManager {
    try PackageManagers.find(context.machine, context.settings.packages)
  }

  /// Those that are installed; the first one always.
  private func present(_ manager: any PackageManager) throws(Failure) -> [String] {
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

  private func notHere(_ context: StepContext) throws(Failure) -> Failure {
    let told = try ThisNode.version(of: program, context.machine)
    return Failure(
      what: "\(program) is not at \(version)", why: "it is \(told), and kguard does not install packages here (packages: none)",
      next: "install \(program) \(version) by your own way, then run the upgrade again")
  }

  // MARK: - What was there before

  private struct Record {
    var json: JSON
    func isHeld(_ package: String) -> Bool { json.at(package, "held")?.bool == true }
    func version(_ package: String) -> String? { json.at(package, "version")?.string }
  }

  private func file(_ context: StepContext) -> String {
    context.state.directory(of: context.parent ?? context.run) + "/packages-\(program).json"
  }

  private func record(_ context: StepContext) throws(Failure) -> Record {
    guard let text = try Files.textIfPresent(file(context)), let json = try? JSON(parsing: text) else { return Record(json: [:]) }
    return Record(json: json)
  }

  /// Written once, before the first change: after a crash the world is no longer what it was.
  private func remember(_ present: [String], _ manager: any PackageManager, _ context: StepContext) throws(Failure) {
    guard try !Files.exists(file(context)) else { return }
    var json = JSON.Members()
    for package in present {
      json[package] = ["version": JSON(try manager.installed(package)), "held": .bool(try manager.isHeld(package))]
    }
    try Files.makeDirectory(Files.directory(of: file(context)), mode: 0o700)
    try Files.replace(file(context), with: Array((JSON.object(json).text() + "\n").utf8))
  }
}
