import Bundles
import Host
import Model
import Testing

@Suite(.enabled(if: TestTools.systemPython != nil, "needs python3")) struct `A store over HTTPS` {
  let directory = StoreTestDirectory()

  func serve(tls: Bool = true, _ more: [String] = []) throws -> TestServer {
    let python = try #require(TestTools.systemPython)
    var argv = [python, TestTools.servers + "/webdav.py", try directory.make("dav"), "guard:pass:word"]
    if tls {
      try SecureServer.run([
        "/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
        "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "\(directory.path)/key.pem", "-out", "\(directory.path)/ca.pem",
      ])
      argv += ["\(directory.path)/ca.pem", "\(directory.path)/key.pem"]
    }
    return try TestServer.announcing(argv + more, in: directory)
  }

  func open(_ url: String, _ options: [String: String] = [:], environment: [String: String] = [:]) throws -> any Store {
    var options = options
    if url.hasPrefix("https") && options["ca-file"] == nil { options["ca-file"] = "\(directory.path)/ca.pem" }
    return try StoreFactory.open(
      StoreTarget(url, options: options),
      StoreContext(
        machine: LocalMachine(), scratch: directory.path + "/scratch", retry: RetryPolicy(attempts: 3, base: .milliseconds(5)),
        environment: { environment[$0] }))
  }

  func password() throws -> String { try directory.write("password", "guard:pass:word\n") }

  @Test func `keeps the contract`() throws {
    let server = try serve()
    try checkContract(open("https://127.0.0.1:\(server.port)/backups/one%20cluster", ["credentials-file": password()]), directory)
  }

  @Test func `keeps the contract with a server that wants to know sizes`() throws {
    let server = try serve(["--no-chunks"])
    try checkContract(open("https://127.0.0.1:\(server.port)", ["credentials-file": password()]), directory)
  }

  @Test func `credentials come from the file, the environment or netrc, and never from the URL`() throws {
    let server = try serve()
    let url = "https://127.0.0.1:\(server.port)/x"
    _ = try open(url, ["user": "guard", "credentials-file": directory.write("alone", "pass:word\n")]).probe()
    _ = try open(url, environment: ["KGUARD_STORE_USER": "guard", "KGUARD_STORE_PASSWORD": "pass:word"]).probe()
    let netrc = try directory.write("netrc", "machine other login a password b\nmachine 127.0.0.1\n  login guard\n  password pass:word\n")
    _ = try open(url, environment: ["NETRC": netrc]).probe()

    let failure = #expect(throws: Failure.self) { try open(url, ["credentials-file": directory.write("wrong", "guard:wrong")]).probe() }
    #expect(failure?.isTransient == false && failure?.why.contains("401") == true)
    #expect(String(describing: failure).contains("wrong\"") == false)
    let readable = try directory.write("open", "guard:pass:word", mode: 0o644)
    #expect(throws: Failure.self) { try open(url, ["credentials-file": readable]) }
    let inURL = #expect(throws: Failure.self) { try open("https://guard:hunter2@127.0.0.1/x") }
    #expect(inURL?.exit == .usage && !String(describing: inURL).contains("hunter2"))
  }

  @Test func `a server that shows the wrong certificate gets nothing`() throws {
    let server = try serve()
    let failure = #expect(throws: Failure.self) {
      try open("https://127.0.0.1:\(server.port)/x", ["credentials-file": password(), "ca-file": "/etc/ssl/certs/ca-certificates.crt"])
        .probe()
    }
    #expect(failure?.isTransient == false, "\(String(describing: failure))")
  }

  @Test func `without TLS only on this machine itself`() throws {
    let server = try serve(tls: false)
    _ = try open("http://127.0.0.1:\(server.port)/x", ["credentials-file": password()]).probe()
    for url in ["http://example.org/x", "http://127.0.0.1.example.org/x", "http://127.example.org/"] {
      let failure = #expect(throws: Failure.self) { try open(url) }
      #expect(failure?.exit == .usage)
    }
  }
}
