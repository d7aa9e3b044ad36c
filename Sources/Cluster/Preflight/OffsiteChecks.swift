internal import Bundles
internal import Model
internal import Playbooks

/// Off-site targets: a small object is written, read back and deleted.
enum OffsiteChecks {
  static func all(_ scene: PreflightScene) -> [Check] { [Check("offsite") { () throws(Failure) in try look(scene) }] }

  private static func look(_ scene: PreflightScene) throws(Failure) -> Check.Verdict {
    let offsite = try Offsite(scene.configuration, scene.machine, scene.state)
    if offsite.targets.isEmpty {
      if scene.mayStayHere {
        return .warn("no target is configured, and it was said that none is wanted", remedy: "name one under `offsite:`")
      }
      let none = Offsite.none(scene.configuration, scene.machine)
      return .fail(none.why, remedy: none.next)
    }
    do throws(Failure) { try offsite.requireFittingKeys() } catch { return .fail(error.description, remedy: error.next) }
    var (good, bad, optional): ([String], [String], [String]) = ([], [], [])
    var (remedies, notes): ([String], [String]) = ([], [])
    for target in offsite.targets {
      do throws(Failure) {
        if let note = try offsite.warnOfOwnDisk(target) { notes.append(note) }
        let store = try offsite.probe(target)
        good.append(store.url)
      } catch {
        remedies.append(error.exit == .preflightRefused ? error.next : "check the URL, the credentials and the network")
        if target.isRequired { bad.append(error.description) } else { optional.append(error.description) }
      }
    }
    let remedy = Set(remedies).sorted().joined(separator: "; ")
    if !bad.isEmpty { return .fail(bad.joined(separator: "; "), remedy: remedy) }
    if !optional.isEmpty { return .warn((good + optional).joined(separator: "; "), remedy: remedy) }
    if !notes.isEmpty {
      return .warn(
        "written and read back: \(good.joined(separator: ", ")); " + notes.joined(separator: "; "),
        remedy: "name a target that is not lost with this node")
    }
    return .pass("written and read back: \(good.joined(separator: ", "))" + (offsite.isEncrypted ? "" : "; copies are not encrypted"))
  }
}
