@testable import Cluster
import Glibc
import Host
import Model
import Testing

@Suite struct `Node archives` {
  let directory: String
  let machine: LocalMachine

  init() throws {
    var template = Array("/tmp/kguard-archive-XXXXXX".utf8CString)
    directory = String(cString: try #require(mkdtemp(&template)))
    for path in ["/root/etc/kubernetes/pki/etcd", "/root/etc/kubernetes/tmp/old", "/root/var/lib/kubelet", "/root/srv"] {
      try Files.makeDirectory(directory + path)
    }
    machine = try LocalMachine(root: directory + "/root")
    try put("/etc/kubernetes/admin.conf", "secret", 0o600)
    try put("/etc/kubernetes/pki/ca.crt", "certificate", 0o644)
    try put("/etc/kubernetes/pki/empty", "", 0o640)
    try put("/etc/kubernetes/" + String(repeating: "long-name-", count: 20), "long", 0o644)
    try put("/etc/kubernetes/tmp/old/etcd", "huge", 0o644)
    try put("/var/lib/kubelet/config.yaml", "kind: KubeletConfiguration\n", 0o644)
    try put("/srv/encryption.yaml", "keys", 0o600)
    try Files.makeLink(directory + "/root/etc/kubernetes/current", to: "pki/" + String(repeating: "x", count: 120))
  }

  func put(_ path: String, _ text: String, _ mode: UInt32) throws { try machine.replace(path, with: Array(text.utf8), mode: mode) }
  var file: String { directory + "/node.tar.zst" }

  @discardableResult func write() throws -> NodeArchive.Contents {
    try NodeArchive.write(machine, to: file, packages: ["manager": "none"], extra: ["/srv/encryption.yaml"])
  }

  func remove() { _ = try? runCaptured("/bin/rm", Command(["rm", "-rf", directory])) }

  @Test func `come back as they were, owners, modes and links too`() throws {
    defer { remove() }
    try write()
    #expect(try Files.info(file)?.mode == 0o600)
    let contents = try NodeArchive.extract(file, to: directory + "/out")
    #expect(contents.packages == ["manager": "none"])
    for entry in contents.entries {
      let (before, after) = (machine.locate(entry.path), directory + "/out" + entry.path)
      let (was, now) = (try Files.info(before, followLinks: false), try Files.info(after, followLinks: false))
      #expect(was?.kind == now?.kind && was?.mode == now?.mode && was?.owner == now?.owner, "\(entry.path)")
      if entry.kind == .file { #expect(try Files.read(before) == Files.read(after)) }
      if entry.kind == .link { #expect(try Files.linkTarget(before) == Files.linkTarget(after)) }
    }
    #expect(contents.entry("/srv/encryption.yaml") != nil)
    #expect(contents.entry("/etc/kubernetes/tmp") == nil)
  }

  @Test func `are what tar and zstd open`() throws {
    defer { remove() }
    let contents = try write()
    try Files.makeDirectory(directory + "/tar")
    let result = try runCaptured("/bin/sh", Command(["sh", "-c", "zstd -dc '\(file)' | tar -xf - -C '\(directory)/tar'"]))
    #expect(result.end.isSuccess, "\(result.errorText)")
    for entry in contents.entries where entry.kind == .file {
      #expect(sha256(try Files.read(directory + "/tar" + entry.path)) == entry.sha256, "\(entry.path)")
    }
  }

  @Test func `with a flipped bit anywhere are refused`() throws {
    defer { remove() }
    try write()
    let whole = try Files.read(file)
    var random = SystemRandomNumberGenerator()
    for _ in 0..<60 {
      var bytes = whole
      bytes[Int(random.next(upperBound: UInt(bytes.count)))] ^= 1 << UInt8(random.next(upperBound: UInt(8)))
      try Files.replace(file, with: bytes)
      // A flip in the frame's header may change nothing that is read.
      if let contents = try? NodeArchive.list(file) {
        try Files.replace(file, with: whole)
        #expect(contents == (try NodeArchive.list(file)))
      }
    }
    for count in [0, 1, 100, whole.count / 2, whole.count - 1] {
      try Files.replace(file, with: Array(whole.prefix(count)))
      #expect(throws: Failure.self) { try NodeArchive.list(file) }
    }
  }

  @Test(arguments: ["../evil", "a/../../evil", "/etc/evil"])
  func `never lead out of their directory`(name: String) throws {
    defer { remove() }
    var told: [String] = []
    let reader = TarReader(begin: { told.append($0.path) }, content: { _ in }, finish: {})
    let header = Tar.header(TarEntry(kind: .file, path: name, mode: 0o600, owner: 0, group: 0))
    #expect(throws: Failure.self) { try header.withBytes { (raw) throws(Failure) in try reader.write(raw) } }
    #expect(told.isEmpty)
  }

  @Test func `are read in pieces of any size`() throws {
    defer { remove() }
    let body = Array("hello".utf8)
    var bytes = Tar.header(TarEntry(kind: .file, path: "a", mode: 0o600, owner: 1, group: 2, size: 5)) + body + Tar.padding(5) + Tar.end
    bytes += [1, 2, 3]
    for size in [1, 7, 511, 512, 513, 4096] {
      var (names, content, ended): ([String], [UInt8], Int) = ([], [], 0)
      let reader = TarReader(begin: { names.append($0.path) }, content: { content += Array($0) }, finish: { ended += 1 })
      for start in stride(from: 0, to: bytes.count, by: size) {
        try Array(bytes[start..<min(start + size, bytes.count)]).withBytes { (raw) throws(Failure) in try reader.write(raw) }
      }
      try reader.end()
      #expect(names == ["a"] && content == body && ended == 1)
    }
  }
}
