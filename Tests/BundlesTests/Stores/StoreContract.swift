import Bundles
import Host
import Model
import Testing

/// What every store must do, whatever its protocol. Run on each implementation with a real server.
func checkContract(_ store: any Store, _ directory: StoreTestDirectory) throws {
  try smallObjects(store)
  try largeObjects(store, directory)
  try bundles(store, directory)
  try wrongObjects(store)
  try refusals(store)
  if store.abilities.contains(.list) { #expect(try store.list("").isEmpty || !store.abilities.contains(.delete)) }
}

private func fetch(_ store: any Store, _ name: String, from offset: Int64 = 0) throws -> [UInt8] {
  let collected = Collected()
  try store.get(name, from: offset, Transfer()) { collected.bytes.append(contentsOf: $0) }
  return collected.bytes
}

private final class Collected {
  var bytes: [UInt8] = []
}

private func smallObjects(_ store: any Store) throws {
  let (a, b) = ("run1/bundle.json", "run2/SHA256SUMS")
  #expect(try store.head(a) == nil)
  let receipt = try store.put(a, .bytes(Array("first".utf8)), Transfer())
  #expect(receipt.size == 5 && receipt.sha256 == sha256(Array("first".utf8)) && receipt.name == a)
  #expect(try store.head(a)?.size == 5)
  #expect(try fetch(store, a) == Array("first".utf8))
  #expect(try fetch(store, a, from: 2) == Array("rst".utf8))

  // The same name again replaces it, whole.
  _ = try store.put(a, .bytes(Array("second!".utf8)), Transfer())
  #expect(try fetch(store, a) == Array("second!".utf8))
  _ = try store.put(b, .bytes([]), Transfer())
  #expect(try store.head(b)?.size == 0)
  #expect(try fetch(store, b) == [])

  if store.abilities.contains(.list) {
    #expect(try store.list("").map(\.name) == [a, b])
    #expect(try store.list("run1/").map(\.name) == [a])
    #expect(try store.list("run1/").map(\.size) == [7])
    #expect(try store.list("run3/") == [])
  } else {
    #expect(throws: Failure.self) { try store.list("") }
  }
  guard store.abilities.contains(.delete) else {
    #expect(throws: Failure.self) { try store.delete(a) }
    return
  }
  try store.delete(a)
  try store.delete(a)
  try store.delete(b)
  #expect(try store.head(a) == nil)
  if store.abilities.contains(.list) { #expect(try store.list("") == []) }
}

private func largeObjects(_ store: any Store, _ directory: StoreTestDirectory) throws {
  let name = "run1/snapshot.db.zst.age"
  let file = try directory.noise("large-\(hex(randomBytes(4)))", 21 << 20 | 12345)
  var seen: [Progress] = []
  let source = UploadSource.file(file.path, size: Int64(file.bytes.count), sha256: file.sha256)
  let first = try store.put(name, source, Transfer(progress: { seen.append($0) }))
  #expect(first.sha256 == file.sha256)
  #expect(try store.readBack(name, expecting: first).size == Int64(file.bytes.count))
  #expect(seen.last?.done == Int64(file.bytes.count))
  #expect(try store.head(name)?.size == Int64(file.bytes.count))
  #expect(try fetch(store, name, from: 20 << 20) == Array(file.bytes[(20 << 20)...]))

  // Bytes that are made on the way, in odd pieces.
  let made = UploadSource.made(atMost: 40 << 20) { (sink) throws(Failure) in
    for start in stride(from: 0, to: file.bytes.count, by: 777_777) {
      let piece = Array(file.bytes[start..<min(start + 777_777, file.bytes.count)])
      try piece.withBytes { (raw) throws(Failure) in try sink(raw) }
    }
  }
  let receipt = try store.put("run1/made", made, Transfer())
  #expect(receipt.sha256 == file.sha256)
  _ = try store.readBack("run1/made", expecting: receipt)

  // A producer that fails leaves nothing, and its own failure is what is thrown.
  let failing = UploadSource.made(atMost: 40 << 20) { (sink) throws(Failure) in
    try file.bytes.withBytes { (raw) throws(Failure) in try sink(raw) }
    throw Failure(what: "sealing", why: "the disk is broken", next: "")
  }
  let failure = #expect(throws: Failure.self) { try store.put("run1/failing", failing, Transfer()) }
  #expect(failure?.why == "the disk is broken")
  if store.abilities.contains(.atomicPut) { #expect(try store.head("run1/failing") == nil) }

  // A stop ends it.
  let stop = StopSignal()
  let stopping = UploadSource.made(atMost: 400 << 20) { (sink) throws(Failure) in
    for count in 0..<12 {
      if count == 3 { stop.ask(.now, reason: "test") }
      try file.bytes.withBytes { (raw) throws(Failure) in try sink(raw) }
    }
  }
  let stopped = #expect(throws: Failure.self) { try store.put("run1/stopped", stopping, Transfer(stop: stop)) }
  #expect(stopped?.exit == .interrupted)
  if store.abilities.contains(.atomicPut) { #expect(try store.head("run1/stopped") == nil) }

  if store.abilities.contains(.delete) {
    for name in [name, "run1/made", "run1/failing", "run1/stopped"] { try store.delete(name) }
  }
}

/// A whole bundle, as `bundle copy` does it. A second time nothing is sent.
private func bundles(_ store: any Store, _ directory: StoreTestDirectory) throws {
  let bundle = try SentBundle(in: directory, 3 << 20, isSealed: true)
  let quick = RetryPolicy(attempts: 2, base: .milliseconds(1))
  for _ in 1...2 {
    try bundle.copy(to: store, retry: quick)
    #expect(bundle.sent == SentBundle.files && bundle.readBack == Set(SentBundle.files))
  }
  if store.abilities.contains(.delete) {
    for file in SentBundle.files { try store.delete(BundleCopy.name("b", file, encrypted: true)) }
  }
}

private func wrongObjects(_ store: any Store) throws {
  let receipt = try store.put("run1/x", .bytes(Array("content".utf8)), Transfer())
  let quick = RetryPolicy(attempts: 2, base: .milliseconds(1))
  _ = try store.readBack("run1/x", expecting: receipt)
  for other in ["Content", "conten", "contents"] {
    let wrong = Receipt(name: "run1/x", size: Int64(other.utf8.count), sha256: sha256(Array(other.utf8)))
    let failure = #expect(throws: Failure.self) { try store.readBack("run1/x", expecting: wrong, retry: quick) }
    #expect(failure?.exit == .verification)
  }
  #expect(throws: Failure.self) { try store.readBack("run1/none", expecting: receipt, retry: quick) }
  if store.abilities.contains(.delete) { try store.delete("run1/x") }
}

private func refusals(_ store: any Store) throws {
  for name in ["", "/a", "a/", "a//b", "../a", "a/../b", ".a", "-a", "a b", "a\nb", "a.part", "a;b", "a/-b", "ä"] {
    let failure = #expect(throws: Failure.self) { try store.put(name, .bytes([1]), Transfer()) }
    #expect(failure?.exit == .usage, "\(name)")
    #expect(throws: Failure.self) { try store.head(name) }
    #expect(throws: Failure.self) { try store.delete(name) }
  }
  let lying = UploadSource.file("/etc/passwd", size: 3, sha256: .zero)
  #expect(throws: Failure.self) { try store.put("run1/lying", lying, Transfer()) }
  if store.abilities.isSuperset(of: [.atomicPut]) { #expect(try store.head("run1/lying") == nil) }

  let evidence = try store.probe()
  #expect(evidence["readBack"]?.bool == true && evidence["url"]?.string == store.url)
}
