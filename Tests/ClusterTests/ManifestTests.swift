import Glibc
import Host
import Model
import Testing

@testable import Cluster

@Suite struct `The manifest of etcd` {
  let directory = TemporaryDirectory()

  /// A machine under the test's directory, with this manifest and what kubeadm's certificates are called.
  private func machine(_ manifest: String?, server: String? = nil, files: [String] = []) throws -> LocalMachine {
    for (name, text) in [("etcd", manifest), ("kube-apiserver", server)] {
      guard let text else { continue }
      try Files.makeDirectory(directory.path + "/etc/kubernetes/manifests")
      try Files.replace("\(directory.path)/etc/kubernetes/manifests/\(name).yaml", with: Array(text.utf8))
    }
    for file in files {
      try Files.makeDirectory(Files.directory(of: directory.path + file))
      try Files.replace(directory.path + file, with: Array("pem".utf8))
    }
    return try LocalMachine(root: directory.path)
  }

  private func manifest(_ words: [String], args: [String] = [], volumes: String = Self.volumes, env: String = "") -> String {
    """
    apiVersion: v1
    kind: Pod
    metadata: {name: etcd, namespace: kube-system}
    spec:
      containers:
      - command:
    \(words.map { "    - \($0)" }.joined(separator: "\n"))
        args: [\(args.joined(separator: ", "))]
        image: registry.k8s.io/etcd:3.5.16-0@sha256:abc
        name: etcd
        env: [\(env)]
        livenessProbe:
          httpGet: {host: 127.0.0.1, path: "/health?serializable=true", port: 2381, scheme: HTTP}
    \(volumes)
    """
  }

  private static let volumes = """
        volumeMounts:
        - {mountPath: /var/lib/etcd, name: etcd-data}
        - {mountPath: /etc/kubernetes/pki/etcd, name: etcd-certs, readOnly: true}
      volumes:
      - {name: etcd-data, hostPath: {path: /var/lib/etcd, type: DirectoryOrCreate}}
      - {name: etcd-certs, hostPath: {path: /etc/kubernetes/pki/etcd}}
    """

  private static let kubeadm = [
    "etcd", "--advertise-client-urls=https://10.0.0.5:2379", "--cert-file=/etc/kubernetes/pki/etcd/server.crt", "--client-cert-auth=true",
    "--data-dir=/var/lib/etcd", "--experimental-initial-corrupt-check=true", "--initial-advertise-peer-urls=https://10.0.0.5:2380",
    "--initial-cluster=cp1=https://10.0.0.5:2380", "--key-file=/etc/kubernetes/pki/etcd/server.key",
    "--listen-client-urls=https://127.0.0.1:2379,https://10.0.0.5:2379", "--listen-metrics-urls=http://127.0.0.1:2381", "--name=cp1",
    "--trusted-ca-file=/etc/kubernetes/pki/etcd/ca.crt",
  ]

  @Test func `kubeadm's own is understood`() throws {
    let etcd = try EtcdManifest.read(try machine(manifest(Self.kubeadm)))
    #expect(etcd.name == "cp1" && etcd.dataDirectory == "/var/lib/etcd" && etcd.walDirectory == nil)
    #expect(etcd.clientURLs == ["https://127.0.0.1:2379", "https://10.0.0.5:2379"])
    #expect(etcd.advertisePeerURLs == ["https://10.0.0.5:2380"] && etcd.initialCluster == "cp1=https://10.0.0.5:2380")
    #expect(etcd.authority == "/etc/kubernetes/pki/etcd/ca.crt" && etcd.key == "/etc/kubernetes/pki/etcd/server.key")
    #expect(etcd.quota == 2 << 30)
    #expect(etcd.flags.flags.map(\.name).contains("experimental-initial-corrupt-check"))
    #expect(etcd.manifest.probes == [.init(kind: .liveness, url: "http://127.0.0.1:2381/health?serializable=true")])
  }

