internal import Model

/// Reads a header from bytes as they come, and takes nothing that the grammar of age v1 does not have.
struct AgeHeaderReader {
  /// Far more than the stanzas of any recipient need; what is longer is no header.
  static let limit = 256 << 10

  private var text: [UInt8] = []
  private var lineStart = 0
  private var state = State.version
  private var stanzas: [AgeHeader.Stanza] = []

  private enum State { case version, stanza, body }

  /// Takes bytes off the front of `input` up to the end of the header; nil where it is not complete yet.
  mutating func take(_ input: inout UnsafeRawBufferPointer) throws(Failure) -> AgeHeader? {
    while let newline = input.firstIndex(of: UInt8(ascii: "\n")) {
      try append(input[...newline])
      input = UnsafeRawBufferPointer(rebasing: input[(newline + 1)...])
      let line = text[lineStart..<(text.count - 1)]
      if let header = try take(line: line) { return header }
      lineStart = text.count
    }
    try append(input[...])
    input = UnsafeRawBufferPointer(rebasing: input[..<0])
    return nil
  }

  /// What is missing when the input ends before the header does.
  func cutShort() -> Failure { AgeHeader.damaged(text.isEmpty ? "it is empty" : "it ends within its header") }

  private mutating func append(_ bytes: Slice<UnsafeRawBufferPointer>) throws(Failure) {
    guard text.count + bytes.count <= Self.limit else { throw AgeHeader.damaged("its header has no end") }
    text.append(contentsOf: bytes)
    if state == .version { try checkVersion() }
  }

  /// Something else altogether is told apart by its first bytes, wherever its first line ends.
  private func checkVersion() throws(Failure) {
    let expected = AgeHeader.version + [UInt8(ascii: "\n")]
    guard text.count >= expected.count, !text.starts(with: expected) else { return }
    if text.starts(with: "-----BEGIN AGE".utf8) {
      throw Failure(
        .usage, what: AgeHeader.what, why: "it is an armored (text) age file, and kguard opens the binary form only",
        next: "decrypt it with `age -d`, then decompress it with `zstd -d`")
    }
    if text.starts(with: Zstd.magic) {
      throw Failure(
        .usage, what: AgeHeader.what, why: "it is compressed, but not encrypted",
        next: "if that is as it should be (`encryption: none`), open it without a key")
    }
    if text.starts(with: "age-encryption.org/".utf8) {
      throw Failure(
        .verification, what: AgeHeader.what, why: "it is of a version of age that kguard does not know, or damaged",
        next: "try `age -d` of a newer age; else fetch the file again")
    }
    throw AgeHeader.damaged("it does not begin as an age file does")
  }

  private mutating func take(line: ArraySlice<UInt8>) throws(Failure) -> AgeHeader? {
    switch state {
    case .version where line.elementsEqual(AgeHeader.version): state = .stanza
    case .version: throw AgeHeader.damaged("it does not begin as an age file does")
    case .body: try take(body: line)
    case .stanza where line.starts(with: "-> ".utf8): try take(arguments: line.dropFirst(3))
    case .stanza where line.starts(with: "---".utf8): return try end(line)
    case .stanza: throw AgeHeader.damaged("a line of its header is neither a recipient nor the end")
    }
    return nil
  }

  private mutating func take(arguments: ArraySlice<UInt8>) throws(Failure) {
    let arguments = arguments.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard arguments.allSatisfy({ !$0.isEmpty && $0.allSatisfy { (33...126).contains($0) } }) else {
      throw AgeHeader.damaged("a recipient in its header is malformed")
    }
    stanzas.append(AgeHeader.Stanza(arguments: arguments.map { String(decoding: $0, as: UTF8.self) }, body: []))
    state = .body
  }

  private mutating func take(body line: ArraySlice<UInt8>) throws(Failure) {
    // A full line holds 48 bytes exactly, so each line can be decoded by itself.
    guard line.count <= AgeHeader.columns, let bytes = Base64.decode(line), let last = stanzas.indices.last else {
      throw AgeHeader.damaged("a recipient in its header is malformed")
    }
    stanzas[last].body += bytes
    if line.count < AgeHeader.columns { state = .stanza }
  }

  private func end(_ line: ArraySlice<UInt8>) throws(Failure) -> AgeHeader {
    guard line.starts(with: "--- ".utf8), line.count == 47, let mac = Base64.decode(line.dropFirst(4)), mac.count == 32,
      !stanzas.isEmpty
    else { throw AgeHeader.damaged("the last line of its header is malformed") }
    return AgeHeader(stanzas: stanzas, text: Array(text[..<(lineStart + 3)]), mac: mac)
  }
}
