internal import Engine
internal import Glibc
internal import Host
internal import Journal
internal import Model
internal import Playbooks

/// The packages as they were before a run changed the first one: versions, holds, and each as a file in the run's directory. They are
/// what a rollback needs when the repository has forgotten them.
struct FormerPackages {
  /// Kubernetes' own, and those that its packages want in versions of their choice.
  static let names = ["kubeadm", "kubelet", "kubectl", "kubernetes-cni", "cri-tools"]
  static let kind = "kept-packages"

  struct Package {
    let name: String
    let version: String
    /// Its package file; nil where an older kguard kept none.
    var file: String?
    var how = ""
    var sha256 = ""
  }

  let manager: String

  private init(manager: String) { self.manager = manager }

  /// Written by an older kguard: without files, and perhaps without all packages.
  private var isOld = false
  private var packages: [Package] = []
  /// All of the node's.
  private(set) var holds: [String] = []
  /// Exact versions of the target that lie in the manager's cache.
  private(set) var fetched: [String: String] = [:]

  func version(_ package: String) -> String? { packages.first { $0.name == package }?.version }

  // MARK: - The record

  /// No step can be named so: its directory would be the same.
  static func directory(_ context: some StepSight) -> String {
    directory(ofRun: context.state.directory(of: context.parent ?? context.run))
  }
  static func directory(ofRun directory: String) -> String { directory + "/packages.kept" }
  private static func record(_ context: some StepSight) -> String {
    context.state.directory(of: context.parent ?? context.run) + "/packages.json"
  }

  /// What this run, or the one that it rolls back, has written down; nil where it has changed no package.
  static func load(_ context: some StepSight) throws(Failure) -> FormerPackages? {
    guard let text = try Files.textIfPresent(record(context)) else { return try loadOld(context) }
    let json = try JSON(parsing: text)
    var former = FormerPackages(manager: json["manager"]?.string ?? "")
    for (name, package) in json["packages"]?.object?.pairs ?? [] {
      guard let version = package["version"]?.string else { continue }
      former.packages.append(
        Package(
          name: name, version: version, file: package["file"]?.string.map { directory(context) + "/" + $0 },
          how: package["how"]?.string ?? "", sha256: package["sha256"]?.string ?? ""))
    }
    former.holds = (json["holds"]?.array ?? []).compactMap(\.string)
    for (name, version) in json["fetched"]?.object?.pairs ?? [] { former.fetched[name] = version.string }
    return former
  }

  /// A run that an older kguard began: versions and holds, no files.
  private static func loadOld(_ context: some StepSight) throws(Failure) -> FormerPackages? {
    var former = FormerPackages(manager: Configuration.Packages.auto.rawValue)
    former.isOld = true
    for group in ["kubeadm", "kubelet"] {
      let path = context.state.directory(of: context.parent ?? context.run) + "/packages-\(group).json"
      guard let text = try Files.textIfPresent(path), let json = try? JSON(parsing: text) else { continue }
      for (name, package) in json.object?.pairs ?? [] {
        if let version = package["version"]?.string { former.packages.append(Package(name: name, version: version)) }
        if package["held"]?.bool == true { former.holds.append(name) }
      }
    }
    return former.packages.isEmpty ? nil : former
  }

  private func save(_ context: StepContext) throws(Failure) {
    var members = JSON.Members()
    for package in packages {
      members[package.name] = [
        "version": .string(package.version), "file": JSON(package.file.map(Files.name(of:))), "how": .string(package.how),
        "sha256": .string(package.sha256),
      ]
    }
    var ahead = JSON.Members()
    for (name, version) in fetched.sorted(by: { $0.key < $1.key }) { ahead[name] = .string(version) }
    let json: JSON = [
      "manager": .string(manager), "packages": .object(members), "holds": JSON(holds), "fetched": .object(ahead),
    ]
    try Files.replace(Self.record(context), with: Array((json.text(pretty: true) + "\n").utf8))
  }

  // MARK: - Before the first change

  /// Written once, when every file is there: after a crash in between nothing was changed yet, and it begins anew.
  static func keep(_ manager: any PackageManager, _ context: StepContext) throws(Failure) -> FormerPackages {
    let there = try load(context)
    if let there, !there.isOld { return there }
    var former = FormerPackages(manager: manager.name)
    former.holds = try manager.holds()
    former.holds += (there?.holds ?? []).filter { !former.holds.contains($0) }
    let directory = directory(context)
    try context.artifact(kind, directory, .planned)
    try failpoint("packages/keep.before")
    try Files.removeOwnTree(directory)
    try Files.makeDirectory(directory, mode: 0o700)
    for (name, version) in try present(manager) {
      if let older = there?.version(name), older != version {
        former.packages.append(Package(name: name, version: older))
        continue
      }
      context.phase("keeping \(name) \(version)")
      try context.checkpoint()
      let (file, how) = try manager.keep(name, version, in: directory)
      let digest = try digestOfFile(file)
      former.packages.append(Package(name: name, version: version, file: file, how: how, sha256: "\(digest)"))
      try failpoint("packages/keep-\(name).after")
    }
    try failpoint("packages/keep-save.before")
    try former.save(context)
    try context.artifact(kind, directory, .present, detail: ["packages": former.json])
    try failpoint("packages/keep.after")
    return former
  }