  @Test func `flags in other forms and orders say the same`() throws {
    var words = [
      "/usr/local/bin/etcd", "-name", "cp1", "--client-cert-auth", "--unknown", "--other=a=b", "--data-dir", "/data/x/../x/etcd/",
    ]
    words += ["--listen-client-urls", "'https://0.0.0.0:2379, https://[::]:2379'", "--wal-dir=/wal/here", "--name=cp2"]
    let volumes = """
          volumeMounts:
          - {mountPath: /, name: everything}
          - {mountPath: /data/x/, name: data, subPath: inner}
          - {mountPath: /data, name: outer}
          - {mountPath: /wal, name: wal}
        volumes:
        - {name: data, hostPath: {path: /mnt/disk/}}
        - {name: outer, hostPath: {path: /mnt/outer}}
        - {name: wal, hostPath: {path: /mnt/wal}}
        - {name: everything, emptyDir: {}}
      """
    let etcd = try EtcdManifest.read(
      try machine(
        manifest(words, args: ["--quota-backend-bytes", "'8589934592'"], volumes: volumes, env: "{name: ETCD_INITIAL_CLUSTER, value: a=b}"))
    )
    #expect(etcd.name == "cp2" && etcd.dataDirectory == "/mnt/disk/inner/etcd" && etcd.walDirectory == "/mnt/wal/here")
    #expect(etcd.clientURLs == ["https://127.0.0.1:2379", "https://[::1]:2379"])
    #expect(etcd.quota == 8 << 30 && etcd.initialCluster == "a=b")
    #expect(etcd.flags.flags.map(\.name).prefix(4) == ["name", "client-cert-auth", "unknown", "other"])
    #expect(etcd.flags["other"] == "a=b" && etcd.flags.isOn("client-cert-auth") && !etcd.flags.isOn("name"))
  }

