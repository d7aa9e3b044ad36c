import Host
import Model
import Testing

@testable import Cluster

/// States of members that are hard to bring about with real ones.
@Suite struct `Choosing a member` {
  private func seat(_ id: UInt64, leader: UInt64 = 1, index: UInt64, applied: UInt64? = nil, learner: Bool = false, answers: Bool = true)
    -> EtcdSurvey.Seat
  {
    var member = EtcdMember()
    member.id = id
    member.name = "m\(id)"
    member.isLearner = learner
    var status = EtcdStatus()
    status.leader = leader
    status.raftIndex = index
    status.raftAppliedIndex = applied ?? index
    status.isLearner = learner
    let failure = Failure(what: "cannot ask", why: "connection refused", next: "start it")
    return EtcdSurvey.Seat(
      member: member, endpoint: answers ? EtcdEndpoint("https://m\(id):2379") : nil, status: answers ? status : nil,
      failure: answers ? nil : failure)
  }

  private func survey(_ seats: [EtcdSurvey.Seat], alarms: [EtcdAlarm] = [], isAgreed: Bool = true, leader: UInt64 = 1) -> EtcdSurvey {
    EtcdSurvey(seats: seats, alarms: alarms, isAgreed: isAgreed, leader: leader)
  }

  @Test func `the first that is close to the leader is chosen`() throws {
    let lagging = seat(2, index: 100)
    let all = survey([lagging, seat(3, index: 4500), seat(1, index: 5000)])
    #expect(try all.source().url == "https://m3:2379")
    #expect(all.lag(of: lagging) == 4900)
    #expect(all.warnings.map(\.what) == ["etcd's member m2 lags"])
    // What is committed but not applied yet lags too.
    let behind = survey([seat(2, index: 5000, applied: 100), seat(1, index: 5000)])
    #expect(try behind.source().url == "https://m1:2379")
  }

  @Test func `where all lag, or none may, there is no snapshot`() {
    func why(_ survey: EtcdSurvey) -> String {
      do throws(Failure) {
        _ = try survey.source()
        return "chosen"
      } catch { return error.what + ": " + error.why }
    }
    let oneIsClose = survey([seat(2, index: 100), seat(3, index: 200), seat(1, index: 5000)])
    #expect(why(oneIsClose) == "chosen")
    #expect(why(survey([seat(2, index: 5000, applied: 3)])).contains("m2 lags: it is 4997 raft entries behind"))
    #expect(why(survey([seat(2, index: 1, learner: true)])).contains("m2 is a learner"))
    #expect(why(survey([seat(2, leader: 0, index: 1)], leader: 0)).contains("no leader"))
    #expect(why(survey([seat(2, leader: 0, index: 1), seat(1, index: 1, answers: false)])).contains("no leader"))
    #expect(why(survey([seat(1, index: 1)], isAgreed: false)).contains("no leader"))
    #expect(why(survey([seat(1, index: 1)], alarms: [EtcdAlarm(member: 1, kind: .corrupt)])).contains("CORRUPT"))
    #expect(why(survey([seat(1, index: 1)], alarms: [EtcdAlarm(member: 1, kind: .noSpace)])) == "chosen")
  }

  @Test func `a restore knows its members only from the list`() throws {
    var members = ["a", "b"].map { name in
      var member = EtcdMember()
      member.name = name
      member.peerURLs = ["https://\(name):2380", "https://\(name):2381"]
      return member
    }
    let order = try RestoreMembership(name: "b", members: members, token: "t")
    #expect(order.initialCluster == "a=https://a:2380,a=https://a:2381,b=https://b:2380,b=https://b:2381")
    #expect(order.peerURLs == members[1].peerURLs && order.memberCount == 2)
    #expect(throws: Failure.self) { try RestoreMembership(name: "c", members: members, token: "t") }
    members[0].name = ""
    #expect(throws: Failure.self) { try RestoreMembership(name: "b", members: members, token: "t") }
  }

  @Test func `versions are read as etcd and its images write them`() {
    #expect(EtcdVersion("3.5.16-0") == EtcdVersion(3, 5, 16) && EtcdVersion("v3.6") == EtcdVersion(3, 6))
    #expect(EtcdVersion("3.4.23") ?? EtcdVersion(0, 0) < EtcdVersion(3, 4, 27))
    #expect(EtcdVersion(3, 5, 1).isSameFamily(as: EtcdVersion(3, 5, 16)) && !EtcdVersion(3, 4).isSameFamily(as: EtcdVersion(3, 5)))
    for text in ["", "3", "latest", "x.y", "99999999999999999999.1"] { #expect(EtcdVersion(text) == nil) }
  }
}
