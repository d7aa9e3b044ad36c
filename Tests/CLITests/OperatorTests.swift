import Host
import Model
import Testing

/// A run that changed the cluster and then failed where its playbook only stops.
@Suite struct `A run that needs an operator` {
  @Test func `says so, and is tried again where it failed`() throws {
    let node = try SandboxNode()
    defer { node.down() }
    let state = node.bench.path + "/state"
    let file = try node.bench.write(
      "stops.yaml",
      """
      name: stops
      steps:
        - {id: restart, action: kubelet/restart}
        - {id: may-fail, run: ["false"], on-failure: continue}
        - id: wants
          run: ["test", "-e", "\(node.bench.path)/mended"]
      """)
    let failed = try node.kguard(["playbook", "run", file], state: state)
    #expect(failed.exit == 5, "\(failed.errors)")
    #expect(failed.errors.contains("kguard resume"))
    // Nothing was mended: the same again, and no other step.
    #expect(try node.kguard(["resume"], state: state).exit == 5)
    _ = try node.bench.write("mended", "")
    let resumed = try node.kguard(["resume"], state: state)
    #expect(resumed.exit == 0, "\(resumed.errors)")
    let status = try JSON(parsing: try node.kguard(["status", "-o", "json"], state: state).output)
    #expect(status["state"] == "succeeded")
    #expect(status["steps"]?.array?.map { $0["attempts"]?.int } == [1, 1, 3])
  }
}
