import Host
import Model
import Testing

@testable import Bundles

@Suite struct `The parts of stores` {
  @Test func `signatures are those of Amazon's own examples`() throws {
    let credentials = S3Credentials(
      accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", sessionToken: nil, origin: "test")
    let time = try #require(Timestamp(httpDate: "Fri, 24 May 2013 00:00:00 GMT"))
    let signature = S3Signature(credentials: credentials, region: "us-east-1", at: time)
    let get = signature.headers(
      method: "GET", host: "examplebucket.s3.amazonaws.com", path: "/test.txt", query: "", headers: [("Range", "bytes=0-9")],
      payload: sha256([]))
    #expect(get.last?.value.hasSuffix("Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41") == true)
    let list = signature.headers(
      method: "GET", host: "examplebucket.s3.amazonaws.com", path: "/", query: S3Signature.query([("prefix", "J"), ("max-keys", "2")]),
      headers: [], payload: sha256([]))
    #expect(list.last?.value.hasSuffix("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7") == true)
  }

  @Test func `parts are few enough and never too small`() throws {
    let store = S3Store(
      S3Store.Settings(
        bucket: "b", prefix: "", endpoint: nil, usesPathStyle: false, region: "r",
        credentials: S3Credentials(accessKey: "", secretKey: "", sessionToken: nil, origin: "")), retry: RetryPolicy())
    for size: Int64 in [0, 1, 1 << 30, 80 << 30, 81 << 30, 5 << 40, .max / 2] {
      let part = Int64(store.partSize(atMost: size))
      #expect(part >= 8 << 20 && (size + part - 1) / part <= 10_000)
    }
  }

  @Test(arguments: [
    ("s4://bucket", "did you mean `s3`"), ("stfp://host/x", "did you mean `sftp`"), ("ftp://host/x", "not known"), ("/path", "no scheme"),
    ("host:path", "no scheme"), ("https://u:p@host/x", "password"), ("u:p@host:path", "password"), ("sftp://u:p@host/x", "password"),
    ("file://host/x", "this machine"), ("file:///", "no directory"), ("https:///x", "no host"), ("https://ho st/x", "space"),
    ("sftp://host:99999/x", "port"), ("sftp://-oProxyCommand=x/y", "not a host"), ("-oX@host:path", "not plain"),
    ("u@-h:path", "not plain"),
    ("u@h:a/../b", "not plain"), ("u@h:a b", "space"), ("u@h:$(x)", "not plain"), ("https://h/a?b", "query"),
    ("https://h/a%0ab", "encoded"),
    ("https://h/%2e%2e/b", "`..`"), ("https://h/a%2", "encoded"),
  ]) func `a URL that can't be meant is refused, and says why`(url: String, why: String) {
    let failure = #expect(throws: Failure.self) { try StoreURL(url) }
    #expect(failure?.exit == .usage && failure?.why.contains(why) == true, "\(String(describing: failure))")
    #expect(failure?.description.contains("u:p@") == false)
  }

  @Test func `a URL is taken apart`() throws {
    let sftp = try StoreURL("sftp://backup@[::1]:2222/srv/a%20b/")
    #expect(sftp.user == "backup" && sftp.host == "[::1]" && sftp.port == 2222 && sftp.path == "/srv/a b/")
    let ssh = try StoreURL("backup@nas.example.org:bundles/one")
    #expect(ssh.scheme == .ssh && ssh.user == "backup" && ssh.host == "nas.example.org" && ssh.path == "bundles/one")
    #expect(try StoreURL("file:///mnt/nfs").path == "/mnt/nfs")
  }

  @Test(arguments: ["endpont", "ca-fil", "password"]) func `an option that is not known is refused`(name: String) throws {
    let target = StoreTarget("s3://bucket", options: [name: "x"])
    let failure = #expect(throws: Failure.self) {
      try StoreFactory.open(target, StoreContext(machine: LocalMachine(), scratch: "/tmp", environment: { _ in nil }))
    }
    #expect(failure?.exit == .usage && failure?.what.contains(name) == true)
  }

