import Model
import Testing

@testable import CLI

@Suite struct `Evidence for reading` {
  func outline(_ text: String) throws -> String { Outline(try #require(try JSON(parsing: text).object), indent: 2).text }

  @Test func `is a line for what is short, a block for what has parts, a table where all are alike`() throws {
    let text = try outline(
      #"""
      {"size": 139296, "well": true, "why": null, "none": [], "nothing": {}, "names": ["a", "b"],
       "programs": {"kubeadm": "v1.28.0", "kubelet": "v1.27.4"},
       "checks": [{"name": "root", "result": "pass"}, {"name": "clock", "result": "warn", "remedy": "set it"}],
       "deep": {"one": {"two": [1, 2]}, "three": 3}, "mixed": ["a", {"b": 1}]}
      """#)
    #expect(
      text == """
          size: 139296
          well: yes
          why: -
          none: none
          nothing: none
          names: a, b
          programs:
            kubeadm  v1.28.0
            kubelet  v1.27.4
          checks:
            name   result  remedy
            root   pass
            clock  warn    set it
          deep:
            one:
              two: 1, 2
            three: 3
          mixed:
            a
            {"b":1}

        """)
  }

  @Test func `has an end, however much there is, and writes nothing to the terminal but text`() throws {
    let many = (0..<1000).map { "\"\($0)-\(String(repeating: "x", count: 500))\"" }.joined(separator: ",")
    let deep = (0..<1000).map { "\"\($0)\": {\"a\": {\"b\": 1}}" }.joined(separator: ",")
    let text = try outline(
      "{\"many\": [\(many)], \"bad\": \"\\u001b[2J\\nnext\", \"\\u001b]0;k\": {\"\\u001b[1m\": 1}, \"deep\": {\(deep)}}")
    let lines = text.split(separator: "\n")
    #expect(lines.count == 65 + 1 + 3 * 60 + 1, "\(lines.count)")
    #expect(lines.allSatisfy { $0.count <= 410 })
    #expect(text.contains("… and 940 more: `-o json` has them all"))
    #expect(!text.contains("\u{1b}"))
  }
}
