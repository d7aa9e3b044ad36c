import Host
import Playbooks
import Testing

@Suite struct `Documentation` {
  /// The first YAML block of a page.
  func example(_ page: String) throws -> String {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    let lines = String(decoding: try Files.read(root + "/docs/" + page), as: UTF8.self).split(
      separator: "\n", omittingEmptySubsequences: false)
    let start = try #require(lines.firstIndex(of: "```yaml"))
    let text = lines[(start + 1)...].prefix { $0 != "```" }.joined(separator: "\n")
    // The one thing that a reader has to put in.
    return text.split(separator: "YOUR-PUBLIC-KEY", omittingEmptySubsequences: false).joined(separator: recipient)
  }

  @Test func `the example of a playbook is right`() throws {
    let playbook = try Playbook.load(text: example("playbooks.md"), file: "playbooks.md", catalogue: catalogue)
    #expect(playbook.steps.count == 8)
  }

  @Test func `the example of a configuration is right`() throws {
    #expect(try Configuration.load(text: example("configuration.md"), file: "configuration.md").offsite.count == 3)
    #expect(try Configuration.load(text: example("upgrade.md"), file: "upgrade.md").offsite.count == 1)
  }
}
