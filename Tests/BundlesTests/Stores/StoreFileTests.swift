import Bundles
import Glibc
import Host
import Model
import Testing

@Suite struct `A store in a directory` {
  let directory = StoreTestDirectory()

  func open(_ url: String, _ options: [String: String] = [:]) throws -> any Store {
    try StoreFactory.open(StoreTarget(url, options: options), StoreContext(machine: LocalMachine(), scratch: directory.path))
  }

  @Test func `keeps the contract`() throws {
    try checkContract(open("file://" + directory.make("store")), directory)
  }

  @Test func `a probe is sealed, and opened where the key is at hand`() throws {
    let path = try directory.make("store")
    let store = try open("file://" + path)
    let (key, other) = (try AgeIdentity.generate(), try AgeIdentity.generate())
    #expect(try store.probe()["opened"] == false)
    #expect(try store.probe(recipients: [key.recipient])["opened"] == false)
    #expect(try store.probe(recipients: [key.recipient], identities: [other, key])["opened"] == true)
    let failure = #expect(throws: Failure.self) { try store.probe(recipients: [key.recipient], identities: [other]) }
    #expect(failure?.exit == .usage && failure?.what.contains(store.url) == true, "\(String(describing: failure))")
    #expect(try Files.list(path).isEmpty)
  }

  @Test func `nothing is written where the directory is missing`() throws {
    let store = try open("file://\(directory.path)/none")
    #expect(throws: Failure.self) { try store.put("a", .bytes([1]), Transfer()) }
    #expect(throws: Failure.self) { try store.probe() }
    #expect(try !Files.exists(directory.path + "/none"))
  }

  @Test func `an unmounted share is not an empty one`() throws {
    let path = try directory.make("share/kguard")
    let store = try open("file://\(path)", ["mount-point": directory.path + "/share"])
    let failure = #expect(throws: Failure.self) { try store.probe() }
    #expect(failure?.why.contains("nothing is mounted") == true)
    _ = try open("file:///dev/shm", ["mount-point": "/dev/shm"]).head("none")
  }

  @Test func `a listing shows neither what is being written nor what others keep there`() throws {
    let path = try directory.make("store")
    for name in ["a.part", ".hidden", "with space", "bundle"] { try Files.replace(path + "/" + name, with: [1]) }
    symlink("/etc/passwd", path + "/link")
    #expect(try open("file://\(path)").list("").map(\.name) == ["bundle"])
  }
}
