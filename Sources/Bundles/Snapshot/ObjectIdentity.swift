public import Model

/// Who a stored object says it is.
public struct ObjectIdentity: Sendable, Equatable {
  /// How the value is stored.
  public enum Encoding: Sendable, Equatable {
    case json
    case protobuf
    /// By the API server's encryption configuration: the provider, its version and the key's name, `aescbc:v1:key1`.
    case encrypted(String)
    case other
  }

  public internal(set) var encoding: Encoding = .other
  public internal(set) var apiVersion: String?
  public internal(set) var kind: String?
  public internal(set) var name: String?
  public internal(set) var namespace: String?
  public internal(set) var uid: String?
  public internal(set) var labels: [String: String] = [:]

  public var json: JSON {
    var members = JSON.Members()
    for (label, value) in labels.sorted(by: { $0.key < $1.key }) { members[label] = .string(value) }
    return [
      "encoding": .string(encoding.name), "apiVersion": JSON(apiVersion), "kind": JSON(kind), "name": JSON(name),
      "namespace": JSON(namespace), "uid": JSON(uid), "labels": .object(members),
    ]
  }
}

extension ObjectIdentity.Encoding {
  /// `json`, `protobuf`, `aescbc:v1:key1` or `other`.
  public var name: String {
    switch self {
    case .json: "json"
    case .protobuf: "protobuf"
    case .encrypted(let how): how
    case .other: "other"
    }
  }
}

extension ObjectIdentity {
  private static let mostLabels = 256

  /// Reads what can be read of any value; nothing of it makes it fail.
  init(_ value: UnsafeRawBufferPointer) {
    if value.starts(with: "k8s\0".utf8) {
      encoding = .protobuf
      try? readUnknown(value.part(4, value.count - 4))
    } else if value.starts(with: "k8s:enc:".utf8) {
      let head = value.dropFirst(8).prefix(256)
      let parts = head.split(separator: UInt8(ascii: ":"), maxSplits: 3, omittingEmptySubsequences: false)
      encoding = .encrypted(parts.prefix(3).map { String(decoding: $0, as: UTF8.self) }.joined(separator: ":"))
    } else if value.first(where: { $0 != 0x20 && $0 != 0x0a }) == UInt8(ascii: "{") {
      encoding = .json
      readJSON(value)
    }
  }

  private mutating func readJSON(_ value: UnsafeRawBufferPointer) {
    var (found, inner) = (self, self)
    var peek = JSONPeek(value)
    peek.members { key, peek in
      switch key {
      case "apiVersion": found.apiVersion = peek.string()
      case "kind": found.kind = peek.string()
      case "metadata": return peek.members { key, peek in inner.readMetadata(key, &peek) }
      default: return false
      }
      return true
    }
    (inner.apiVersion, inner.kind) = (found.apiVersion, found.kind)
    self = inner
  }

  private mutating func readMetadata(_ key: String, _ peek: inout JSONPeek) -> Bool {
    switch key {
    case "name": name = peek.string()
    case "namespace": namespace = peek.string()
    case "uid": uid = peek.string()
    case "labels":
      var labels: [String: String] = [:]
      let isWhole = peek.members { key, peek in
        guard let value = peek.string() else { return false }
        if labels.count < Self.mostLabels { labels[key] = value }
        return true
      }
      self.labels = labels
      return isWhole
    default: return false
    }
    return true
  }

  /// `runtime.Unknown`: the type, then the object, whose first field is its metadata.
  private mutating func readUnknown(_ bytes: UnsafeRawBufferPointer) throws(Damage) {
    var reader = ProtobufReader(bytes)
    while let (field, value) = try reader.next() {
      guard case .bytes(let content) = value else { continue }
      if field == 1 {
        var type = ProtobufReader(content)
        while let (field, value) = try type.next() {
          if field == 1 { apiVersion = Self.text(value) }
          if field == 2 { kind = Self.text(value) }
        }
      } else if field == 2 {
        var object = ProtobufReader(content)
        if let (field, value) = try object.next(), field == 1, case .bytes(let metadata) = value { try readMetadata(metadata) }
      }
    }
  }

  private mutating func readMetadata(_ bytes: UnsafeRawBufferPointer) throws(Damage) {
    var reader = ProtobufReader(bytes)
    while let (field, value) = try reader.next() {
      switch field {
      case 1: name = Self.text(value)
      case 3: namespace = Self.text(value).flatMap { $0.isEmpty ? nil : $0 }
      case 5: uid = Self.text(value)
      case 11: try readLabel(value)
      default: break
      }
    }
  }

  private mutating func readLabel(_ value: ProtobufReader.Value) throws(Damage) {
    guard case .bytes(let bytes) = value, labels.count < Self.mostLabels else { return }
    var reader = ProtobufReader(bytes)
    var (key, content): (String?, String?)
    while let (field, value) = try reader.next() {
      if field == 1 { key = Self.text(value) }
      if field == 2 { content = Self.text(value) }
    }
    if let key { labels[key] = content ?? "" }
  }

  private static func text(_ value: ProtobufReader.Value) -> String? {
    guard case .bytes(let bytes) = value, bytes.count <= 4096 else { return nil }
    return bytes.text
  }
}
