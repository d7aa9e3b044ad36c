internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// etcd's members: found, healthy, led, with room to grow.
enum EtcdChecks {
  static func all(_ scene: PreflightScene) -> [Check] {
    let found = Check("etcd") { () throws(Failure) in
      let location = try scene.configuration.etcdLocation(scene.machine)
      let names = location.endpoints.map(\.name).joined(separator: ", ")
      guard let manifest = location.manifest else {
        return .warn(
          "external, at \(names)", remedy: "kguard takes its snapshot, and never restores it: agree with its owner how that is done")
      }
      return .pass("stacked, \(manifest.name) at \(names), data in \(manifest.dataDirectory)")
    }
    if found.result == .fail { return [found] }
    let survey: EtcdSurvey
    do throws(Failure) {
      survey = try scene.etcd().survey()
    } catch {
      return [found, Check("etcd-members") { () throws(Failure) in throw error }]
    }
    return [found, members(survey), quota(survey, scene), version(survey, scene), tool(survey, scene)]
  }

  private static func members(_ survey: EtcdSurvey) -> Check {
    Check("etcd-members") { () throws(Failure) in
      var problems = survey.warnings
      problems += survey.alarms.filter { $0.kind == .corrupt }.map { alarm in
        Failure(
          what: "etcd has the alarm CORRUPT", why: "member \(etcdID(alarm.member)) differs",
          next: "replace the member that is wrong; do not upgrade before")
      }
      if survey.leader == 0 || !survey.isAgreed { problems.append(EtcdSurvey.noLeader) }
      let leaders = Set(survey.seats.compactMap { $0.status?.leader })
      if leaders.count > 1 {
        problems.append(
          Failure(what: "etcd's members do not agree on a leader", why: "they name \(leaders.count)", next: "wait until they do"))
      }
      for error in survey.seats.flatMap({ $0.status?.errors ?? [] }) where !error.contains("alarm") {
        problems.append(Failure(what: "etcd reports an error", why: error, next: "look at etcd's log"))
      }
      if problems.isEmpty {
        return .pass(
          "\(survey.seats.count == 1 ? "one member" : "\(survey.seats.count) members"), healthy, one leader, no alarm, no learner")
      }
      return .fail(problems.map(\.description).joined(separator: "; "), remedy: problems.map(\.next).joined(separator: "; "))
    }
  }

  private static func quota(_ survey: EtcdSurvey, _ scene: PreflightScene) -> Check {
    Check("etcd-quota") { () throws(Failure) in
      let configured = try scene.configuration.etcdLocation(scene.machine).manifest?.quota ?? (2 << 30)
      let largest = survey.seats.compactMap(\.status).max { $0.dbSize < $1.dbSize }
      let quota = largest.flatMap { $0.quota > 0 ? $0.quota : nil } ?? configured
      let (size, used) = (largest?.dbSize ?? 0, largest?.dbSizeInUse ?? 0)
      let percent = Int(Double(size) / Double(max(1, quota)) * 100)
      let text = "\(sizeForPeople(size)) of \(sizeForPeople(quota)) (\(percent) %), \(sizeForPeople(used)) in use"
      let remedy = EtcdFailures.noSpaceRemedy
      if percent >= 90 { return .fail(text, remedy: remedy) }
      return percent >= 75 ? .warn(text, remedy: remedy) : .pass(text)
    }
  }

  /// Kubernetes 1.34 brings etcd 3.6, which takes a cluster from 3.5.26 or later only.
  static let firstWith36 = (1, 34)
  static let safeBefore36 = EtcdVersion(3, 5, 26)

  private static func version(_ survey: EtcdSurvey, _ scene: PreflightScene) -> Check {
    Check("etcd-version") { () throws(Failure) in
      let versions = Set(survey.seats.compactMap { $0.status.flatMap { EtcdVersion($0.version) } })
      guard versions.count == 1, let version = versions.first else {
        return .fail(
          "members run \(versions.sorted().map(\.description).joined(separator: ", "))", remedy: "bring all members to one version first")
      }
      if version < EtcdVersion(3, 4) { return .fail("etcd \(version) is too old", remedy: "kguard needs etcd 3.4 or later") }
      if let target = scene.target, (target.major, target.minor) >= firstWith36, version < safeBefore36 {
        return .fail(
          "etcd \(version) would go to 3.6, which is safe from \(safeBefore36) only",
          remedy: "upgrade to the newest patch of the present minor version first")
      }
      return .pass("etcd \(version)")
    }
  }

  private static func tool(_ survey: EtcdSurvey, _ scene: PreflightScene) -> Check {
    Check("restore-tool") { () throws(Failure) in
      let location = try scene.configuration.etcdLocation(scene.machine)
      guard let version = survey.seats.compactMap({ $0.status.flatMap { EtcdVersion($0.version) } }).max() else {
        return .fail("etcd's version is not known", remedy: "see the check etcd-members")
      }
      let tools = EtcdTools(
        scene.machine, cache: scene.state.path + "/tools", image: location.manifest?.image, restoreTool: scene.configuration.etcd.tool)
      let tool = try tools.findRestoreTool(for: version)
      let server = try tools.findServer(for: version)
      let bumps = try tool.canBumpRevision()
      let text = "\(tool.kind.rawValue) \(tool.version) and etcd \(server.version)"
      if bumps { return .pass(text) }
      return .warn(
        text + ", which cannot bump revisions",
        remedy: "after a rollback, restart what watches the API on other nodes (kubelets, operators)")
    }
  }
}
