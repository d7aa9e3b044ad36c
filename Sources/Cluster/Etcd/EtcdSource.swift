internal import Engine
internal import Host
internal import Model
internal import Playbooks

/// The member that a snapshot would come from now, and what it says of itself.
struct EtcdSource {
  let member: EtcdMember
  let members: [EtcdMember]
  let endpoint: EtcdEndpoint
  let status: EtcdStatus

  static func find(_ sight: some StepSight) throws(Failure) -> EtcdSource {
    let survey = try sight.settings.etcdCluster(sight.machine, timeout: .seconds(5), stop: sight.stop).survey()
    let endpoint = try survey.source()
    guard let seat = survey.seats.first(where: { $0.endpoint == endpoint }), let status = seat.status else { throw EtcdSurvey.noLeader }
    return EtcdSource(member: seat.member, members: survey.members, endpoint: endpoint, status: status)
  }

  var words: String { "\(endpoint.name) (member \(member.name), etcd \(status.version), \(sizeForPeople(status.dbSize)))" }
}

extension EtcdTools {
  /// Which program it would be, in words. Nothing is taken out of an image: that would write.
  func words(_ kind: String, _ find: (EtcdTools) throws(Failure) -> EtcdTool) -> String {
    var tools = self
    tools.image = nil
    do throws(Failure) {
      let tool = try find(tools)
      return "\(tool.kind.rawValue) \(tool.version) (\(tool.path))"
    } catch {
      if let image { return "\(kind) out of the image \(image)" }
      return "\(kind), which is not found now (\(error.why))"
    }
  }
}
