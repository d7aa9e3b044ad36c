import Bundles
import Host
import Model
import Testing

/// A store behind a proxy that goes wrong as it is told: retried or refused as fits, never "copied" when it is not.
@Suite(.enabled(if: TestTools.haveS3, TestTools.hint)) struct `A store that fails` {
  let directory = StoreTestDirectory()
  let retry = RetryPolicy(attempts: 4, base: .milliseconds(4), random: { 0.5 })

  func rclone() throws -> TestServer {
    _ = try directory.make("buckets/bundles")
    let port = try TestServer.freePort()
    return try TestServer.listening(
      port,
      [
        TestTools.rclone, "serve", "s3", "--config", "/dev/null", "--addr", "127.0.0.1:\(port)", "--auth-key", "guard,secret",
        directory.path + "/buckets",
      ], in: directory)
  }

  func proxy(_ server: TestServer, _ rules: [JSON]) throws -> TestServer {
    try TestServer.announcing(
      [TestTools.python, TestTools.servers + "/faulty_proxy.py", "\(server.port)"] + rules.map { $0.text() }, in: directory)
  }

  func open(_ server: TestServer) throws -> any Store {
    let values = ["AWS_ACCESS_KEY_ID": "guard", "AWS_SECRET_ACCESS_KEY": "secret"]
    return try StoreFactory.open(
      StoreTarget("s3://bundles/c", options: ["endpoint": "http://127.0.0.1:\(server.port)", "part-size": "5"]),
      StoreContext(machine: LocalMachine(), scratch: directory.path, retry: retry, environment: { values[$0] }))
  }

  static func error(_ code: String) -> JSON { .string("<Error><Code>\(code)</Code><Message>as the test wants</Message></Error>") }

  /// Of three parts.
  func bundle(isSealed: Bool = true) throws -> SentBundle { try SentBundle(in: directory, 11 << 20, isSealed: isSealed) }

  @Test(
    arguments: [
      ["method": "PUT", "path": "partNumber=2", "do": "status", "status": 500, "times": 3],
      ["method": "PUT", "path": "partNumber=1", "do": "status", "status": 503, "times": 2, "body": error("SlowDown")],
      ["method": "PUT", "path": "partNumber=1", "do": "status", "status": 503, "headers": ["Retry-After": "1"]],
      ["method": "PUT", "path": "partNumber=3", "do": "status", "status": 429],
      ["method": "PUT", "path": "partNumber=2", "do": "cut-request", "times": 2],
      ["method": "PUT", "path": "partNumber=2", "do": "after", "status": 500],
      ["method": "POST", "path": "uploads=", "do": "status", "status": 500],
      ["method": "POST", "path": "uploadId", "do": "status", "status": 200, "body": error("InternalError")],
      ["method": "POST", "path": "uploadId", "do": "after", "status": 500],
      ["method": "POST", "path": "uploadId", "do": "status", "status": 200],
      ["method": "GET", "path": "/b/snapshot", "do": "cut-answer", "bytes": 3_000_000, "times": 3],
      ["method": "GET", "path": "/b/snapshot", "do": "status", "status": 503, "times": 2],
      ["method": "GET", "path": "/b/snapshot", "do": "truncate", "bytes": 1_000_000],
      ["method": "GET", "path": "/b/snapshot", "do": "flip"],
      ["method": "HEAD", "path": "/b/snapshot", "do": "status", "status": 500, "times": 3],
    ] as [JSON], [false, true]) func `what passes is tried again until the copy is right`(rule: JSON, isSealed: Bool) throws
  {
    let server = try rclone()
    let proxy = try proxy(server, [rule])
    let bundle = try bundle(isSealed: isSealed)
    // The second time it looks at what is there.
    for _ in 1...2 { try bundle.copy(to: open(proxy), retry: retry) }
    #expect(bundle.sent == SentBundle.files && bundle.readBack == Set(SentBundle.files))
    #expect(try bundle.opened(directory.path + "/buckets/bundles/c/" + bundle.name) == bundle.noise)
    #expect(proxy.logged.contains { $0.hasSuffix(" " + (rule["do"]?.string ?? "")) }, "the fault was met")
  }

  @Test(arguments: [
    ("ExpiredToken", 400, "credentials"), ("InvalidAccessKeyId", 403, "access key"), ("AccessDenied", 403, "s3:PutObject"),
    ("RequestTimeTooSkewed", 403, "clock"), ("NoSuchBucket", 404, "bucket"), ("QuotaExceeded", 403, "quota"),
    ("InsufficientStorage", 507, "quota"), ("NotImplemented", 501, "endpoint"),
  ]) func `what cannot pass is final, at once, and says what to do`(code: String, status: Int, next: String) throws {
    let server = try rclone()
    let rule: JSON = [
      "method": "PUT", "do": "status", "status": .int(Int64(status)), "body": Self.error(code), "times": 99,
      "headers": ["Date": "Sat, 21 Nov 2020 00:00:00 GMT"],
    ]
    let proxy = try proxy(server, [rule])
    let failure = #expect(throws: Failure.self) { try open(proxy).put("x", .bytes([1, 2, 3]), Transfer()) }
    #expect(failure?.isTransient == false && failure?.next.contains(next) == true, "\(String(describing: failure))")
    #expect(failure?.why.contains(code) == true)
    #expect(proxy.logged.count == 1)
  }

  @Test func `an upload that fails is aborted, and nothing is seen of it`() throws {
    let server = try rclone()
    let proxy = try proxy(server, [["method": "PUT", "path": "partNumber=2", "do": "status", "status": 403, "times": 9]])
    let bundle = try bundle()
    #expect(throws: Failure.self) { try bundle.copy(to: open(proxy), retry: retry) }
    #expect(proxy.logged.contains { $0.hasPrefix("DELETE") && $0.contains("uploadId") })
    #expect(try open(server).head(bundle.name) == nil)
  }

  @Test func `a completion that fails in an answer of 200 is a failure`() throws {
    let server = try rclone()
    let body = Self.error("InvalidPart")
    let proxy = try proxy(server, [["method": "POST", "path": "uploadId", "do": "status", "status": 200, "body": body, "times": 9]])
    let bundle = try bundle()
    let failure = #expect(throws: Failure.self) { try bundle.copy(to: open(proxy), retry: retry) }
    #expect(failure?.why.contains("InvalidPart") == true && failure?.isTransient == false)
    #expect(try open(server).head(bundle.name) == nil)
  }

  @Test(
    arguments: [
      ["method": "GET", "path": "/b/snapshot", "do": "truncate", "bytes": 1_000_000, "times": 99],
      ["method": "GET", "path": "/b/snapshot", "do": "flip", "times": 99],
      // The header of a sealed file.
      ["method": "GET", "path": "/b/snapshot", "do": "flip", "at": 40, "times": 99],
    ] as [JSON], [false, true]) func `an object that is not what was sent is never copied`(rule: JSON, isSealed: Bool) throws
  {
    let server = try rclone()
    let bundle = try bundle(isSealed: isSealed)
    let failure = #expect(throws: Failure.self) { try bundle.copy(to: open(proxy(server, [rule])), retry: retry) }
    #expect(failure?.exit == .verification && bundle.readBack.isEmpty, "\(String(describing: failure))")
    #expect(failure?.what.contains(bundle.name) == true, "\(String(describing: failure))")
  }

  @Test(arguments: [false, true]) func `what was read back and differs later counts no more before it is sent again`(isSealed: Bool) throws
  {
    let server = try rclone()
    let bundle = try bundle(isSealed: isSealed)
    try bundle.copy(to: open(server), retry: retry)
    let rules: [JSON] = [
      ["method": "GET", "path": "/b/snapshot", "do": "flip", "at": 40, "times": 99],
      ["method": "PUT", "do": "status", "status": 403, "times": 99],
    ]
    let failure = #expect(throws: Failure.self) { try bundle.copy(to: open(proxy(server, rules)), retry: retry) }
    #expect(failure?.exit == .failed && bundle.readBack == ["SHA256SUMS", "bundle.json"], "\(String(describing: failure))")
    // The store was right all the time: it is only read.
    try bundle.copy(to: open(server), retry: retry)
    #expect(bundle.sent == SentBundle.files && bundle.readBack == Set(SentBundle.files))
  }

  @Test func `a server that stores half of what it accepted is found out`() throws {
    let server = try rclone()
    let store = try open(server)
    let bundle = try bundle()
    try bundle.copy(to: store, retry: retry)
    let path = directory.path + "/buckets/bundles/c/" + bundle.name
    try Files.replace(path, with: Array(try Files.read(path).prefix(1 << 20)))
    let receipt = try #require(bundle.receipts["snapshot.db"])
    let failure = #expect(throws: Failure.self) { try store.readBack(bundle.name, expecting: receipt, retry: retry) }
    #expect(failure?.exit == .verification && failure?.why.contains("1048576 bytes") == true, "\(String(describing: failure))")
    // It is sent again and is right.
    try bundle.copy(to: store, retry: retry)
    #expect(bundle.sent == SentBundle.files + ["snapshot.db"])
    #expect(try bundle.opened(path) == bundle.noise)
  }

  @Test func `a server that says yes and stores nothing is found out`() throws {
    let server = try rclone()
    let proxy = try proxy(server, [["method": "PUT", "do": "swallow", "times": 99]])
    let store = try open(proxy)
    let bundle = try bundle()
    #expect(throws: Failure.self) { try bundle.copy(to: store, retry: retry) }
    #expect(bundle.readBack.isEmpty)
    #expect(throws: Failure.self) { try store.probe() }
  }

  @Test func `a stale read passes, one that stays stale is a failure`() throws {
    let server = try rclone()
    for times: Int64 in [2, 99] {
      let proxy = try proxy(server, [["method": "GET", "path": "/b/stale", "do": "stale", "skip": 1, "times": .int(times)]])
      let store = try open(proxy)
      let old = try store.put("b/stale", .bytes(Array("old".utf8)), Transfer())
      _ = try store.readBack("b/stale", expecting: old)
      let new = try store.put("b/stale", .bytes(Array("new".utf8)), Transfer())
      if times == 2 {
        _ = try store.readBack("b/stale", expecting: new, retry: retry)
      } else {
        let failure = #expect(throws: Failure.self) { try store.readBack("b/stale", expecting: new, retry: retry) }
        #expect(failure?.exit == .verification)
      }
    }
  }

  @Test func `what a crashed upload left is aborted by the next`() throws {
    let server = try rclone()
    // The first abort is swallowed, as by a machine that lost its power.
    let proxy = try proxy(
      server,
      [
        ["method": "PUT", "path": "partNumber=2", "do": "status", "status": 403],
        ["method": "DELETE", "path": "uploadId", "do": "swallow"],
      ])
    let store = try open(proxy)
    let bundle = try bundle()
    #expect(throws: Failure.self) { try bundle.copy(to: store, retry: retry) }
    try bundle.copy(to: store, retry: retry)
    #expect(proxy.logged.filter { $0.hasPrefix("DELETE") && $0.hasSuffix("nothing") }.count == 1, "\(proxy.logged)")
  }

  @Test func `a bucket in another region is asked there`() throws {
    let server = try rclone()
    let proxy = try proxy(
      server,
      [
        [
          "method": "PUT", "do": "status", "status": 400,
          "body": "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message><Region>eu-north-1</Region></Error>",
        ]
      ])
    _ = try open(proxy).put("x", .bytes([1]), Transfer())
    #expect(proxy.logged.count == 2)
  }

  @Test func `a server that is not there is a failure that may pass`() throws {
    let port = try TestServer.freePort()
    let values = ["AWS_ACCESS_KEY_ID": "guard", "AWS_SECRET_ACCESS_KEY": "secret"]
    let store = try StoreFactory.open(
      StoreTarget("s3://bundles", options: ["endpoint": "http://127.0.0.1:\(port)"]),
      StoreContext(machine: LocalMachine(), scratch: directory.path, retry: retry, environment: { values[$0] }))
    let failure = #expect(throws: Failure.self) { try store.put("x", .bytes([1]), Transfer()) }
    #expect(failure?.isTransient == true && failure?.why.contains("tried 4 times") == true, "\(String(describing: failure))")
  }
}

