import Model
import Testing

@testable import Playbooks

@Suite struct `Schemas` {
  /// Walks table and schema side by side.
  func compare(_ shape: Shape, _ schema: JSON?, _ path: String) {
    guard let schema else {
      Issue.record("\(path) is not in the schema")
      return
    }
    switch shape {
    case .object(let fields):
      #expect(schema["additionalProperties"] == false, "\(path)")
      #expect(Set(schema["properties"]?.object?.keys ?? []) == Set(fields.map(\.key)), "\(path)")
      #expect((schema["required"]?.array ?? []) == fields.filter(\.isRequired).map { .string($0.key) }, "\(path)")
      for field in fields {
        #expect(schema["properties"]?[field.key]?["description"] == .string(field.description))
        #expect(!field.description.isEmpty)
        compare(field.shape, schema["properties"]?[field.key], path + "." + field.key)
      }
    case .list(let shape, _): compare(shape, schema["items"], path + "[]")
    case .map(_, let shape): compare(shape, schema["additionalProperties"], path + ".*")
    case .either(let shapes): for (index, shape) in shapes.enumerated() { compare(shape, schema["anyOf"]?[index], path) }
    default: break
    }
  }

  @Test func `every known key is in its schema`() {
    compare(Playbook.shape, Playbook.schema(catalogue: catalogue), "playbook")
    compare(Configuration.shape, Configuration.schema, "config")
  }

  @Test func `a schema says which draft it is`() {
    for schema in [Playbook.schema(catalogue: catalogue), Configuration.schema] {
      #expect(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema")
      #expect(throws: Never.self) { try JSON(parsing: schema.text(pretty: true)) }
    }
  }

  @Test func `actions and their inputs are in the schema`() throws {
    let step = try #require(Playbook.schema(catalogue: catalogue).at("properties", "steps", "items"))
    #expect(step.at("properties", "action", "enum")?.array?.count == catalogue.signatures.count)
    for (index, signature) in catalogue.signatures.enumerated() {
      let rule = try #require(step["allOf"]?[index])
      #expect(rule.at("if", "properties", "action", "const") == .string(signature.path))
      #expect(rule.at("then", "properties", "with", "properties")?.object?.keys == signature.inputs.map(\.name))
    }
  }
}
