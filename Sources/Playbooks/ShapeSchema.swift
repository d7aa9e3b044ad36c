internal import Model

extension Shape {
  /// The JSON Schema of the shape.
  var schema: JSON {
    switch self {
    case .anything: return [:]
    case .empty: return ["type": "null"]
    case .text(let format):
      var schema: JSON = ["type": "string"]
      if let pattern = format.pattern { schema["pattern"] = .string("^(?:\(pattern))$") }
      return schema
    case .template: return ["type": ["string", "number", "boolean"]]
    case .condition: return ["type": ["string", "boolean"]]
    case .duration: return ["type": "string", "pattern": "^(?:[0-9]+(?:ms|s|m|h|d))+$"]
    case .bool: return ["type": "boolean"]
    case .int(let range): return ["type": "integer", "minimum": .int(range.lowerBound), "maximum": .int(range.upperBound)]
    case .choice(let names): return ["enum": JSON(names)]
    case .list(let shape, let least): return ["type": "array", "items": shape.schema, "minItems": JSON(least)]
    case .map(let keys, let shape):
      var schema: JSON = ["type": "object", "additionalProperties": shape.schema]
      if let pattern = keys.pattern { schema["propertyNames"] = ["pattern": .string("^(?:\(pattern))$")] }
      return schema
    case .either(let shapes): return ["anyOf": .array(shapes.map(\.schema))]
    case .object(let fields):
      var properties: JSON = [:]
      for field in fields {
        var schema = field.shape.schema
        schema["description"] = .string(field.description)
        properties[field.key] = schema
      }
      var schema: JSON = ["type": "object", "properties": properties, "additionalProperties": false]
      let required = fields.filter(\.isRequired).map(\.key)
      if !required.isEmpty { schema["required"] = JSON(required) }
      return schema
    }
  }

  /// The schema as a document of its own.
  func document(title: String, description: String) -> JSON {
    var schema: JSON = [
      "$schema": "https://json-schema.org/draft/2020-12/schema", "title": .string(title), "description": .string(description),
    ]
    for (key, value) in self.schema.object?.pairs ?? [] { schema[key] = value }
    return schema
  }
}
