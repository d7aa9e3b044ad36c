import Bundles
import Host
import Model
import Testing

@Suite(.enabled(if: TestTools.haveS3, TestTools.hint)) struct `A store on S3` {
  let directory = StoreTestDirectory()

  func context(_ environment: [String: String]) throws -> StoreContext {
    try StoreContext(
      machine: LocalMachine(), scratch: directory.path, retry: RetryPolicy(attempts: 4, base: .milliseconds(5)),
      environment: { environment[$0] })
  }

  func rclone() throws -> TestServer {
    _ = try directory.make("buckets/bundles")
    let port = try TestServer.freePort()
    return try TestServer.listening(
      port,
      [
        TestTools.rclone, "serve", "s3", "--config", "/dev/null", "--addr", "127.0.0.1:\(port)", "--auth-key", "guard,secret/key+1",
        directory.path + "/buckets",
      ], in: directory)
  }

  func moto() throws -> TestServer {
    try TestServer.announcing([TestTools.python, TestTools.servers + "/moto_s3.py"], in: directory)
  }

  func open(_ url: String, port: Int, _ key: String, _ secret: String, options: [String: String] = [:]) throws -> any Store {
    let target = StoreTarget(
      url, options: ["endpoint": "http://127.0.0.1:\(port)", "part-size": "5"].merging(options) { $1 })
    return try StoreFactory.open(
      target, context(["AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "eu-central-1"]))
  }

  @Test func `keeps the contract with rclone`() throws {
    let server = try rclone()
    try checkContract(open("s3://bundles/cluster%201/a+b=c", port: server.port, "guard", "secret/key+1"), directory)
  }

  @Test func `keeps the contract with moto, which checks every request against IAM`() throws {
    let server = try moto()
    let key = try #require(server.hello.at("guard", "key")?.string), secret = try #require(server.hello.at("guard", "secret")?.string)
    try checkContract(open("s3://bundles/cluster-1/of_two", port: server.port, key, secret), directory)
  }

  @Test func `wrong credentials are final, and said to be wrong`() throws {
    let server = try rclone()
    for (key, secret) in [("guard", "wrong"), ("nobody", "secret/key+1")] {
      let failure = #expect(throws: Failure.self) {
        try open("s3://bundles", port: server.port, key, secret).put("a", .bytes([1]), Transfer())
      }
      #expect(failure?.isTransient == false && failure?.next.contains("AWS_ACCESS_KEY_ID") == true, "\(String(describing: failure))")
      #expect(failure?.description.contains("secret/key") == false)
    }
    let failure = #expect(throws: Failure.self) {
      try open("s3://nobucket", port: server.port, "guard", "secret/key+1").put("a", .bytes([1]), Transfer())
    }
    #expect(failure?.next.contains("nobucket") == true, "\(String(describing: failure))")
  }

  @Test func `a key that may only read cannot write, and the probe says so`() throws {
    let server = try moto()
    let key = try #require(server.hello.at("reader", "key")?.string), secret = try #require(server.hello.at("reader", "secret")?.string)
    let failure = #expect(throws: Failure.self) { try open("s3://bundles", port: server.port, key, secret).probe() }
    #expect(failure?.isTransient == false && failure?.next.contains("s3:PutObject") == true, "\(String(describing: failure))")
  }

  @Test func `a file is sealed while it is sent, and opened while it is read back`() throws {
    let server = try rclone()
    let store = try open("s3://bundles/sealed", port: server.port, "guard", "secret/key+1")
    let file = try directory.noise("snapshot.db", 17 << 20)
    let identity = try AgeIdentity.generate()
    let seal = UploadSource.made(atMost: 18 << 20) { (sink) throws(Failure) in
      let sealer = try Sealer(recipients: [identity.recipient], sink: sink)
      for start in stride(from: 0, to: file.bytes.count, by: 1 << 20) {
        try Array(file.bytes[start..<start + (1 << 20)]).withBytes { (raw) throws(Failure) in try sealer.write(raw) }
      }
      _ = try sealer.finish()
    }
    let sent = try store.put("b/snapshot.db.zst.age", seal, Transfer())
    var opener: Opener?
    _ = try store.readBack("b/snapshot.db.zst.age", expecting: sent) { () throws(Failure) in
      let fresh = try Opener(identities: [identity]) { (_) throws(Failure) in }
      opener = fresh
      return { (bytes) throws(Failure) in try fresh.write(bytes) }
    }
    let opened = try opener?.finish()
    #expect(opened?.plainSHA256 == file.sha256 && opened?.sealedSHA256 == sent.sha256)
  }
}
