internal import CYAML

extension Node {
  /// Reads one document with libyaml. Keys are texts and come once; anchors, aliases and tags are not part of kguard's files
  /// and are refused, so that what is read is what is written. Depth and size are bounded.
  public static func load(_ text: String, file: String) throws(Mistake) -> Node {
    var loader = Loader(file: file)
    return try loader.load(Array(text.utf8))
  }
}

private struct Loader {
  let file: String
  var parser = yaml_parser_t()

  init(file: String) { self.file = file }

  static let maximumSize = 4 << 20
  static let maximumDepth = 64

  mutating func load(_ bytes: [UInt8]) throws(Mistake) -> Node {
    guard bytes.count <= Self.maximumSize else { throw mistake(Position(line: 1, column: 1), "the file is larger than 4 MiB") }
    guard yaml_parser_initialize(&parser) == 1 else { throw mistake(Position(line: 1, column: 1), "libyaml does not start") }
    defer { yaml_parser_delete(&parser) }
    // libyaml keeps the pointer, so everything happens inside.
    let result: Result<Node, Mistake> = bytes.withUnsafeBufferPointer { buffer in
      yaml_parser_set_input_string(&parser, buffer.baseAddress, buffer.count)
      do throws(Mistake) { return .success(try document()) } catch { return .failure(error) }
    }
    return try result.get()
  }

  private mutating func document() throws(Mistake) -> Node {
    _ = try next(.streamStart)
    let start = try next()
    if start.kind == .streamEnd { throw mistake(start.position, "the file is empty") }
    let root = try node(try next(), depth: 0)
    _ = try next(.documentEnd)
    let end = try next()
    guard end.kind == .streamEnd else { throw mistake(end.position, "a second document begins; one file holds one") }
    return root
  }

  private mutating func node(_ event: Event, depth: Int) throws(Mistake) -> Node {
    guard depth < Self.maximumDepth else { throw mistake(event.position, "nested too deeply") }
    if event.hasAnchor { throw mistake(event.position, "anchors and aliases are not allowed; write the value out") }
    if let tag = event.tag { throw mistake(event.position, "the tag \(tag) is not allowed; write the plain value") }
    switch event.kind {
    case .scalar(let text, let isPlain): return Node(.scalar(text, isPlain: isPlain), at: event.position)
    case .listStart:
      var nodes: [Node] = []
      while true {
        let item = try next()
        if item.kind == .listEnd { return Node(.list(nodes), at: event.position) }
        nodes.append(try node(item, depth: depth + 1))
      }
    case .mapStart: return Node(.map(try entries(depth: depth)), at: event.position)
    default: throw mistake(event.position, "a value was expected")
    }
  }

  private mutating func entries(depth: Int) throws(Mistake) -> [Node.Entry] {
    var entries: [Node.Entry] = []
    var first: [String: Position] = [:]
    while true {
      let event = try next()
      if event.kind == .mapEnd { return entries }
      if event.hasAnchor { throw mistake(event.position, "anchors and aliases are not allowed; write the value out") }
      guard case .scalar(let key, _) = event.kind else { throw mistake(event.position, "a key must be a text") }
      if let earlier = first[key] {
        throw mistake(event.position, "the key `\(key)` comes a second time; the first is in line \(earlier.line)")
      }
      first[key] = event.position
      entries.append(Node.Entry(key: key, position: event.position, value: try node(try next(), depth: depth + 1)))
    }
  }

  private struct Event {
    enum Kind: Equatable {
      case streamStart, streamEnd, documentStart, documentEnd
      case scalar(String, isPlain: Bool)
      case listStart, listEnd, mapStart, mapEnd, alias
    }
    let kind: Kind
    let position: Position
    let tag: String?
    let hasAnchor: Bool
  }

  private mutating func next(_ wanted: Event.Kind) throws(Mistake) -> Event {
    let event = try next()
    guard event.kind == wanted else { throw mistake(event.position, "something unexpected stands here") }
    return event
  }

  private mutating func next() throws(Mistake) -> Event {
    var raw = yaml_event_t()
    guard yaml_parser_parse(&parser, &raw) == 1 else { throw syntaxMistake() }
    defer { yaml_event_delete(&raw) }
    let position = Position(line: raw.start_mark.line + 1, column: raw.start_mark.column + 1)
    let kind: Event.Kind
    switch raw.type {
    case YAML_STREAM_START_EVENT: kind = .streamStart
    case YAML_DOCUMENT_START_EVENT: kind = .documentStart
    case YAML_DOCUMENT_END_EVENT: kind = .documentEnd
    case YAML_SCALAR_EVENT:
      let bytes = UnsafeBufferPointer(start: kg_scalar(&raw), count: kg_scalar_size(&raw))
      kind = .scalar(String(decoding: bytes, as: UTF8.self), isPlain: kg_scalar_plain(&raw) == 1)
    case YAML_SEQUENCE_START_EVENT: kind = .listStart
    case YAML_SEQUENCE_END_EVENT: kind = .listEnd
    case YAML_MAPPING_START_EVENT: kind = .mapStart
    case YAML_MAPPING_END_EVENT: kind = .mapEnd
    case YAML_ALIAS_EVENT: kind = .alias
    default: kind = .streamEnd
    }
    let tag = kg_tag(&raw).map { String(cString: $0) }
    return Event(kind: kind, position: position, tag: tag, hasAnchor: kg_anchor(&raw) != nil)
  }

  private func syntaxMistake() -> Mistake {
    let mark = parser.problem_mark
    let problem = parser.problem.map { String(cString: $0) } ?? "it is not YAML"
    let context = parser.context.map { " " + String(cString: $0) } ?? ""
    return mistake(Position(line: mark.line + 1, column: mark.column + 1), problem + context)
  }

  private func mistake(_ position: Position, _ message: String) -> Mistake {
    Mistake(file: file, position: position, message: message)
  }
}
