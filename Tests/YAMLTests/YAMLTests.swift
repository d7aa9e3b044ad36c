import Model
import Testing
import YAML

@Suite struct `YAML texts` {
  @Test func `parts know where they stand`() throws {
    let node = try Node.load("a: 1\nb:\n  - x\n  - \"2\"\n", file: "f")
    #expect(node["b"]?.list?[1].position == Position(line: 4, column: 5))
    #expect(node["a"]?.int == 1)
    #expect(node["b"]?.list?[1].int == nil)
    #expect(node.json == ["a": 1, "b": ["x", "2"]])
  }

  @Test(arguments: [
    ("", "f:1:1: the file is empty"),
    ("a: 1\na: 2\n", "f:2:1: the key `a` comes a second time; the first is in line 1"),
    ("a: &x 1\n", "f:1:4: anchors and aliases are not allowed; write the value out"),
    ("a: !!python/object 1\n", "f:1:4: the tag tag:yaml.org,2002:python/object is not allowed; write the plain value"),
    ("a: 1\n---\nb: 2\n", "f:2:1: a second document begins; one file holds one"),
    ("a: [1\n", "f:2:1: did not find expected ',' or ']' while parsing a flow sequence"),
    ("a:\n\t- b\n", "f:2:1: found character that cannot start any token while scanning for the next token"),
    ("[a]: 1\n", "f:1:1: a key must be a text"),
  ])
  func `a mistake is pointed at`(text: String, message: String) {
    #expect(throws: Mistake.self) { try Node.load(text, file: "f") }
    do { _ = try Node.load(text, file: "f") } catch { #expect(error.description == message) }
  }

  @Test func `random bytes never crash it`() {
    var generator = SystemRandomNumberGenerator()
    let tokens = Array("{}[]:-,#&*!|>'\"%@`? \n\tabc01\\\u{fe}~".utf8)
    for _ in 0..<3000 {
      let bytes = (0..<Int.random(in: 0...80, using: &generator)).map { _ in
        Bool.random(using: &generator) ? tokens.randomElement(using: &generator)! : UInt8.random(in: 0...255, using: &generator)
      }
      _ = try? Node.load(String(decoding: bytes, as: UTF8.self), file: "random")
    }
  }

  @Test func `depth is bounded`() {
    #expect(throws: Mistake.self) { try Node.load(String(repeating: "[", count: 5000), file: "deep") }
  }
}
