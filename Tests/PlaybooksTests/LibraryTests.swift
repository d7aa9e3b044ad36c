import Host
import Model
import Playbooks
import Testing

@Suite struct `The library` {
  let directory: TemporaryDirectory
  let library: PlaybookLibrary
  let machine: LocalMachine

  init() throws {
    directory = try TemporaryDirectory()
    machine = try LocalMachine(root: directory.path)
    library = PlaybookLibrary(machine: machine)
  }

  func write(_ name: String, _ text: String) throws {
    try Files.makeDirectory(machine.locate(PlaybookLibrary.directory))
    try Files.replace(machine.locate(PlaybookLibrary.directory + "/" + name), with: Array(text.utf8))
  }

  @Test func `a built-in playbook is found by its name`() throws {
    let found = try library.find("upgrade")
    #expect(found.file == "built-in:upgrade.yaml")
    #expect(found.text.hasPrefix("name: upgrade") || found.text.contains("\nname: upgrade"))
    #expect(try library.list().contains { $0.name == "upgrade" && $0.origin == "built-in" })
  }

  @Test func `a file of the machine comes before the built-in one`() throws {
    try write("upgrade.yaml", "name: upgrade\ndescription: Mine.\n")
    try write("velero.yaml", "name: velero\ndescription: Another.\n")
    try write("broken.yaml", "name: [\n")
    try write("notes.txt", "no playbook")
    let path = machine.locate("/etc/kguard/playbooks/upgrade.yaml")
    #expect(try library.find("upgrade").file == path)
    let list = try library.list()
    #expect(list.map(\.name).filter { ["broken", "notes", "upgrade", "velero"].contains($0) } == ["broken", "upgrade", "velero"])
    #expect(list.first { $0.name == "upgrade" }?.description == "Mine.")
    #expect(list.first { $0.name == "upgrade" }?.origin == path)
    #expect(list.first { $0.name == "broken" }?.description.hasPrefix("cannot be read: ") == true)
  }

  @Test func `a path is a path`() throws {
    let path = directory.path + "/own.yaml"
    try Files.replace(path, with: Array("name: own\n".utf8))
    let found = try library.find(path)
    #expect(found.text == "name: own\n" && found.file == path)
    #expect(throws: Failure.self) { try library.find("./none.yaml") }
    #expect(throws: Failure.self) { try library.find("none.yml") }
  }

  @Test func `a playbook is loaded with its rollback in sight`() throws {
    let steps = "steps:\n  - {id: a, action: bundle/verify, on-failure: rollback}\n"
    try write("back.yaml", "name: back\nsteps:\n  - {id: a, action: bundle/verify}\n")
    try write("good.yaml", "name: good\nrollback: back\n" + steps)
    try write("lost.yaml", "name: lost\nrollback: bakc\n" + steps)
    #expect(try library.load("good", catalogue: catalogue).rollback == "back")
    let failure = #expect(throws: Failure.self) { try library.load("lost", catalogue: catalogue) }
    #expect(failure?.what == "the playbook \(machine.locate("/etc/kguard/playbooks/lost.yaml")) names the rollback `bakc`")
    #expect(failure?.why.hasSuffix("; did you mean `back`?") == true)
  }

  @Test func `a file bears the name of its playbook`() throws {
    try write("mine.yaml", "name: yours\nsteps:\n  - {id: a, action: bundle/verify}\n")
    let failure = #expect(throws: Failure.self) { try library.load("mine", catalogue: catalogue) }
    #expect(failure?.why == "\(machine.locate("/etc/kguard/playbooks/mine.yaml")) says that its name is `yours`")
    #expect(try library.load(machine.locate("/etc/kguard/playbooks/mine.yaml"), catalogue: catalogue).name == "yours")
  }

  @Test func `every file of the playbooks is built in`() throws {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let names = try Files.list(root + "/playbooks").map { String($0.dropLast(5)) }
    #expect(try library.list().map(\.name) == names)
    for name in names {
      #expect(try library.find(name).text == String(decoding: Files.read(root + "/playbooks/\(name).yaml"), as: UTF8.self))
    }
  }

  @Test func `an unknown name gets the nearest`() throws {
    let failure = #expect(throws: Failure.self) { try library.find("upgade") }
    #expect(failure?.why == "it is neither built in nor in \(machine.locate("/etc/kguard/playbooks")); did you mean `upgrade`?")
    #expect(throws: Failure.self) { try library.find("..") }
    #expect(throws: Failure.self) { try library.find("") }
  }
}
