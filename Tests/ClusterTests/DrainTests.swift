import Model
import Testing

@testable import Cluster

@Suite struct `Pods of a drain` {
  static func pod(_ name: String, owner: JSON?, volumes: JSON = .array([]), phase: String = "Running") -> KubernetesPod {
    var metadata: JSON = ["name": .string(name), "namespace": "demo"]
    if let owner { metadata["ownerReferences"] = .array([owner]) }
    return KubernetesPod(json: ["metadata": metadata, "spec": ["volumes": volumes], "status": ["phase": .string(phase)]])
  }

  @Test func `bare pods stay, and data on disk stays unless it may go`() {
    let replica: JSON = ["kind": "ReplicaSet", "name": "r", "controller": true]
    let data: JSON = [["name": "v", "emptyDir": [:]]]
    let pods = [
      Self.pod("web", owner: replica), Self.pod("bare", owner: nil), Self.pod("owned", owner: ["kind": "Thing", "name": "t"]),
      Self.pod("cache", owner: replica, volumes: data),
      Self.pod("memory", owner: replica, volumes: [["name": "v", "emptyDir": ["medium": "Memory"]]]),
      Self.pod("done", owner: nil, phase: "Succeeded"), Self.pod("proxy", owner: ["kind": "DaemonSet", "name": "d", "controller": true]),
      Self.pod("static", owner: ["kind": "Node", "name": "a", "controller": true]),
    ]
    let (evictable, left) = NodeView.sort(pods, deletesLocalData: false)
    #expect(evictable.map(\.name) == ["web", "memory"])
    #expect(
      left == ["demo/bare has no controller", "demo/cache keeps data in an emptyDir", "demo/owned has no controller"])
    #expect(NodeView.sort(pods, deletesLocalData: true).evictable.map(\.name) == ["web", "cache", "memory"])
    #expect(NodeView.sort(pods, deletesLocalData: true).left.count == 2)
  }
}
