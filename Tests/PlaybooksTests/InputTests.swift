import Model
import Playbooks
import Testing

@Suite struct `Inputs of a playbook` {
  let playbook: Playbook

  init() throws { playbook = try Playbook.load(text: upgrade, file: "upgrade.yaml", catalogue: catalogue) }

  @Test func `what is not given is the default or the empty text`() throws {
    #expect(try playbook.resolveInputs(["version": "v1.34.1"]) == ["version": "v1.34.1", "channel": "stable", "note": ""])
  }

  @Test(arguments: [
    ([:], "the input `version` is missing (the target)"),
    (["version": "1.34"], "the input `version` is `1.34`, which does not match `v\\d+\\.\\d+\\.\\d+`"),
    (["version": "v1.34.1; rm -rf /"], "the input `version` is `v1.34.1; rm -rf /`, which does not match `v\\d+\\.\\d+\\.\\d+`"),
    (["verison": "v1.34.1"], "it has no input `verison`; did you mean `version`?; the input `version` is missing (the target)"),
    (["version": "v1.34.1", "note": "a\0b"], "the input `note` holds a NUL character"),
  ])
  func `all that is wrong is said at once`(given: [String: String], why: String) {
    do throws(Failure) {
      _ = try playbook.resolveInputs(given)
      Issue.record("they were taken")
    } catch {
      #expect(error.why == why)
      #expect(error.exit == .usage)
    }
  }

  @Test func `an action looks at what was filled in`() throws {
    let snapshot = try #require(catalogue["etcd/snapshot"])
    try snapshot.check(["rate": "50", "deadline": "1h30m", "defragment": "true", "from": "any"])
    for wrong in [["rate": "fast"], ["deadline": "5"], ["defragment": "yes"], ["from": "nobody"]] {
      #expect(throws: Failure.self) { try snapshot.check(wrong) }
    }
  }
}