  @Test(arguments: [
    (["etcd"], "it has no --data-dir"), (["etcd", "--data-dir=default.etcd"], "not an absolute path"),
    (["etcd", "--data-dir=/elsewhere"], "on no hostPath volume"), (["etcd", "--config-file=/etc/etcd.conf"], "--config-file"),
    (["/bin/sh", "-c", "'exec etcd --data-dir=/var/lib/etcd'"], "a line for a shell"),
    (["etcd", "--data-dir=/var/lib/etcd", "--name=$(NODE)"], "only kubelet can fill in"),
  ])
  func `what can't be followed is refused with its reason`(words: [String], why: String) throws {
    let machine = try machine(manifest(words))
    let failure = #expect(throws: Failure.self) { try EtcdManifest.read(machine) }
    #expect(
      failure?.why.contains(why) == true && failure?.what.contains("/etc/kubernetes/manifests/etcd.yaml") == true, "\(failure as Any)")
  }

  @Test(arguments: [
    "", "kind: Deployment", "kind: Pod", "kind: Pod\nspec: {containers: [{name: a}, {name: b}]}", "a: &x b\nc: *x", "a: b\na: c", "\t", "[",
    "- a",
  ])
  func `a file that is no manifest is refused`(text: String) throws {
    let machine = try machine(text)
    let failure = #expect(throws: Failure.self) { try EtcdManifest.read(machine) }
    #expect(failure?.exit == .usage)
  }

  @Test func `a missing manifest says which, and what to do`() throws {
    let machine = try machine(nil)
    let failure = #expect(throws: Failure.self) { try EtcdManifest.read(machine) }
    #expect(failure?.what == "cannot read the manifest /etc/kubernetes/manifests/etcd.yaml" && failure?.next.isEmpty == false)
    let location = #expect(throws: Failure.self) { try EtcdLocation.find(machine) }
    #expect(location?.next.contains("etcd.endpoints") == true)
  }

  @Test func `the client certificate made for asking is preferred, then the API server's, then etcd's own`() throws {
    let pki = "/etc/kubernetes/pki/"
    let own = ["etcd/server.crt", "etcd/server.key", "etcd/ca.crt"].map { pki + $0 }
    func certificate(_ more: [String]) throws -> PEM? {
      try EtcdLocation.find(try machine(manifest(Self.kubeadm), files: own + more.map { pki + $0 })).endpoints[0].tls.certificate
    }
    #expect(try certificate([]) == .file(directory.path + pki + "etcd/server.crt"))
    #expect(
      try certificate(["apiserver-etcd-client.crt", "apiserver-etcd-client.key"])
        == .file(directory.path + pki + "apiserver-etcd-client.crt"))
    // Without its key a certificate is none.
    #expect(try certificate(["etcd/healthcheck-client.crt"]) == .file(directory.path + pki + "apiserver-etcd-client.crt"))
    #expect(try certificate(["etcd/healthcheck-client.key"]) == .file(directory.path + pki + "etcd/healthcheck-client.crt"))
  }

  @Test func `one that has run out gives way to one that has not`() throws {
    let pki = try TestPKI(directory.path + "/etc/kubernetes/pki/etcd")
    try pki.certificate("healthcheck-client", days: -1)
    let found = try EtcdLocation.find(try machine(manifest(Self.kubeadm)))
    #expect(found.endpoints[0].tls.certificate == .file(pki.path("server", "crt")))
  }

  @Test func `an external etcd is read from the API server's manifest`() throws {
    let server = """
      kind: Pod
      metadata: {name: kube-apiserver}
      spec:
        containers:
        - name: kube-apiserver
          command: [kube-apiserver, "--etcd-servers=https://e1:2379,https://e2:2379", --etcd-cafile=/certs/ca.crt, --etcd-prefix=/kube]
          volumeMounts: [{name: c, mountPath: /certs}]
        volumes: [{name: c, hostPath: {path: /opt/certs}}]
      """
    let absent = try machine(nil, server: server)
    let missing = #expect(throws: Failure.self) { try EtcdLocation.find(absent) }
    #expect(missing?.why.contains("/opt/certs/ca.crt") == true)
    let machine = try machine(nil, server: server, files: ["/opt/certs/ca.crt"])
    let found = try EtcdLocation.find(machine)
    #expect(found.kind == .external && found.prefix == "/kube")
    #expect(found.endpoints.map(\.url) == ["https://e1:2379", "https://e2:2379"])
    #expect(found.endpoints[0].tls.authority == .file(directory.path + "/opt/certs/ca.crt"))
    // A manifest that the API server does not use is a trap, not an answer.
    let both = try self.machine(manifest(Self.kubeadm), server: server)
    let failure = #expect(throws: Failure.self) { try EtcdLocation.find(both) }
    #expect(failure?.what == "cannot tell which etcd this control plane uses")
    var overrides = EtcdOverrides()
    overrides.endpoints = ["https://e3:2379/"]
    let files = ["server.crt", "server.key", "ca.crt"].map { "/etc/kubernetes/pki/etcd/" + $0 }
    let chosen = try EtcdLocation.find(try self.machine(manifest(Self.kubeadm), files: files), overrides)
    #expect(chosen.endpoints.map(\.url) == ["https://e3:2379"] && chosen.kind == .external)
    // Where nobody answers, and the API server uses the manifest's etcd or none is known, it is that one.
    let used = server.replacing("https://e1:2379,https://e2:2379", with: "https://127.0.0.1:2379")
    let stacked = try EtcdLocation.find(try self.machine(nil, server: used), overrides)
    #expect(stacked.endpoints.map(\.url) == ["https://e3:2379"] && stacked.manifest?.name == "cp1")
    overrides.endpoints = ["https://10.0.0.5:2379"]
    #expect(try EtcdLocation.find(try self.machine(nil, server: server), overrides).manifest?.name == "cp1")
  }

  @Test func `a manifest is that of the etcd at the endpoints where its member is one of theirs`() throws {
    let etcd = try TestEtcd()
    let url = "https://127.0.0.1:\(etcd.ports[0])"
    // The certificates lie where the configuration says.
    for (name, source) in [("ca.crt", "ca"), ("client.crt", "healthcheck-client"), ("client.key", "healthcheck-client")] {
      try Files.makeDirectory(directory.path + "/etc/kguard")
      let kind = name.hasSuffix(".key") ? "key" : "crt"
      try Files.replace(directory.path + "/etc/kguard/" + name, with: try Files.read(etcd.pki.path(source, kind)))
    }
    var overrides = EtcdOverrides()
    overrides.endpoints = [url]
    overrides.authority = "/etc/kguard/ca.crt"
    overrides.certificate = "/etc/kguard/client.crt"
    overrides.key = "/etc/kguard/client.key"
    let cases: [(name: String, advertised: String, isOurs: Bool)] = [
      ("m1", url, true), ("m2", url, false), ("m1", "https://10.9.9.9:2379", false),
    ]
    for (name, advertised, isOurs) in cases {
      let words = [
        "etcd", "--data-dir=/var/lib/etcd", "--name=\(name)", "--listen-client-urls=\(url)", "--advertise-client-urls=\(advertised)",
      ]
      let found = try EtcdLocation.find(try self.machine(manifest(words)), overrides)
      #expect((found.manifest != nil) == isOurs, "\(name) \(advertised)")
      #expect(found.endpoints.map(\.url) == [url])
      #expect(try EtcdCluster(found.endpoints).survey().members.map(\.name) == ["m1"])
    }
  }
}
