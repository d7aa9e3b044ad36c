import Host
import Model
import Testing

@testable import Bundles

@Suite(.serialized) struct `Objects of a snapshot` {
  @Test func `objects, one object and a difference are read as they are stored`() throws {
    let etcd = try SnapshotEtcd(.installed)
    try SampleObjects.fill(etcd, keys: 700)
    let (first, reader) = try reader(etcd, "first.db")

    var keys: [String] = []
    var byResource: [String: Int] = [:]
    try reader.objects { (object, digest) throws(Failure) in
      keys.append(object.key)
      byResource[object.resource, default: 0] += 1
      if object.key == "compact_rev_key" { #expect(digest == sha256(Array("7".utf8))) }
    }
    let report = try verifySnapshot(first).report
    #expect(byResource == report.objects)
    let listed = try etcd.ctl("get", "", "--prefix", "--keys-only").text.split(whereSeparator: \.isNewline).map(String.init)
    #expect(keys == listed)

    let node = try reader.object("/registry/minions/node-1")
    #expect(node.object.resource == "nodes")
    #expect(node.identity.encoding == .protobuf)
    #expect(node.identity.kind == "Node" && node.identity.name == "node-1" && node.identity.uid == "uid-of-node-1")
    #expect(node.identity.labels == ["app": "web"])
    #expect(node.value == SampleObjects.protobuf("v1", "Node", "", "node-1"))
    let widget = try reader.object("/registry/example.com/widgets/default/one")
    #expect(widget.object.resource == "widgets.example.com" && widget.object.namespace == "default" && widget.object.name == "one")
    #expect(widget.identity.encoding == .json)
    #expect(widget.identity.kind == "Widget" && widget.identity.uid == "uid-of-one" && widget.identity.labels == ["app": "web"])
    #expect(try reader.object("/registry/secrets/default/sealed").identity.encoding == .encrypted("aescbc:v1:key1"))
    #expect(try reader.object("/registry/pods/ns-0/pod-7").object.version == 2)
    #expect(try reader.object("/registry/pods/ns-3/pod-3").value == Array("again".utf8))
    let gone = #expect(throws: Failure.self) { try reader.object("/registry/pods/ns-2/pod-2") }
    #expect(gone?.why.hasPrefix("it was deleted at revision") == true)
    #expect(#expect(throws: Failure.self) { try reader.object("/nothing") }?.why == "there is no such key in it")

    try etcd.ctl("del", "/registry/pods/ns-4/pod-4")
    try etcd.ctl("put", "/registry/pods/ns-5/pod-5", SampleObjects.json("Pod", "ns-5", "pod-5", filler: 9))
    try etcd.ctl("put", "/registry/pods/ns-6/pod-6", SampleObjects.json("Pod", "ns-6", "pod-6"))
    try etcd.put("/registry/deployments/default/new", bytes: SampleObjects.protobuf("apps/v1", "Deployment", "default", "new"))
    let (_, later) = try self.reader(etcd, "second.db")
    // A table of 64 keys makes both sides take many turns.
    for slots in [64, LiveTable.usualSlots] {
      var changes: [String] = []
      let summary = try diff(reader, later, tableSlots: slots) { (change) throws(Failure) in
        changes.append("\(change.what.rawValue) \(change.kind) \(change.object.namespace ?? "-")/\(change.object.name)")
      }
      #expect(changes == ["added Deployment default/new", "gone Pod ns-4/pod-4", "changed Pod ns-5/pod-5"])
      #expect(summary.same == report.liveKeys - 2)
    }
    #expect(try diff(reader, reader) { _ in }.isEqual)
  }

  @Test func `a table too small for all keys gives the same counts and digest`() throws {
    let etcd = try SnapshotEtcd(.installed)
    try SampleObjects.fill(etcd, keys: 900)
    let path = try etcd.snapshot()
    let whole = try verifySnapshot(path, withLiveDigest: true).report
    for slots in [64, 128, 1024] {
      let report = try verifySnapshot(path, withLiveDigest: true, tableSlots: slots).report
      #expect(report.liveDigest == whole.liveDigest)
      #expect(report.objects == whole.objects)
      #expect(report.liveKeys == whole.liveKeys)
    }
  }

  private func reader(_ etcd: SnapshotEtcd, _ name: String) throws -> (String, SnapshotReader) {
    let path = try etcd.snapshot(name)
    return (path, try SnapshotReader(path))
  }
}

@Suite struct `Names and values of objects` {
  @Test(arguments: [
    ("/registry/pods/default/web", "pods", "default", "web"),
    ("/registry/namespaces/default", "namespaces", nil, "default"),
    ("/registry/minions/node-1", "nodes", nil, "node-1"),
    ("/registry/services/specs/default/kubernetes", "services", "default", "kubernetes"),
    ("/registry/services/endpoints/default/kubernetes", "endpoints", "default", "kubernetes"),
    ("/registry/masterleases/10.0.0.1", "masterleases", nil, "10.0.0.1"),
    ("/registry/ranges/serviceips", "ranges", nil, "serviceips"),
    ("/registry/apiregistration.k8s.io/apiservices/v1.", "apiservices.apiregistration.k8s.io", nil, "v1."),
    ("/registry/apiextensions.k8s.io/customresourcedefinitions/a.b.c", "customresourcedefinitions.apiextensions.k8s.io", nil, "a.b.c"),
    ("/registry/cert-manager.io/certificates/web/tls", "certificates.cert-manager.io", "web", "tls"),
    ("/registry/clusterroles/system:node", "clusterroles", nil, "system:node"),
  ])
  func `a key says resource, namespace and name`(key: String, resource: String, namespace: String?, name: String) {
    let object = ObjectName(key: key)
    #expect(object?.resource == resource)
    #expect(object?.namespace == namespace)
    #expect(object?.name == name)
  }