@Suite(.enabled(if: TestTools.systemPython != nil, "needs python3")) struct `A WebDAV store that fails` {
  let directory = StoreTestDirectory()

  @Test(
    arguments: [
      (["method": "PUT", "do": "status", "status": 503, "times": 2], true, ""),
      (["method": "PUT", "do": "cut-request", "times": 2], true, ""),
      (["method": "GET", "do": "cut-answer", "bytes": 100_000, "times": 3], true, ""),
      (["method": "PUT", "do": "after", "status": 502], true, ""),
      (["method": "PUT", "do": "status", "status": 507, "times": 9], false, "full"),
      (["method": "PUT", "do": "status", "status": 413, "times": 9], false, "limit"),
      (["method": "PUT", "do": "status", "status": 403, "times": 9], false, "let this user"),
      (["method": "PUT", "do": "status", "status": 308, "times": 9, "headers": ["Location": "https://other/"]], false, "https://other/"),
      (["method": "GET", "do": "truncate", "bytes": 10, "times": 9], false, "send it again"),
      (["method": "PUT", "do": "swallow", "times": 9], false, ""),
    ] as [(JSON, Bool, String)]) func `is tried again or refused as fits`(rule: JSON, passes: Bool, next: String) throws
  {
    let python = try #require(TestTools.systemPython)
    let server = try TestServer.announcing(
      [python, TestTools.servers + "/webdav.py", directory.make("dav"), "guard:secret"], in: directory)
    let proxy = try TestServer.announcing([python, TestTools.servers + "/faulty_proxy.py", "\(server.port)", rule.text()], in: directory)
    let values = ["KGUARD_STORE_USER": "guard", "KGUARD_STORE_PASSWORD": "secret"]
    let store = try StoreFactory.open(
      StoreTarget("http://127.0.0.1:\(proxy.port)/c"),
      StoreContext(
        machine: LocalMachine(), scratch: directory.path + "/scratch", retry: RetryPolicy(attempts: 4, base: .milliseconds(2)),
        environment: { values[$0] }))
    let bundle = try SentBundle(in: directory, 1 << 20)
    if passes {
      try bundle.copy(to: store, retry: RetryPolicy(attempts: 3, base: .zero))
      #expect(try bundle.opened(directory.path + "/dav/c/" + bundle.name) == bundle.noise)
    } else {
      let failure = #expect(throws: Failure.self) { try bundle.copy(to: store, retry: RetryPolicy(attempts: 2, base: .zero)) }
      #expect(failure?.next.contains(next) == true || next.isEmpty, "\(String(describing: failure))")
    }
  }
}