  @Test func `S3 finds region, endpoint and credentials in the shared files`() throws {
    let directory = StoreTestDirectory()
    let credentials = try directory.write(
      "credentials",
      "[default]\naws_access_key_id = d\naws_secret_access_key = e\n[two]\naws_access_key_id=k\naws_secret_access_key=s\naws_session_token = t\n"
    )
    let config = try directory.write(
      "config", "[profile two]\nregion = eu-x\nendpoint_url = https://s3.example.org:9000\n  nested = 1\n[default]\nregion=us-y\n")
    let values = ["AWS_SHARED_CREDENTIALS_FILE": credentials, "AWS_CONFIG_FILE": config, "AWS_PROFILE": "two"]
    let context = try StoreContext(machine: LocalMachine(), scratch: "/tmp", environment: { values[$0] })
    let options = try StoreOptions(StoreTarget("s3://b/p"), .s3, context)
    let settings = try S3Settings.read(StoreURL("s3://b/p"), options)
    #expect(settings.credentials.accessKey == "k" && settings.credentials.secretKey == "s" && settings.credentials.sessionToken == "t")
    #expect(
      settings.region == "eu-x" && settings.endpoint == "https://s3.example.org:9000" && settings.usesPathStyle && settings.prefix == "p/")
  }

  @Test func `waits grow, are spread by chance, and end with the tries`() throws {
    let policy = RetryPolicy(attempts: 5, base: .milliseconds(100), cap: .milliseconds(350), random: { 0.5 })
    #expect((1...4).map { policy.delay($0) } == [50, 100, 175, 175].map { .milliseconds($0) })
    var tries = 0
    let quick = RetryPolicy(attempts: 3, base: .zero)
    #expect(throws: Failure.self) {
      try quick.run(nil) { () throws(Failure) -> RetryPolicy.Try<Int> in
        tries += 1
        throw Failure(what: "a", why: "b", next: "c", isTransient: true)
      }
    }
    #expect(tries == 3)
    let stop = StopSignal()
    stop.ask(.atCheckpoint, reason: "test")
    let slow = RetryPolicy(base: .seconds(100), random: { 1 })
    let failure = #expect(throws: Failure.self) {
      try slow.run(stop) { () throws(Failure) -> RetryPolicy.Try<Int> in .again(Failure(what: "a", why: "b", next: "c")) }
    }
    #expect(failure?.exit == .interrupted)
  }

  @Test(arguments: [
    "", "<", "<a", "<a>", "<a></b>", "<a/><b/>", "<a>&x;</a>", "<a>&#xffffffff;</a>", "<a b></a>", "<a b='1></a>", "<!DOCTYPE a><a/>",
    "<a><![CDATA[x</a>", "text", "<a/>x", "<a>&#1114112;</a>", "<\u{0}/>",
  ]) func `XML that is not well formed is refused`(text: String) {
    #expect(throws: Failure.self) { try XMLParser.parse(Array(text.utf8)) }
  }

  @Test func `XML is read, and nothing takes it too deep`() throws {
    let text = "\u{feff}<?xml version='1.0'?><!-- c --><D:a x=\"1\"><b>1 &lt;&#65;&amp;</b><b/><c><![CDATA[<x>]]></c></D:a>\n"
    let root = try XMLParser.parse(Array(text.utf8))
    #expect(root.name == "a" && root.all("b").map(\.text) == ["1 <A&", ""] && root["c"]?.text == "<x>")
    let deep = String(repeating: "<a>", count: 100_000)
    #expect(throws: Failure.self) { try XMLParser.parse(Array(deep.utf8)) }
    var seed = Array(text.utf8)
    var random = SystemRandomNumberGenerator()
    for _ in 0..<2000 {
      seed[Int(random.next(upperBound: UInt(seed.count)))] = UInt8(truncatingIfNeeded: random.next())
      _ = try? XMLParser.parse(seed)
    }
  }

  @Test func `base64 goes there and back`() {
    for size in 0..<40 {
      let some = randomBytes(size)
      #expect(bytes(base64: base64(some)) == some)
    }
    #expect(base64(Array("any carnal pleas".utf8)) == "YW55IGNhcm5hbCBwbGVhcw==")
    for wrong in ["a", "ab=c", "====", "a===", "ab!=", "YW5\u{e9}"] { #expect(bytes(base64: wrong) == nil, "\(wrong)") }
  }

  @Test func `times of servers are read`() {
    #expect(Timestamp(httpDate: "Sat, 21 Nov 2026 03:46:27 GMT")?.description == "2026-11-21T03:46:27.000Z")
    #expect(Timestamp(isoDate: "2024-02-29T23:59:59.500Z")?.description == "2024-02-29T23:59:59.000Z")
    for wrong in ["", "Sat, 21 Foo 2026 03:46:27 GMT", "Sat, 41 Nov 2026 03:46:27 GMT", "Sat, 21 Nov 99999999 03:46:27 GMT"] {
      #expect(Timestamp(httpDate: wrong) == nil)
    }
  }

  @Test func `netrc gives the entry of the host and the user`() {
    let text =
      "# machine h login no password no\nmachine g login a password b\nmachine h\n login c\n password d\ndefault login e password f"
    #expect(Netrc.find(host: "h", user: nil, in: text).map { [$0.user, $0.password] } == ["c", "d"])
    #expect(Netrc.find(host: "x", user: nil, in: text).map { [$0.user, $0.password] } == ["e", "f"])
    #expect(Netrc.find(host: "g", user: "z", in: text) == nil)
  }

  @Test func `a receipt is kept as JSON`() {
    let receipt = Receipt(name: "a/b", size: 3, sha256: sha256([1]), etag: "\"x\"")
    #expect(Receipt(json: receipt.json) == receipt)
    #expect(Receipt(json: ["name": "a", "size": -1, "sha256": "00"]) == nil)
  }
}
