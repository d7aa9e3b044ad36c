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

  @Test func `follow links among what the node reads, and say what they leave out`() throws {
    defer { remove() }
    for path in ["/root/data/keys/deep", "/root/many"] { try Files.makeDirectory(directory + path) }
    try put("/data/keys/ca.key", "key", 0o600)
    try put("/data/keys/deep/x", "deep", 0o600)
    for number in 0..<NodeFiles.mostLinked + 1 { try Files.makeDirectory(directory + "/root/many/\(number)") }
    let pki = directory + "/root/etc/kubernetes/pki/"
    try Files.makeLink(pki + "keys", to: "../../../data/keys")
    try Files.makeLink(pki + "hop", to: "hop2")
    try Files.makeLink(pki + "hop2", to: "ca.crt")
    try Files.makeLink(pki + "loop", to: "..")
    try Files.makeLink(pki + "back", to: "../pki")
    try Files.makeLink(pki + "self", to: "self")
    try Files.makeLink(pki + "gone", to: "nowhere")
    try Files.makeLink(pki + "many", to: "../../../many")
    try Files.makeLink(pki + "outside", to: "/usr")
    // Kubelet's directory on another disk, and a chain through a directory that is a link.
    try Files.makeDirectory(directory + "/root/data/kubelet/pki")
    try put("/data/kubelet/config.yaml", "kind: KubeletConfiguration\n", 0o644)
    try put("/data/kubelet/pki/kubelet.crt", "old", 0o644)
    unlink(directory + "/root/var/lib/kubelet/config.yaml")
    rmdir(directory + "/root/var/lib/kubelet")
    try Files.makeLink(directory + "/root/var/lib/kubelet", to: "../../data/kubelet")
    try Files.makeDirectory(directory + "/root/data/v1")
    try put("/data/v1/enc.yaml", "keys", 0o600)
    try Files.makeLink(directory + "/root/data/current", to: "v1")
    try Files.makeLink(directory + "/root/etc/kubernetes/enc.conf", to: "../../data/current/enc.yaml")
    try Files.makeLink(directory + "/root/etc/kubernetes/link.conf", to: "admin.conf")
    try put("/etc/kubernetes/dump.db", String(repeating: "x", count: Int(NodeFiles.largestRest) + 1), 0o600)
    let contents = try write()
    #expect(contents.holds("/etc/kubernetes/pki/keys/deep/x") && contents.entry("/data/keys/deep/x")?.isNamed == true)
    #expect(contents.holds("/etc/kubernetes/pki/hop") && contents.holds("/etc/kubernetes/link.conf"))
    #expect(contents.holds("/var/lib/kubelet/config.yaml") && contents.holds("/etc/kubernetes/enc.conf"))
    #expect(
      contents.entry("/data/kubelet/config.yaml")?.isNamed == true && contents.entry("/data/kubelet/pki/kubelet.crt")?.isNamed == false)
    #expect(contents.entry("/var/lib/kubelet")?.isNamed == false && contents.entry("/data/current")?.isNamed == true)
    let node = ArchivedNode(contents, file: file, tree: directory + "/tree")
    #expect(try node.differing(machine).isEmpty)
    #expect(!contents.holds("/etc/kubernetes/pki/self") && !contents.holds("/etc/kubernetes/pki/gone"))
    #expect(contents.entry("/many/1") == nil && contents.entry("/etc/kubernetes/pki/many")?.kind == .link)
    let omitted = Set(contents.omissions.map { Files.name(of: $0.path) })
    #expect(omitted == ["loop", "back", "self", "gone", "many", "outside", "dump.db"], "\(omitted)")
    #expect(Set(contents.omissions.filter(\.isDangling).map { Files.name(of: $0.path) }) == ["self", "gone"])
    #expect(try NodeArchive.list(file).json == contents.json)
    // Nothing of it is unpacked behind a link.
    #expect(try NodeArchive.extract(file, to: directory + "/out").json == contents.json)
    #expect(try Files.read(directory + "/out/data/keys/ca.key") == Array("key".utf8))
  }

  @Test func `tell what changed from what was added, and leave the rest alone`() throws {
    defer { remove() }
    try write()
    let node = ArchivedNode(try NodeArchive.list(file), file: file, tree: directory + "/tree")
    #expect(try node.differing(machine).isEmpty)
    try Files.makeDirectory(directory + "/root/etc/default")
    try put("/etc/kubernetes/note", "mine", 0o644)
    try put("/etc/kubernetes/" + String(repeating: "long-name-", count: 20), "other", 0o644)
    try Files.makeDirectory(directory + "/root/etc/kubernetes/pki/kguard-aside-x")
    #expect(try node.differing(machine).isEmpty)
    try put("/etc/kubernetes/super-admin.conf", "new", 0o600)
    try put("/etc/default/kubelet", "new", 0o600)
    try put("/etc/kubernetes/pki/ca.crt", "other", 0o644)
    unlink(directory + "/root/etc/kubernetes/admin.conf")
    try Files.makeLink(directory + "/root/etc/kubernetes/admin.conf", to: "pki/ca.crt")
    #expect(
      try Set(node.differing(machine).map(\.path)) == [
        "/etc/kubernetes/super-admin.conf", "/etc/default/kubelet", "/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/admin.conf",
      ])
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