  @Test(arguments: ["", "/", "compact_rev_key", "/registry", "/registry/health", "/calico/v1/x/y"])
  func `another key is nobody's object`(key: String) { #expect(ObjectName(key: key) == nil) }

  @Test(arguments: [
    #"{"kind":"A","metadata":{"name":"n","labels":{"a":"b","c":"d"},"uid":"u"},"spec":[{"kind":"B"}]}"#,
    #" { "spec" : {"x":"}\"{"} , "metadata" : { "uid" : "u" , "name" : "n" , "ownerReferences":[{"name":"z"}], "labels":{"a":"b","c":"d"} } , "kind" : "\u0041" } "#,
  ])
  func `a JSON value says who it is, however it is written`(text: String) {
    let identity = Array(text.utf8).withUnsafeBytes { ObjectIdentity($0) }
    #expect(identity.kind == "A" && identity.name == "n" && identity.uid == "u" && identity.labels == ["a": "b", "c": "d"])
  }

  @Test func `no value makes the reader fail`() {
    let starts: [[UInt8]] = [
      SampleObjects.protobuf("v1", "Pod", "default", "web", filler: 40), Array(SampleObjects.json("Pod", "a", "b", filler: 5).utf8),
      Array("k8s:enc:".utf8), Array("k8s\0".utf8), [], [0x20], Array("{\"a\\".utf8),
    ]
    var random = SeededRandom(seed: 11)
    for start in starts {
      for cut in 0...start.count { start[..<cut].withUnsafeBytes { _ = ObjectIdentity($0) } }
      for _ in 0..<500 where !start.isEmpty {
        var bytes = start
        for _ in 0..<3 { bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random) }
        bytes.withUnsafeBytes { raw in
          _ = ObjectIdentity(raw)
          _ = try? KeyValue(raw)
        }
      }
    }
  }
}

/// SplitMix64: the same numbers from the same seed.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}