  /// What would be kept now.
  static func present(_ manager: any PackageManager) throws(Failure) -> [(name: String, version: String)] {
    var found: [(name: String, version: String)] = []
    for name in names { if let version = try manager.installed(name) { found.append((name, version)) } }
    return found
  }

  /// Notes what was fetched of the target.
  mutating func note(fetched packages: [(name: String, version: String)], _ context: StepContext) throws(Failure) {
    for (name, version) in packages { fetched[name] = version }
    try save(context)
  }

  var json: JSON {
    var members = JSON.Members()
    for package in packages where package.file != nil {
      members[package.name] = ["version": .string(package.version), "from": .string(package.how)]
    }
    return .object(members)
  }

  // MARK: - The way back

  /// What is not as it was, in words.
  func left(_ manager: any PackageManager) throws(Failure) -> [String] {
    var words: [String] = []
    for package in packages {
      let now = try manager.installed(package.name)
      if now != package.version { words.append("\(package.name) is \(now ?? "not whole"), it was \(package.version)") }
    }
    let held = try manager.holds()
    return words + holds.filter { !held.contains($0) }.map { "\($0) was held, and is not any more" }
  }

  /// Installs what differs from the files that were kept; from the repository only where there are none. Holds are put back in any case.
  func restore(_ manager: any PackageManager, _ context: StepContext) throws(Failure) {
    let (files, others, changed) = try wayBack(manager) { context.message($0) }
    try failpoint("packages/restore.before")
    var failure = files.isEmpty ? nil : try context.carryOut(manager.install(files: files))
    if failure == nil, !others.isEmpty {
      try manager.repair()
      failure = try context.carryOut(manager.install(others))
    }
    try failpoint("packages/restore.after")
    try putHoldsBack(manager, changed: changed)
    try failpoint("packages/restore-hold.after")
    if let failure { throw failure }
  }

  /// What differs: files to install it from, what has to come from the repository, and all names.
  func wayBack(
    _ manager: any PackageManager, tell: (String) -> Void = { _ in }
  ) throws(Failure) -> (files: [String], others: [(name: String, version: String)], changed: [String]) {
    var files: [String] = []
    var others: [(name: String, version: String)] = []
    var changed: [String] = []
    for package in packages where try manager.installed(package.name) != package.version {
      changed.append(package.name)
      if let file = try whole(package, tell) { files.append(file) } else { others.append((package.name, package.version)) }
    }
    return (files, others, changed)
  }

  /// The commands that do it by hand.
  func commands(_ manager: any PackageManager) throws(Failure) -> String {
    let (files, others, changed) = try wayBack(manager)
    let held = try manager.holds()
    var commands: [String] = []
    if !files.isEmpty { commands.append(manager.install(files: files).argv.joined(separator: " ")) }
    if !others.isEmpty { commands.append(manager.install(others).argv.joined(separator: " ")) }
    let hold = holds.filter { name in !held.contains(name) || changed.contains(name) }
    if !hold.isEmpty { commands.append(manager.holdCommand(hold)) }
    return commands.map { "`\($0)`" }.joined(separator: ", then ")
  }

  /// Package managers drop the holds of what they were allowed to change, also where they fail later on; and of what comes along.
  func putHoldsBack(_ manager: any PackageManager, changed: [String]) throws(Failure) {
    let held = try manager.holds()
    for name in holds where !held.contains(name) || changed.contains(name) { try manager.hold(name) }
  }

  /// The file, where it is still what was kept.
  private func whole(_ package: Package, _ tell: (String) -> Void) throws(Failure) -> String? {
    guard let file = package.file, try Files.exists(file) else { return nil }
    if try "\(Self.digestOfFile(file))" == package.sha256 { return file }
    tell("\(file) is not any more what was kept: \(package.name) comes from the repository")
    return nil
  }

  private static func digestOfFile(_ path: String) throws(Failure) -> Digest {
    let file = try OpenFile(path, O_RDONLY)
    var hash = SHA256Hasher()
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = try buffer.withMutableBytes { (raw) throws(Failure) in try file.read(into: raw) }
      if count == 0 { return hash.finish() }
      try buffer.withBytes { (raw) throws(Failure) in hash.update(UnsafeRawBufferPointer(rebasing: raw[..<count])) }
    }
  }
}

extension StepContext {
  /// How the command failed; nil where it ended well. Throws where its end is not known yet: then nothing else may be done.
  func carryOut(_ command: PackageCommand) throws(Failure) -> Failure? {
    let end = try supervise(command.argv, environment: command.environment)
    return end.failure(of: command.argv.prefix(2).joined(separator: " "), self)
  }
}
